"""What a model call needs to know: the talk so far, turn by turn, as rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.modes import BUILT_IN, DEFAULT, Mode
from core.store import facts, limits, messages, modes, paths, prompts, replaced, summaries
from core.store.limits import Limits
from core.tables.memory import Summary
from core.tables.people import Membership, User
from core.tables.talk import Conversation, Message
from core.tables.work import Round, ToolCall, Turn
from core.values import TurnState

PAGE, MOST_TURNS = 40, 160
"""So many turns are read at first, and at most, however long the conversation is: every call costs the same."""
KEPT = 4
"""So many turns are told as they were said, though a summary tells them too."""
BYTES_PER_TOKEN = 4
_WINDOW_SHARE = 0.6
_CALL_BYTES = 200


@dataclass(frozen=True)
class TurnRecord:
    """One turn of the talk: its message, its stored rounds, its calls, and the text kept when it did not finish."""

    turn: Turn
    message: Message
    rounds: list[Round] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    kept: Message | None = None

    def size(self, most: int) -> int:
        """Estimate the bytes that this takes in a call that tells at most so many of each text."""
        texts = [self.message.text, *(row.text for row in self.rounds), self.kept.text if self.kept else ""]
        held = [len(str(one.arguments)) + _CALL_BYTES + len(str(one.result or "")) for one in self.calls]
        return sum(min(most, one) for one in [*(len(text.encode()) for text in texts), *held])


@dataclass(frozen=True)
class Talk:
    """The newest turns of a conversation in their order, the asking one last, and who asks in which role.

    `summary` tells what was said before them, where they are not the whole talk and somebody has told it.
    `instructions`: what the program through which the message came adds to it. `mode` None:
    somebody removed it. `elsewhere` has the calls that stay done in other versions of the talk, and `replaces` says
    that this turn began its version. `facts_full`: nothing more can be kept of the asker.
    """

    conversation: Conversation
    asker: User
    asker_role: str
    turns: list[TurnRecord]
    summary: Summary | None = None
    limits: Limits = field(default_factory=Limits)
    instructions: str | None = None
    mode: Mode | None = BUILT_IN[DEFAULT]
    elsewhere: list[ToolCall] = field(default_factory=list)
    replaces: bool = False
    facts_full: bool = False

    @property
    def current(self) -> TurnRecord:
        """The turn that asks."""
        return self.turns[-1]


async def load(session: AsyncSession, turn_id: str, tokens: int = 16_000) -> Talk:
    """Read the talk as this turn may see it: turns that still wait in the queue are not yet said.

    `tokens`: what a model call takes. The newest turns that fit into the greater part of it are read, at most
    MOST_TURNS; where there are more, the summary is read too.
    """
    statement = (
        select(
            *(Turn, Message, Conversation, User, facts.is_full(Turn.workspace_id, Turn.user_id)),
            *limits.columns(Turn.workspace_id, Turn.user_id),
        )
        .join(Message, Message.id == Turn.message_id)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .join(User, User.id == Turn.user_id)
        .where(Turn.id == turn_id)
        .execution_options(populate_existing=True)
    )
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        message = "There is no such turn."
        raise NotFound(message)
    current, said, conversation, asker, facts_full, *bounds = found
    records, summary = await _window(session, current, said, int(tokens * BYTES_PER_TOKEN * _WINDOW_SHARE))
    return Talk(
        conversation=conversation,
        asker=asker,
        asker_role=await role_of(session, conversation.workspace_id, asker.id),
        turns=records,
        summary=summary,
        limits=limits.limits_from(*bounds),
        instructions=await prompts.instructions_of(session, said),
        mode=await modes.perhaps(session, current.workspace_id, current.mode),
        elsewhere=await replaced.elsewhere(session, current),
        replaces=await replaced.began(session, current) is not None,
        facts_full=facts_full,
    )


async def role_of(session: AsyncSession, workspace_id: str, user_id: str) -> str:
    """Give a person's present role in a workspace; empty when there is none or the person is disabled."""
    statement = (
        select(Membership.role)
        .join(User, User.id == Membership.user_id)
        .where(Membership.workspace_id == workspace_id, Membership.user_id == user_id)
        .where(User.disabled_at.is_(None), Membership.disabled_at.is_(None))
    )
    return (await session.execute(statement)).scalar_one_or_none() or ""


