"""Calls of which nobody knows whether they took effect: who sees them, and which people can say."""

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.consent import ConsentPlan
from core.permissions import Principal, Role
from core.store import deciders
from core.store.viewing import call_view
from core.store.visibility import sees_conversation
from core.tables.consent import Approval
from core.tables.talk import Conversation
from core.tables.work import ToolCall
from core.values import ApprovalState, CallState
from core.views import DeciderView, ToolCallView

_ALWAYS = (Role.OWNER, Role.ADMIN)
_STANDING = and_(Approval.tool_call_id == ToolCall.id, Approval.state != ApprovalState.VOID)


def may_settle(who: Principal) -> ColumnElement[bool]:
    """Calls of the workspace that this person asked for or could have decided about; owners and admins: all."""
    of_theirs = ToolCall.workspace_id == who.workspace_id
    if who.role in _ALWAYS:
        return of_theirs
    decides = exists(select(Approval.id).where(_STANDING, deciders.entitles(who)).correlate(ToolCall))
    return and_(of_theirs, or_(ToolCall.user_id == who.user_id, decides))


async def people_to_settle(session: AsyncSession, call: ToolCall) -> list[tuple[str, DeciderView]]:
    """Give the membership ids and names of all who may say what became of a call, in a fixed order."""
    ways = {("user", call.user_id), *(("role", role.value) for role in _ALWAYS)}
    statement = select(Approval).where(Approval.tool_call_id == call.id, Approval.state != ApprovalState.VOID)
    approval = (await session.execute(statement)).scalar_one_or_none()
    if approval is not None:
        plan = ConsentPlan.model_validate(approval.plan)
        escalated = approval.escalated_at is not None
        for stage in range(len(plan.stages)):
            ways |= deciders.ways(plan, stage, approval.requester_id, escalated=escalated)
    return await deciders.people_for(session, call.workspace_id, ways)


async def page(
    session: AsyncSession, who: Principal, *, state: CallState | None, limit: int, cursor: str | None
) -> tuple[list[ToolCallView], str | None, int]:
    """Give calls of the person's conversations, and unknown ones that the person may settle, newest first."""
    unknown = and_(ToolCall.state == CallState.UNKNOWN, may_settle(who))
    shown = and_(or_(sees_conversation(who), unknown), Conversation.deleted_at.is_(None))
    if state is not None:
        shown = and_(shown, ToolCall.state == state)
    of_theirs = (
        select(ToolCall, Approval.id)
        .join(Conversation, Conversation.id == ToolCall.conversation_id)
        .outerjoin(Approval, _STANDING)
        .where(shown)
    )
    total = (await session.execute(select(func.count()).select_from(of_theirs.subquery()))).scalar_one()
    at = await session.get(ToolCall, cursor) if cursor is not None else None
    if at is not None and at.workspace_id == who.workspace_id:
        same = and_(ToolCall.created_at == at.created_at, ToolCall.id < at.id)
        of_theirs = of_theirs.where(or_(ToolCall.created_at < at.created_at, same))
    statement = of_theirs.order_by(ToolCall.created_at.desc(), ToolCall.id.desc()).limit(limit + 1)
    rows = (await session.execute(statement)).all()
    views = [call_view(call, approval_id) for call, approval_id in rows[:limit]]
    return views, rows[limit - 1][0].id if len(rows) > limit else None, total
