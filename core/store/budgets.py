"""Budgets in SQL: the most that a workspace or a person may use in a day or month, and whether a call still fits."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import BudgetExhausted, Invalid, NotFound, PriceUnknown
from core.ids import new_id
from core.permissions import Principal, Role
from core.prices import dollars
from core.store import people
from core.store.audit import AuditTrail
from core.store.limits import EVERYBODY
from core.store.work import Work
from core.tables.cost import Budget, Usage
from core.values import Value
from core.views import BudgetView

DAY, MONTH = "day", "month"
_MANAGERS = (Role.OWNER, Role.ADMIN)


class Spent(Value):
    """What counts against a budget so far: used and reserved together."""

    tokens: int
    micros: int


COUNTED_TOKENS: ColumnElement[int] = func.coalesce(Usage.input_tokens + Usage.output_tokens, Usage.reserved_tokens)
"""A call's tokens by the provider's count; until that is there, or when it never comes, what was reserved."""
COUNTED_MICROS: ColumnElement[int] = func.coalesce(
    Usage.cost_micros, case((Usage.state == "reserved", Usage.reserved_micros)), 0
)
COUNTS: ColumnElement[bool] = Usage.state.in_(["reserved", "settled"])


async def check(session: AsyncSession, workspace_id: str, user_id: str, *, tokens: int, micros: int | None) -> None:
    """Raise BudgetExhausted, or PriceUnknown, unless so much more fits every budget of the person and the workspace.

    Locks those budgets until the transaction ends: of two calls at once, the second counts the first one.
    """
    applying = await _locked(session, workspace_id, user_id)
    if not applying:
        return
    if micros is None and any(one.money_micros is not None for one in applying):
        message = (
            "A budget in money applies here, and the price of this model is not known, so nothing was sent. Whoever "
            "runs this server can set the model's price, or a budget in tokens can take the place of the one in money."
        )
        raise PriceUnknown(message)
    at = now()
    over = [
        (one, spent)
        for one, spent in await _with_spent(session, applying, at)
        if not _fits(one, spent, tokens, micros or 0)
    ]
    if over:
        budget, spent = max(over, key=lambda pair: renews_at(pair[0].period, at))
        raise _exhausted(budget, spent, tokens, micros or 0, at)


async def _locked(session: AsyncSession, workspace_id: str, user_id: str) -> Sequence[Budget]:
    statement = (
        select(Budget)
        .where(Budget.workspace_id == workspace_id, Budget.user_id.in_([EVERYBODY, user_id]))
        .order_by(Budget.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.execute(statement)).scalars().all()


def _fits(budget: Budget, spent: Spent, tokens: int, micros: int) -> bool:
    in_tokens = budget.tokens is None or spent.tokens + tokens <= budget.tokens
    return in_tokens and (budget.money_micros is None or spent.micros + micros <= budget.money_micros)


def _exhausted(budget: Budget, spent: Spent, tokens: int, micros: int, at: datetime) -> BudgetExhausted:
    whose = "The workspace's budget" if budget.user_id == EVERYBODY else "Your budget"
    when = "today" if budget.period == DAY else "this month"
    renews = renews_at(budget.period, at)
    parts = []
    if budget.money_micros is not None and spent.micros + micros > budget.money_micros:
        left = dollars(max(0, budget.money_micros - spent.micros))
        parts.append(f"{left} of {dollars(budget.money_micros)} US dollars are left, this may take {dollars(micros)}")
    if budget.tokens is not None and spent.tokens + tokens > budget.tokens:
        left_tokens = max(0, budget.tokens - spent.tokens)
        parts.append(f"{left_tokens} of {budget.tokens} tokens are left, this may take {tokens}")
    detail = (
        f"{whose} for {when} does not allow this: {'; '.join(parts)}. It begins anew on {renews:%Y-%m-%d} at 00:00 "
        "UTC. Nothing was sent to a model."
    )
    return BudgetExhausted(detail, period=budget.period, renews_at=renews.isoformat())


def begins_at(period: str, at: datetime) -> datetime:
    """Give the beginning of the UTC day or month that holds this moment."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day if period == DAY else day.replace(day=1)


def renews_at(period: str, at: datetime) -> datetime:
    """Give the beginning of the next UTC day or month."""
    begin = begins_at(period, at)
    return begin + timedelta(days=1) if period == DAY else (begin + timedelta(days=32)).replace(day=1)


async def _with_spent(session: AsyncSession, budgets: Sequence[Budget], at: datetime) -> list[tuple[Budget, Spent]]:
    """Add up what counts against each budget: one statement for each whose and period."""
    known: dict[tuple[str, str], Spent] = {}
    for one in budgets:
        key = (one.user_id, one.period)
        if key not in known:
            known[key] = await spent(session, one.workspace_id, one.user_id or None, begins_at(one.period, at))
    return [(one, known[one.user_id, one.period]) for one in budgets]


