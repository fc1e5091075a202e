"""What stays done though its turn was replaced: calls with effects, made in versions that are not shown."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.store import paths
from core.store.paths import Segment
from core.tables.talk import Branch
from core.tables.work import ToolCall, Turn
from core.values import CallState
from core.views import DoneView

MOST = 1000
_STAYS = (CallState.DONE, CallState.RUNNING, CallState.UNKNOWN)


async def by(session: AsyncSession, turn: Turn) -> tuple[DoneView, ...]:
    """Tell what stays done of the turns that an edit, or a regeneration, replaced; nothing for any other turn."""
    branch = await began(session, turn)
    if branch is None:
        return ()
    segments = await paths.segments_of(session, turn.conversation_id, turn.branch_id)
    found = await _calls(session, turn.conversation_id, segments, Turn.place.between(branch.forked_at, turn.place))
    return tuple(DoneView(tool_call_id=call.id, action=call.action, state=call.state) for call in found)


async def elsewhere(session: AsyncSession, turn: Turn) -> list[ToolCall]:
    """Give the calls that stay done in versions other than this turn's, oldest first, at most the newest MOST."""
    if turn.branch_id is None:
        any_branch = select(Branch.id).where(Branch.conversation_id == turn.conversation_id).limit(1)
        if (await session.execute(any_branch)).first() is None:
            return []
    segments = await paths.segments_of(session, turn.conversation_id, turn.branch_id)
    return await _calls(session, turn.conversation_id, segments, Turn.id != turn.id)


async def began(session: AsyncSession, turn: Turn) -> Branch | None:
    """Give the branch that began with this turn; None for any other turn."""
    branch = await session.get(Branch, turn.branch_id) if turn.branch_id else None
    return branch if branch is not None and branch.begun_at == turn.place else None


async def _calls(
    session: AsyncSession, conversation_id: str, segments: Sequence[Segment], which: ColumnElement[bool]
) -> list[ToolCall]:
    statement = (
        select(ToolCall)
        .join(Turn, Turn.id == ToolCall.turn_id)
        .where(and_(Turn.conversation_id == conversation_id, ~paths.on_path(segments), which))
        .where(ToolCall.effect != "read", ToolCall.state.in_(_STAYS))
        .order_by(Turn.place.desc(), ToolCall.round.desc(), ToolCall.place.desc())
        .limit(MOST)
    )
    return list(reversed((await session.execute(statement)).scalars().all()))
