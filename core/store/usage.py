"""Usage in SQL: a model call is reserved before it is sent, settled with the provider's figures, or released."""

from datetime import timedelta
from typing import Any

from sqlalchemy import and_, case, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.ids import Id, new_id
from core.store import budgets
from core.store.work import Work
from core.tables.cost import Usage
from core.tables.work import Turn
from core.values import TurnState, Value

RESERVED, SETTLED, RELEASED, LAPSED = "reserved", "settled", "released", "lapsed"
REPLY = "reply"
UNUSABLE = "unusable answer"
_LONGEST_CALL = timedelta(minutes=15)
_GRACE = timedelta(seconds=30)


class Charge(Value):
    """A model call before it is sent: whose it is, what for, and the most that it may use.

    `tokens`: of input and output together; `micros`: millionths of a US dollar, None when the price is not known.
    """

    workspace_id: Id
    user_id: Id
    conversation_id: Id | None = None
    turn_id: Id | None = None
    round: int = 0
    attempt: int = 1
    purpose: str = REPLY
    provider: str | None = None
    model: str
    tokens: int = 0
    micros: int | None = None
    complexity: str | None = None


class Figures(Value):
    """What a call used, as the provider says; None where it says nothing. `model` is the one that answered.

    `estimated_tokens` is our own count, given only when the provider gave none: `micros` then follows from it.
    """

    model: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    micros: int | None = None
    estimated_tokens: int | None = None


def charge_of(turn: Turn, **more: Any) -> Charge:
    """Give what a call of a turn is charged with; `more` are the other members of `Charge`."""
    whose = {"workspace_id": turn.workspace_id, "user_id": turn.user_id, "conversation_id": turn.conversation_id}
    return Charge.model_validate({**whose, "turn_id": turn.id, **more})


async def reserve(work: Work, charge: Charge) -> str:
    """Write a reservation and give its id. Raises BudgetExhausted or PriceUnknown: then nothing may be sent.

    What older attempts of the same call had reserved lapses: their workers are gone, and one answer is paid once.
    """
    await _lapse_older(work.session, charge)
    await budgets.check(work.session, charge.workspace_id, charge.user_id, tokens=charge.tokens, micros=charge.micros)
    row = _row(charge, RESERVED)
    row.reserved_tokens, row.reserved_micros = charge.tokens, charge.micros
    work.session.add(row)
    await work.session.flush()
    return row.id


async def _lapse_older(session: AsyncSession, charge: Charge) -> None:
    if charge.turn_id is None or charge.attempt == 1:
        return
    statement = (
        update(Usage)
        .where(Usage.turn_id == charge.turn_id, Usage.round == charge.round, Usage.purpose == charge.purpose)
        .where(Usage.state == RESERVED, Usage.attempt < charge.attempt)
        .values(state=LAPSED, settled_at=now())
    )
    await session.execute(statement)


async def settle(work: Work, usage_id: str, figures: Figures) -> None:
    """Put the provider's figures in the place of a reservation."""
    _fill(await work.session.get_one(Usage, usage_id), figures)


def record(work: Work, charge: Charge, figures: Figures) -> str:
    """Write a call that was not reserved; its id is returned."""
    row = _row(charge, SETTLED)
    _fill(row, figures)
    work.session.add(row)
    return row.id


async def release(work: Work, usage_id: str) -> None:
    """Give a reservation back: the call gave no answer."""
    row = await work.session.get_one(Usage, usage_id)
    if row.state == RESERVED:
        row.state, row.settled_at = RELEASED, now()


def unusable(work: Work, charge: Charge, figures: Figures) -> None:
    """Write what the provider counted for an answer that was of no use: it counts against budgets, as a call aside."""
    record(work, charge.model_copy(update={"purpose": UNUSABLE}), figures)


def failed(work: Work, charge: Charge) -> None:
    """Note a call that failed without a reservation, so that the next attempt asks another model."""
    row = _row(charge, RELEASED)
    row.settled_at = now()
    work.session.add(row)


