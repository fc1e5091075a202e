"""What a model call needs to know: the talk so far, turn by turn, as rows."""

from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.store import messages, paths
from core.tables.people import Membership, User
from core.tables.talk import Conversation, Message
from core.tables.work import Round, ToolCall, Turn
from core.values import TurnState

WINDOW = 40


@dataclass(frozen=True)
class TurnRecord:
    """One turn of the talk: its message, its stored rounds, its calls, and the text kept when it did not finish."""

    turn: Turn
    message: Message
    rounds: list[Round] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    kept: Message | None = None


@dataclass(frozen=True)
class Talk:
    """The newest turns of a conversation in their order, the asking one last, and who asks in which role."""

    conversation: Conversation
    asker: User
    asker_role: str
    turns: list[TurnRecord]

    @property
    def current(self) -> TurnRecord:
        """The turn that asks."""
        return self.turns[-1]


async def load(session: AsyncSession, turn_id: str) -> Talk:
    """Read the talk as this turn may see it: turns that still wait in the queue are not yet said."""
    statement = (
        select(Turn, Message, Conversation, User)
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
    current, said, conversation, asker = found
    earlier = await _earlier(session, current)
    return Talk(
        conversation=conversation,
        asker=asker,
        asker_role=await role_of(session, conversation.workspace_id, asker.id),
        turns=await _records(session, [*earlier, (current, said)]),
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


async def _earlier(session: AsyncSession, current: Turn) -> list[tuple[Turn, Message]]:
    segments = await paths.segments_of(session, current.conversation_id, current.branch_id)
    statement = (
        select(Turn, Message)
        .join(Message, Message.id == Turn.message_id)
        .where(Turn.conversation_id == current.conversation_id, Turn.state != TurnState.QUEUED, Turn.id != current.id)
        .where(paths.on_path(segments), await paths.in_thread(session, current.thread_id))
        .order_by(Turn.place.desc())
        .limit(WINDOW)
    )
    return list(reversed((await session.execute(statement)).all()))


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
