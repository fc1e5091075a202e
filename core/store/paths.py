"""Which turns belong together: a version of a conversation, from its first turn to the newest, and a thread in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.tables.talk import Branch, Message
from core.tables.work import Turn


@dataclass(frozen=True)
class Segment:
    """The turns of one branch (None: the trunk) that stand before a place (None: all of them)."""

    branch_id: str | None
    before: int | None


async def segments_of(session: AsyncSession, conversation_id: str, branch_id: str | None) -> Sequence[Segment]:
    """Give the path that ends in a branch: its own turns, then its parent's before the fork, up to the trunk's."""
    if branch_id is None:
        return [Segment(None, None)]
    rows = (await session.execute(select(Branch).where(Branch.conversation_id == conversation_id))).scalars()
    known = {row.id: row for row in rows}
    found: list[Segment] = []
    before: int | None = None
    at: str | None = branch_id
    while at is not None:
        found.append(Segment(at, before))
        branch = known[at]
        before = branch.forked_at if before is None else min(before, branch.forked_at)
        at = branch.parent_id
    return [*found, Segment(None, before)]


def on_path(segments: Sequence[Segment]) -> ColumnElement[bool]:
    """Whether a turn is on the path."""
    return or_(*(_in_segment(one) for one in segments))


def _in_segment(segment: Segment) -> ColumnElement[bool]:
    of_branch = Turn.branch_id.is_(None) if segment.branch_id is None else Turn.branch_id == segment.branch_id
    return of_branch if segment.before is None else and_(of_branch, Turn.place < segment.before)


async def in_thread(session: AsyncSession, thread_id: str | None) -> ColumnElement[bool]:
    """Whether a turn is heard in a thread: its own turns, and the main talk up to the message that it hangs on."""
    if thread_id is None:
        return Turn.thread_id.is_(None)
    root = select(Turn.place).join(Message, Message.turn_id == Turn.id).where(Message.id == thread_id)
    place = (await session.execute(root)).scalar_one()
    return or_(Turn.thread_id == thread_id, and_(Turn.thread_id.is_(None), Turn.place <= place))
