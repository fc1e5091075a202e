"""What comes in: a person's message with the turn that answers it, or a retry; each in one transaction."""

from datetime import timedelta

from sqlalchemy import select

from core.clock import now
from core.errors import Conflict, NotAllowed, NotFound
from core.events import ConversationUpdated, DurableEvent, MessageCreated, TurnQueued, TurnStarted
from core.ids import derived_id, new_id
from core.permissions import Door, Principal
from core.store import lease, messages, streams
from core.store.viewing import conversation_view, message_view, turn_view
from core.store.visibility import sees_conversation
from core.store.work import Work
from core.tables.people import Membership
from core.tables.talk import Conversation, Message, Participant
from core.tables.work import Turn
from core.values import TurnState

RELAY_GRACE = timedelta(seconds=2)


async def add_message(
    work: Work, who: Principal, door: Door, conversation_id: str, text: str, client_message_id: str
) -> tuple[Turn, bool]:
    """Write a message and its turn; one that was sent before gives the earlier turn, and True.

    Raises NotFound, NotAllowed, and Conflict when the client id was used for another text.
    """
    conversation = await _open_for(work, who, conversation_id)
    earlier = await messages.sent_before(work.session, who, conversation_id, client_message_id)
    if earlier is not None:
        _check_same(earlier, text)
        return await work.session.get_one(Turn, earlier.turn_id), True
    message = Message(
        id=new_id("msg"),
        conversation_id=conversation.id,
        workspace_id=conversation.workspace_id,
        turn_id=new_id("trn"),
        position=0,
        author_id=who.user_id,
        role="user",
        text=text,
        channel=door,
        client_message_id=client_message_id,
        created_at=now(),
    )
    turn = _turn(message.turn_id, conversation, who, door, message.id)
    titled = _give_title(conversation, text)
    await _enter(work, conversation, turn, message, titled=titled)
    if titled:
        await _tell_participants(work, conversation)
    return turn, False


async def add_retry(work: Work, who: Principal, door: Door, turn_id: str, client_message_id: str) -> tuple[Turn, bool]:
    """Begin a new turn for the message of an ended one; the same client id gives the same turn, and True."""
    found = await work.session.get(Turn, turn_id)
    message = "There is no such turn."
    if found is None:
        raise NotFound(message)
    try:
        conversation = await _open_for(work, who, found.conversation_id)
    except NotFound:
        raise NotFound(message) from None  # the very answer for a turn that is not there
    new_turn_id = derived_id("trn", turn_id, who.user_id, client_message_id)
    earlier = await work.session.get(Turn, new_turn_id)
    if earlier is not None:
        return earlier, True
    if not TurnState(found.state).is_terminal:
        detail = "The turn is still running: stop it first."
        raise Conflict(detail)
    turn = _turn(new_turn_id, conversation, who, door, found.message_id)
    turn.retry_of = found.id
    await _enter(work, conversation, turn, None, titled=False)
    return turn, False


async def _open_for(work: Work, who: Principal, conversation_id: str) -> Conversation:
    conversation = await lease.lock_conversation(work.session, conversation_id)
    visible = select(Conversation.id).where(Conversation.id == conversation_id, sees_conversation(who))
    if conversation.deleted_at or (await work.session.execute(visible)).first() is None:
        message = "There is no such conversation."
        raise NotFound(message)
    if not who.may_talk:
        message = "A viewer reads only."
        raise NotAllowed(message)
    return conversation


def _check_same(earlier: Message, text: str) -> None:
    if earlier.text != text:
        message = "This client_message_id was used for another text."
        raise Conflict(message)


def _turn(turn_id: str, conversation: Conversation, who: Principal, door: Door, message_id: str) -> Turn:
    return Turn(
        id=turn_id,
        conversation_id=conversation.id,
        workspace_id=conversation.workspace_id,
        user_id=who.user_id,
        message_id=message_id,
        state=TurnState.QUEUED,
        place=0,
        door=door,
        created_at=now(),
    )


def _give_title(conversation: Conversation, text: str) -> bool:
    if conversation.title:
        return False
    conversation.title = messages.title_from(text)
    return bool(conversation.title)


async def _enter(work: Work, conversation: Conversation, turn: Turn, message: Message | None, *, titled: bool) -> None:
    at = now()
    conversation.updated_at = conversation.last_activity_at = at
    events: list[DurableEvent] = []
    first = await streams.reserve(work, conversation.id, 1 + (message is not None) + titled)
    turn.place = first
    work.session.add(turn)
    if message is not None:
        message.position = first
        work.session.add(message)
        events.append(MessageCreated(message=message_view(message)))
    if titled:
        events.append(ConversationUpdated(conversation=conversation_view(conversation)))
    if conversation.active_turn_id is None:
        lease.take(conversation, turn)
        lease.ask_to_start(work, turn, delay=RELAY_GRACE)
        events.append(TurnStarted(turn=turn_view(turn)))
    else:
        events.append(TurnQueued(turn=turn_view(turn)))
    streams.put(work, conversation.id, first, *events)


async def _tell_participants(work: Work, conversation: Conversation) -> None:
    statement = (
        select(Membership.id)
        .join(Participant, Participant.user_id == Membership.user_id)
        .where(Participant.conversation_id == conversation.id, Membership.workspace_id == conversation.workspace_id)
        .order_by(Membership.id)
    )
    event = ConversationUpdated(conversation=conversation_view(conversation))
    for membership_id in (await work.session.execute(statement)).scalars():
        await streams.notify(work, membership_id, event)
