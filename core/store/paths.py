"""Which turns belong together: a version of a conversation, from its first turn to the newest, and a thread in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.tables.talk import Branch, Message
from core.tables.work import Turn


@dataclass(frozen=True)
class Segment:
    """The turns of one branch (None: the trunk) that stand before a place (None: all of them).

    `cuts`: threads that go another way, each with the place from which on its turns are left out.
    """

    branch_id: str | None
    before: int | None
    cuts: tuple[tuple[str, int], ...] = ()


async def segments_of(session: AsyncSession, conversation_id: str, branch_id: str | None) -> Sequence[Segment]:
    """Give the path that ends in a branch: its own turns, then its parent's before the fork, up to the trunk's."""
    if branch_id is None:
        return [Segment(None, None)]
    rows = (await session.execute(select(Branch).where(Branch.conversation_id == conversation_id))).scalars()
    known = {row.id: row for row in rows}
    found: list[Segment] = []
    here = Segment(branch_id, None)
    while here.branch_id is not None:
        found.append(here)
        here = _parent(known.pop(here.branch_id), here)  # each once: a circle is an error, not for ever
    return [*found, here]


def _parent(branch: Branch, here: Segment) -> Segment:
    """Give what the branch takes from its parent: a thread's branch leaves out that thread only."""
    end = branch.forked_at if branch.thread_id is None else branch.begun_at
    before = end if here.before is None else min(here.before, end)
    cuts = here.cuts if branch.thread_id is None else (*here.cuts, (branch.thread_id, branch.forked_at))
    return replace(here, branch_id=branch.parent_id, before=before, cuts=cuts)


def on_path(segments: Sequence[Segment]) -> ColumnElement[bool]:
    """Whether a turn is on the path; never null."""
    return or_(*(_in_segment(one) for one in segments))


def _in_segment(segment: Segment) -> ColumnElement[bool]:
    conditions = [func.coalesce(Turn.branch_id, "") == (segment.branch_id or "")]
    if segment.before is not None:
        conditions.append(Turn.place < segment.before)
    conditions += [or_(func.coalesce(Turn.thread_id, "") != thread, Turn.place < at) for thread, at in segment.cuts]
    return and_(*conditions)


async def in_thread(session: AsyncSession, thread_id: str | None, segments: Sequence[Segment]) -> ColumnElement[bool]:
    """Whether a turn is heard in a thread: its own turns, and the main talk up to the message that it hangs on.

    That message may be answered by several turns: the first of them on the path counts.
    """
    if thread_id is None:
        return Turn.thread_id.is_(None)
    answers = or_(Message.turn_id == Turn.id, Message.id == Turn.message_id)
    hangs_on = and_(Message.conversation_id == Turn.conversation_id, answers)
    root = select(func.min(Turn.place)).join(Message, hangs_on).where(Message.id == thread_id, on_path(segments))
    place = (await session.execute(root)).scalar_one_or_none() or 0
    return or_(Turn.thread_id == thread_id, and_(Turn.thread_id.is_(None), Turn.place <= place))
