"""Talk that a client brings along into a new conversation: kept as messages and turns that have ended."""

from collections.abc import Sequence

from core.clock import now
from core.events import MessageCreated, TurnFinished, TurnStopped
from core.ids import new_id
from core.permissions import Principal
from core.store import changes, messages, streams
from core.store.prompts import Line
from core.store.viewing import message_view, turn_view
from core.store.work import Work
from core.tables.talk import Message
from core.tables.work import Round, Turn
from core.values import TurnState
from core.views import ConversationView

MOST_TURNS = 40
MOST_BYTES = 131_072
MODEL = "client"
"""What stands for the model of an answer that a client brought: who gave it is not known here."""


def exchanges(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """Pair what was said with what was answered: the newest, within MOST_TURNS and MOST_BYTES."""
    pairs: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.role == "user":
            pairs.append((line.text, []))
        elif pairs:
            pairs[-1][1].append(line.text)
    kept: list[tuple[str, str]] = []
    size = 0
    for said, answers in reversed(pairs[-MOST_TURNS:]):
        answer = "\n\n".join(one for one in answers if one.strip())
        size += len(said.encode()) + len(answer.encode())
        if size > MOST_BYTES:
            break
        kept.append((said, answer))
    return kept[::-1]


async def keep(
    work: Work, who: Principal, door: str, conversation: ConversationView, pairs: Sequence[tuple[str, str]]
) -> None:
    """Write the exchanges into a conversation that this transaction made."""
    for said, answer in pairs:
        await _keep(work, who, door, conversation, said, answer)


async def _keep(work: Work, who: Principal, door: str, conversation: ConversationView, said: str, answer: str) -> None:
    first = await streams.reserve(work, conversation.id, 3 if answer else 2)
    turn = _turn(who, door, conversation, first, answered=bool(answer))
    message = _message(who, door, turn, said, first)
    work.session.add(turn)
    await work.session.flush()
    work.session.add(message)
    streams.put(work, conversation.id, first, MessageCreated(message=message_view(message)))
    if not answer:
        streams.put(work, conversation.id, first + 1, TurnStopped(turn=turn_view(turn)))
        return
    work.session.add(
        Round(turn_id=turn.id, number=0, attempt=1, text=answer, model=MODEL, started_at=now(), ended_at=now())
    )
    reply = await messages.add_reply(work, turn, first + 1, answer, model=None, usage=None)
    streams.put(work, conversation.id, first + 2, TurnFinished(turn=turn_view(turn), message=reply))
    changes.note(work, "turn", turn.id)


def _turn(who: Principal, door: str, conversation: ConversationView, place: int, *, answered: bool) -> Turn:
    at = now()
    return Turn(
        id=new_id("trn"),
        conversation_id=conversation.id,
        workspace_id=who.workspace_id,
        user_id=who.user_id,
        message_id=new_id("msg"),
        mode=conversation.mode,
        state=TurnState.FINISHED if answered else TurnState.STOPPED,
        place=place,
        door=door,
        created_at=at,
        started_at=at,
        ended_at=at,
    )


def _message(who: Principal, door: str, turn: Turn, text: str, position: int) -> Message:
    return Message(
        id=turn.message_id,
        conversation_id=turn.conversation_id,
        workspace_id=who.workspace_id,
        turn_id=turn.id,
        position=position,
        author_id=who.user_id,
        role="user",
        text=text,
        channel=door,
        created_at=now(),
    )
