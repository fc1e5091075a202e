"""Summaries of long conversations in SQL: versions of each branch, of which the newest counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.ids import new_id
from core.permissions import Principal
from core.store import lease, messages, paths
from core.store.work import Work
from core.tables.memory import Summary
from core.tables.talk import Message
from core.tables.work import Turn
from core.values import TurnState
from core.views import SummaryView

WINDOW = 30
"""So many turns are left as they were said, however short: fewer than a model call's window takes."""


@dataclass(frozen=True)
class Said:
    """One turn as a summary needs it: its place, whose words, and the answer."""

    turn: Turn
    message: Message
    reply: Message | None

    @property
    def tokens(self) -> int:
        """Estimate the tokens of what may be told: four bytes of text are about one."""
        return sum(len(one.text.encode()) for one in (self.message, self.reply) if one is not None) // 4


async def newest(
    session: AsyncSession, conversation_id: str, branch_id: str | None, *, before: int | None = None
) -> Summary | None:
    """Give the newest summary that holds for a branch (None: the trunk), up to a turn `before` this place.

    A branch without one of its own has its parent's, as long as that ends before the fork: so an edit goes back to the
    newest version that says nothing of what was edited.
    """
    for segment in await paths.segments_of(session, conversation_id, branch_id):
        limits = [one for one in (segment.before, before) if one is not None]
        statement = (
            select(Summary)
            .where(Summary.conversation_id == conversation_id)
            .where(Summary.branch_id.is_not_distinct_from(segment.branch_id))
            .where(*(Summary.upto_place < one for one in limits))
            .order_by(Summary.version.desc())
            .limit(1)
        )
        found = (await session.execute(statement)).scalar_one_or_none()
        if found is not None:
            return found
    return None


async def for_turn(session: AsyncSession, turn: Turn) -> Summary | None:
    """Give the summary that a turn may be told: nothing in it comes after the turn, or after its thread's root."""
    before = turn.place
    if turn.thread_id is not None:
        root = select(Turn.place).join(Message, Message.turn_id == Turn.id).where(Message.id == turn.thread_id)
        before = min(before, (await session.execute(root)).scalar_one())
    return await newest(session, turn.conversation_id, turn.branch_id, before=before)


async def since(session: AsyncSession, turn: Turn, after: int) -> list[Said]:
    """Give the ended turns of the turn's branch after a place, up to the turn, oldest first; threads are left out."""
    segments = await paths.segments_of(session, turn.conversation_id, turn.branch_id)
    statement = (
        select(Turn, Message)
        .join(Message, Message.id == Turn.message_id)
        .where(Turn.conversation_id == turn.conversation_id, paths.on_path(segments), Turn.thread_id.is_(None))
        .where(Turn.place > after, Turn.place <= turn.place, Turn.ended_at.is_not(None))
        .order_by(Turn.place)
    )
    rows = (await session.execute(statement)).all()
    replies = await _replies(session, [one.id for one, _ in rows if one.state == TurnState.FINISHED])
    return [Said(one, message, replies.get(one.id)) for one, message in rows]


async def _replies(session: AsyncSession, turn_ids: Sequence[str]) -> dict[str, Message]:
    ids = [messages.reply_id(one) for one in turn_ids]
    found: dict[str, Message] = {}
    for start in range(0, len(ids), 500):
        statement = select(Message).where(Message.id.in_(ids[start : start + 500]))
        found |= {row.turn_id: row for row in (await session.execute(statement)).scalars()}
    return found


async def is_long(session: AsyncSession, turn: Turn, tokens: int) -> bool:
    """Whether so much was said since the summary that a new one is due: over `tokens`, or over WINDOW turns."""
    known = await for_turn(session, turn)
    segments = await paths.segments_of(session, turn.conversation_id, turn.branch_id)
    statement = (
        select(func.count(Turn.id.distinct()), func.coalesce(func.sum(func.length(Message.text)), 0))
        .join(Message, Message.turn_id == Turn.id)
        .where(Turn.conversation_id == turn.conversation_id, paths.on_path(segments), Turn.thread_id.is_(None))
        .where(Turn.place > (known.upto_place if known else 0), Turn.place <= turn.place)
    )
    count, length = (await session.execute(statement)).one()
    return bool(count > WINDOW or length // 4 > tokens)


async def add(
    work: Work, conversation_id: str, branch_id: str | None, *, upto_place: int, text: str, model: str
) -> Summary:
    """Write the next version."""
    last = select(func.max(Summary.version)).where(Summary.conversation_id == conversation_id)
    version = (await work.session.execute(last)).scalar_one_or_none() or 0
    row = Summary(
        id=new_id("sum"),
        conversation_id=conversation_id,
        branch_id=branch_id,
        version=version + 1,
        upto_place=upto_place,
        text=text,
        model=model,
        created_at=now(),
    )
    work.session.add(row)
    return row


async def extend(
    work: Work, turn: Turn, known: Summary | None, told: Sequence[Said], text: str, model: str
) -> Summary | None:
    """Write the version that follows `known` and tells of these turns too.

    Nothing is written (None) when another version came meanwhile, or something of it was forgotten.
    """
    await lease.lock_conversation(work.session, turn.conversation_id)
    present = await newest(work.session, turn.conversation_id, turn.branch_id, before=turn.place + 1)
    if (present.id if present else None) != (known.id if known else None):
        return None
    told_ids = [one.id for said in told for one in (said.message, said.reply) if one and one.forgotten_at is None]
    gone = select(exists().where(Message.id.in_(told_ids), Message.forgotten_at.is_not(None)))
    if (await work.session.execute(gone)).scalar_one():
        return None
    upto_place = told[-1].turn.place
    return await add(work, turn.conversation_id, turn.branch_id, upto_place=upto_place, text=text, model=model)


async def page(
    session: AsyncSession, who: Principal, conversation_id: str, *, limit: int, before: int | None
) -> tuple[list[SummaryView], int | None, int]:
    """Give a conversation's summaries, the newest version first; the next cursor; the true total. Raises NotFound."""
    await messages.check_visible(session, who, conversation_id)
    of_it = Summary.conversation_id == conversation_id
    statement = select(Summary).where(of_it).order_by(Summary.version.desc()).limit(limit + 1)
    if before is not None:
        statement = statement.where(Summary.version < before)
    rows = list((await session.execute(statement)).scalars())
    total = (await session.execute(select(func.count()).select_from(Summary).where(of_it))).scalar_one()
    shown = [SummaryView.model_validate(row.model_dump()) for row in rows[:limit]]
    return shown, rows[limit - 1].version if len(rows) > limit else None, total