async def spent(session: AsyncSession, workspace_id: str, user_id: str | None, since: datetime) -> Spent:
    """Add up what the workspace, or one person in it, used and has reserved since then. The caller checks who asks."""
    theirs = [Usage.workspace_id == workspace_id, Usage.created_at >= since, COUNTS]
    if user_id is not None:
        theirs.append(Usage.user_id == user_id)
    statement = select(func.coalesce(func.sum(COUNTED_TOKENS), 0), func.coalesce(func.sum(COUNTED_MICROS), 0))
    tokens, micros = (await session.execute(statement.where(*theirs))).one()
    return Spent(tokens=int(tokens), micros=int(micros))


async def page(
    session: AsyncSession, who: Principal, *, limit: int, cursor: str | None
) -> tuple[list[BudgetView], str | None, int]:
    """Give the budgets with what is left of each: all for owners and admins, else those that apply to the person."""
    mine = _shown_to(who)
    statement = select(Budget).where(mine).order_by(Budget.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Budget.id < cursor)
    rows = (await session.execute(statement)).scalars().all()
    total = (await session.execute(select(func.count()).select_from(Budget).where(mine))).scalar_one()
    at = now()
    shown = [_view(one, used, at) for one, used in await _with_spent(session, rows[:limit], at)]
    return shown, rows[limit - 1].id if len(rows) > limit else None, total


def _shown_to(who: Principal) -> ColumnElement[bool]:
    theirs = Budget.workspace_id == who.workspace_id
    if who.role in _MANAGERS:
        return theirs
    return and_(theirs, or_(Budget.user_id == EVERYBODY, Budget.user_id == who.user_id))


async def put(
    work: Work,
    audit: AuditTrail,
    who: Principal,
    *,
    user_id: str | None,
    period: str,
    money_micros: int | None,
    tokens: int | None,
) -> BudgetView:
    """Set the budget of the workspace (`user_id` None) or of a person; the one that was there is replaced.

    Raises NotAllowed, NotFound when there is no such person here, Invalid when it bounds nothing.
    """
    who.must_be(*_MANAGERS)
    if money_micros is None and tokens is None:
        message = "A budget needs an amount of money, a number of tokens, or both."
        raise Invalid(message)
    if user_id is not None:
        await people.one(work.session, who, user_id)
    row = await _place(work, who, user_id or EVERYBODY, period)
    row.money_micros, row.tokens, row.updated_at = money_micros, tokens, now()
    await work.session.flush()
    ((_, used),) = await _with_spent(work.session, [row], row.updated_at)
    view = _view(row, used, row.updated_at)
    body: dict[str, Any] = {"user_id": user_id, "period": period, "money_micros": money_micros, "tokens": tokens}
    await audit.record(work, who.workspace_id, who.user_id, "budget.set", row.id, **body)
    return view


async def _place(work: Work, who: Principal, user_id: str, period: str) -> Budget:
    """Find the row, or make it; two who make it at once wait for each other at the workspace's people."""
    await people.lock_people(work.session)
    statement = (
        select(Budget)
        .where(Budget.workspace_id == who.workspace_id, Budget.user_id == user_id, Budget.period == period)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = (await work.session.execute(statement)).scalar_one_or_none()
    if row is None:
        row = Budget(
            id=new_id("bdg"),
            workspace_id=who.workspace_id,
            user_id=user_id,
            period=period,
            created_by=who.user_id,
            created_at=now(),
            updated_at=now(),
        )
        work.session.add(row)
    return row


async def remove(work: Work, audit: AuditTrail, who: Principal, budget_id: str) -> None:
    """Take a budget away. Raises NotAllowed, NotFound."""
    who.must_be(*_MANAGERS)
    statement = select(Budget).where(Budget.id == budget_id, Budget.workspace_id == who.workspace_id).with_for_update()
    row = (await work.session.execute(statement)).scalar_one_or_none()
    if row is None:
        message = "There is no such budget."
        raise NotFound(message)
    await work.session.delete(row)
    await work.session.flush()
    body = {"user_id": row.user_id or None, "period": row.period}
    await audit.record(work, who.workspace_id, who.user_id, "budget.removed", budget_id, **body)


def _view(row: Budget, used: Spent, at: datetime) -> BudgetView:
    return BudgetView(
        id=row.id,
        user_id=row.user_id or None,
        period=row.period,
        money_micros=row.money_micros,
        tokens=row.tokens,
        used_micros=used.micros,
        used_tokens=used.tokens,
        left_micros=None if row.money_micros is None else max(0, row.money_micros - used.micros),
        left_tokens=None if row.tokens is None else max(0, row.tokens - used.tokens),
        renews_at=renews_at(row.period, at),
        created_by=row.created_by,
        updated_at=row.updated_at,
    )
