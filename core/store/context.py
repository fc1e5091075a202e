"""What a model call needs to know: the talk so far, turn by turn, as rows."""

from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.store import messages
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
    current = await session.get(Turn, turn_id, populate_existing=True)
    if current is None:
        message = "There is no such turn."
        raise NotFound(message)
    conversation = await session.get_one(Conversation, current.conversation_id, populate_existing=True)
    rows = await _turns(session, current)
    return Talk(
        conversation=conversation,
        asker=await session.get_one(User, current.user_id),
        asker_role=await role_of(session, conversation.workspace_id, current.user_id),
        turns=await _records(session, rows),
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


async def _turns(session: AsyncSession, current: Turn) -> list[Turn]:
    statement = (
        select(Turn)
        .where(Turn.conversation_id == current.conversation_id, Turn.state != TurnState.QUEUED, Turn.id != current.id)
        .order_by(Turn.place.desc())
        .limit(WINDOW)
    )
    earlier = list((await session.execute(statement)).scalars())
    return [*reversed(earlier), current]


async def _records(session: AsyncSession, turns: list[Turn]) -> list[TurnRecord]:
    ids = [turn.id for turn in turns]
    wanted = {turn.message_id for turn in turns} | {messages.reply_id(one) for one in ids}
    said = {row.id: row for row in (await session.execute(select(Message).where(Message.id.in_(wanted)))).scalars()}
    records = {turn.id: TurnRecord(turn, said[turn.message_id], kept=_kept(turn, said)) for turn in turns}
    rounds = select(Round).where(Round.turn_id.in_(ids)).order_by(Round.number)
    for row in (await session.execute(rounds)).scalars():
        records[row.turn_id].rounds.append(row)
    calls = select(ToolCall).where(ToolCall.turn_id.in_(ids)).order_by(ToolCall.round, ToolCall.place)
    for call in (await session.execute(calls)).scalars():
        records[call.turn_id].calls.append(call)
    return list(records.values())


def _kept(turn: Turn, said: dict[str, Message]) -> Message | None:
    return None if turn.state == TurnState.FINISHED else said.get(messages.reply_id(turn.id))
