"""Model rules in SQL: which models the people of a workspace, or one of them, may ask."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import NotFound
from core.ids import new_id
from core.permissions import Principal, Role
from core.store import people
from core.store.audit import AuditTrail
from core.store.limits import EVERYBODY
from core.store.work import Work
from core.tables.cost import ModelRule
from core.views import ModelRuleView

_MANAGERS = (Role.OWNER, Role.ADMIN)


async def page(
    session: AsyncSession, who: Principal, *, limit: int, cursor: str | None
) -> tuple[list[ModelRuleView], str | None, int]:
    """Give the rules, newest first: all for owners and admins, else those that apply to the person."""
    mine = _shown_to(who)
    statement = select(ModelRule).where(mine).order_by(ModelRule.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(ModelRule.id < cursor)
    rows = (await session.execute(statement)).scalars().all()
    total = (await session.execute(select(func.count()).select_from(ModelRule).where(mine))).scalar_one()
    return [_view(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None, total


def _shown_to(who: Principal) -> ColumnElement[bool]:
    theirs = ModelRule.workspace_id == who.workspace_id
    if who.role in _MANAGERS:
        return theirs
    return and_(theirs, or_(ModelRule.user_id == EVERYBODY, ModelRule.user_id == who.user_id))


async def put(
    work: Work, audit: AuditTrail, who: Principal, *, user_id: str | None, allowed: Sequence[str]
) -> ModelRuleView:
    """Say which models the workspace (`user_id` None) or a person may ask, in place of what was said before.

    Raises NotAllowed, and NotFound when there is no such person here.
    """
    who.must_be(*_MANAGERS)
    if user_id is not None:
        await people.one(work.session, who, user_id)
    row = await _place(work, who, user_id or EVERYBODY)
    row.allowed, row.created_by = sorted(set(allowed)), who.user_id
    await work.session.flush()
    await audit.record(
        work, who.workspace_id, who.user_id, "model_rule.set", row.id, user_id=user_id, allowed=row.allowed
    )
    return _view(row)


async def _place(work: Work, who: Principal, user_id: str) -> ModelRule:
    """Find the row, or make it; two who make it at once wait for each other at the workspace's people."""
    await people.lock_people(work.session)
    statement = (
        select(ModelRule)
        .where(ModelRule.workspace_id == who.workspace_id, ModelRule.user_id == user_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = (await work.session.execute(statement)).scalar_one_or_none()
    if row is None:
        row = ModelRule(
            id=new_id("mrl"),
            workspace_id=who.workspace_id,
            user_id=user_id,
            allowed=[],
            created_by=who.user_id,
            created_at=now(),
        )
        work.session.add(row)
    return row


async def remove(work: Work, audit: AuditTrail, who: Principal, rule_id: str) -> None:
    """Take a rule away. Raises NotAllowed, NotFound."""
    who.must_be(*_MANAGERS)
    statement = select(ModelRule).where(ModelRule.id == rule_id, ModelRule.workspace_id == who.workspace_id)
    row = (await work.session.execute(statement.with_for_update())).scalar_one_or_none()
    if row is None:
        message = "There is no such rule."
        raise NotFound(message)
    await work.session.delete(row)
    await work.session.flush()
    await audit.record(work, who.workspace_id, who.user_id, "model_rule.removed", rule_id, user_id=row.user_id or None)


def _view(row: ModelRule) -> ModelRuleView:
    return ModelRuleView(
        id=row.id,
        user_id=row.user_id or None,
        allowed=tuple(row.allowed),
        created_by=row.created_by,
        created_at=row.created_at,
    )