async def abandon(work: Work, charge: Charge, usage_id: str | None, figures: Figures) -> None:
    """Account for a call whose answer nobody wants any more.

    The turn has ended, so the provider's charge stands alone: it is settled. A newer attempt has begun, or the round
    is answered: that one is paid, and this reservation lapses.
    """
    row = await work.session.get(Usage, usage_id) if usage_id is not None else None
    if await _stands_alone(work.session, charge):
        if row is not None:
            _fill(row, figures)
        else:
            record(work, charge, figures)
    elif row is not None and row.state == RESERVED:
        row.state, row.settled_at = LAPSED, now()


async def _stands_alone(session: AsyncSession, charge: Charge) -> bool:
    turn = (
        await session.execute(
            select(Turn).where(Turn.id == charge.turn_id).with_for_update().execution_options(populate_existing=True)
        )
    ).scalar_one_or_none()
    if turn is None or not TurnState(turn.state).is_terminal or turn.attempt != charge.attempt:
        return False
    paid = select(Usage.id).where(
        Usage.turn_id == charge.turn_id, Usage.round == charge.round, Usage.purpose == REPLY, Usage.state == SETTLED
    )
    return (await session.execute(paid.limit(1))).first() is None


async def lapse_lost(session: AsyncSession) -> int:
    """Give back what no call stands behind any more, after a crash; returns how many.

    Replies of turns that have ended, and anything older than the longest model call. A late answer still settles it.
    """
    at = now()
    over = exists(select(1).where(Turn.id == Usage.turn_id, Turn.ended_at < at - _GRACE))
    lost = or_(Usage.created_at < at - _LONGEST_CALL, and_(Usage.purpose == REPLY, over))
    statement = (
        update(Usage)
        .where(Usage.state == RESERVED, lost)
        .values(state=LAPSED, settled_at=at)
        .returning(Usage.id)
        .execution_options(synchronize_session=False)
    )
    return len((await session.execute(statement)).all())


async def any_reserved(session: AsyncSession) -> bool:
    """Tell, without writing, whether any reservation is old enough to be a lost one."""
    statement = select(Usage.id).where(Usage.state == RESERVED, Usage.created_at < now() - _GRACE).limit(1)
    return (await session.execute(statement)).first() is not None


def of_call(figures: Figures) -> dict[str, int | None]:
    """Give what one call used as its message shows it; money in millionths of a US dollar, None: not known."""
    return {
        "input_tokens": figures.input_tokens,
        "output_tokens": figures.output_tokens,
        "cached_tokens": figures.cached_tokens,
        "cost_micros": figures.micros,
        "calls": 1,
    }


async def of_turn(session: AsyncSession, turn_id: str) -> dict[str, int | None]:
    """Add up all settled calls of a turn, in the same form. One unknown price makes the sum unknown."""
    priced = func.count(Usage.cost_micros) == func.count()
    statement = select(
        func.sum(Usage.input_tokens).label("input_tokens"),
        func.sum(Usage.output_tokens).label("output_tokens"),
        func.sum(Usage.cached_tokens).label("cached_tokens"),
        case((priced, func.sum(Usage.cost_micros))).label("cost_micros"),
        func.count().label("calls"),
    ).where(Usage.turn_id == turn_id, Usage.state == SETTLED)
    row = (await session.execute(statement)).one()
    return {name: None if value is None else int(value) for name, value in row._mapping.items()}


async def tried(session: AsyncSession, turn_id: str, number: int) -> list[str]:
    """Give the models that failed in this round of a turn, oldest first."""
    statement = (
        select(Usage.model)
        .where(Usage.turn_id == turn_id, Usage.round == number, Usage.state == RELEASED, Usage.purpose == REPLY)
        .order_by(Usage.id)
    )
    return list((await session.execute(statement)).scalars())


def _row(charge: Charge, state: str) -> Usage:
    known = charge.model_dump(exclude={"tokens", "micros"})
    return Usage(id=new_id("use"), state=state, created_at=now(), **known)


def _fill(row: Usage, figures: Figures) -> None:
    row.state, row.settled_at = SETTLED, now()
    row.model = figures.model
    row.input_tokens, row.output_tokens = figures.input_tokens, figures.output_tokens
    row.cached_tokens, row.cost_micros = figures.cached_tokens, figures.micros
    if figures.input_tokens is None or figures.output_tokens is None:
        row.estimated = True
        row.reserved_tokens = row.reserved_tokens if figures.estimated_tokens is None else figures.estimated_tokens
        row.cost_micros = row.reserved_micros if figures.micros is None else figures.micros