async def _window(
    session: AsyncSession, current: Turn, said: Message, size: int
) -> tuple[list[TurnRecord], Summary | None]:
    """Read the newest turns up to so many bytes, and the summary when there are more. A short talk asks for none."""
    first = await _earlier(session, current, None, PAGE)
    records = await _records(session, [*first, (current, said)])
    fits = _bytes(records, size) <= size
    if len(first) < PAGE and fits:
        return records, None
    summary = await summaries.for_turn(session, current)
    upto = summary.upto_place if summary is not None else 0
    if fits and len(first) == PAGE and first[0][0].place > upto:
        more = await _earlier(session, current, first[0][0].place, MOST_TURNS - PAGE)
        records = [*await _records(session, more), *records]
    return await _with_retried(session, _newest(records, upto, size)), summary


async def _with_retried(session: AsyncSession, records: list[TurnRecord]) -> list[TurnRecord]:
    """Add the turn that is tried again, however long ago it was: what it sent must not be sent twice unasked."""
    wanted = records[-1].turn.retry_of
    if wanted is None or any(record.turn.id == wanted for record in records):
        return records
    statement = select(Turn, Message).join(Message, Message.id == Turn.message_id).where(Turn.id == wanted)
    rows = [(turn, message) for turn, message in (await session.execute(statement)).all()]
    return [*await _records(session, rows), *records]


def _newest(records: Sequence[TurnRecord], upto: int, size: int) -> list[TurnRecord]:
    """Keep the asking turn, then what the summary does not tell, newest first, while there is room."""
    found = [records[-1]]
    used = records[-1].size(size // 8)
    for record in reversed(records[:-1]):
        used += record.size(size // 8)
        if used > size or (record.turn.place <= upto and len(found) > KEPT):
            break
        found.append(record)
    return found[::-1]


def _bytes(records: Sequence[TurnRecord], size: int) -> int:
    return sum(record.size(size // 8) for record in records)


async def _earlier(session: AsyncSession, current: Turn, before: int | None, limit: int) -> list[tuple[Turn, Message]]:
    segments = await paths.segments_of(session, current.conversation_id, current.branch_id)
    statement = (
        select(Turn, Message)
        .join(Message, Message.id == Turn.message_id)
        .where(Turn.conversation_id == current.conversation_id, Turn.state != TurnState.QUEUED, Turn.id != current.id)
        .where(paths.on_path(segments), await paths.in_thread(session, current.thread_id, segments))
        .order_by(Turn.place.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(Turn.place < before)
    return [(turn, message) for turn, message in reversed((await session.execute(statement)).all())]


async def _records(session: AsyncSession, said: list[tuple[Turn, Message]]) -> list[TurnRecord]:
    kept = await _kept(session, [turn for turn, _ in said])
    records = {turn.id: TurnRecord(turn, message, kept=kept.get(turn.id)) for turn, message in said}
    rounds = select(Round).where(Round.turn_id.in_(records)).order_by(Round.number)
    for row in (await session.execute(rounds)).scalars():
        records[row.turn_id].rounds.append(row)
    calls = select(ToolCall).where(ToolCall.turn_id.in_(records)).order_by(ToolCall.round, ToolCall.place)
    for call in (await session.execute(calls)).scalars():
        records[call.turn_id].calls.append(call)
    return list(records.values())


async def _kept(session: AsyncSession, turns: list[Turn]) -> dict[str, Message]:
    """Give the texts kept of turns that were stopped or failed, by turn."""
    ids = [messages.reply_id(turn.id) for turn in turns if turn.state in {TurnState.STOPPED, TurnState.FAILED}]
    if not ids:
        return {}
    rows = (await session.execute(select(Message).where(Message.id.in_(ids)))).scalars()
    return {row.turn_id: row for row in rows}
