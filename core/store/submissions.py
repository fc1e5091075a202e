"""What comes in: a person's message with the turn that answers it, or a retry; each in one transaction."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import select

from core.clock import now
from core.digest import canonical
from core.errors import Busy, Conflict, NotAllowed, NotFound
from core.events import ConversationUpdated, DurableEvent, MessageCreated, TurnQueued, TurnStarted
from core.ids import Id, derived_id, new_id
from core.permissions import Principal
from core.store import lease, messages, modes, outbox, paths, stops, streams, threads
from core.store.viewing import conversation_view, message_view, turn_view
from core.store.visibility import sees_conversation
from core.store.work import Work
from core.tables.people import Membership
from core.tables.talk import Conversation, Message, Participant
from core.tables.work import Turn
from core.text import SafeStr
from core.values import TurnState, Value, WhenBusy

MessageType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
ModelName = Annotated[SafeStr, StringConstraints(min_length=1, max_length=200)]
ModeName = Annotated[SafeStr, StringConstraints(min_length=1, max_length=64)]


class DirectCall(Value):
    """One call that a program asks for by itself: no model is asked, and policy and people are asked as ever."""

    action: Annotated[SafeStr, StringConstraints(max_length=200)]
    arguments: dict[str, Any]


class Wishes(Value):
    """How somebody wants a message answered. `mode` None: as the conversation has it; `model` None: the router's.

    `message_type` is a hint of what the message is about, for the model; `reply_to_id` puts it into a thread.
    """

    mode: ModeName | None = None
    model: ModelName | None = None
    message_type: MessageType = Field("text")
    reply_to_id: Id | None = None
    direct: DirectCall | None = None


NOTHING_SPECIAL = Wishes()


async def add_message(
    work: Work,
    who: Principal,
    door: str,
    conversation_id: str,
    text: str,
    client_message_id: str,
    wishes: Wishes = NOTHING_SPECIAL,
) -> tuple[Turn, bool]:
    """Write a message and its turn; one that was sent before gives the earlier turn, and True.

    Raises NotFound, NotAllowed, UnknownMode, Busy, and Conflict when the client id was used for another text.
    """
    conversation = await open_for(work, who, conversation_id)
    earlier = await messages.sent_before(work.session, who, conversation_id, client_message_id)
    if earlier is not None:
        check_same(earlier, text)
        turn = await work.session.get_one(Turn, earlier.turn_id)
        _check_same_call(turn, wishes.direct)
        return turn, True
    message = _new_message(conversation, who, door, text, client_message_id, wishes)
    message.thread_id = await threads.root_of(work.session, conversation, wishes.reply_to_id)
    turn = await new_turn(work, conversation, who, door, message.id, wishes, turn_id=message.turn_id)
    turn.thread_id = message.thread_id
    await make_room(work, who, conversation)
    titled = _give_title(conversation, text)
    await enter(work, conversation, turn, message, updated=titled)
    return turn, False


def _new_message(
    conversation: Conversation, who: Principal, door: str, text: str, client_message_id: str, wishes: Wishes
) -> Message:
    return Message(
        id=new_id("msg"),
        conversation_id=conversation.id,
        workspace_id=conversation.workspace_id,
        turn_id=new_id("trn"),
        branch_id=conversation.active_branch_id,
        position=0,
        author_id=who.user_id,
        role="user",
        text=text,
        message_type=wishes.message_type,
        channel=door,
        client_message_id=client_message_id,
        reply_to_id=wishes.reply_to_id,
        created_at=now(),
    )


async def add_retry(work: Work, who: Principal, door: str, turn_id: str, client_message_id: str) -> tuple[Turn, bool]:
    """Begin a new turn for the message of an ended one; the same client id gives the same turn, and True."""
    found = await work.session.get(Turn, turn_id)
    message = "There is no such turn."
    if found is None:
        raise NotFound(message)
    try:
        conversation = await open_for(work, who, found.conversation_id)
    except NotFound:
        raise NotFound(message) from None  # the very answer for a turn that is not there
    new_turn_id = derived_id("trn", turn_id, who.user_id, client_message_id)
    earlier = await work.session.get(Turn, new_turn_id)
    if earlier is not None:
        return earlier, True
    if not TurnState(found.state).is_terminal:
        detail = "The turn is still running: stop it first."
        raise Conflict(detail)
    await _check_shown(work, conversation, found)
    wishes = await _as_before(work, found)
    turn = await new_turn(work, conversation, who, door, found.message_id, wishes, turn_id=new_turn_id)
    turn.retry_of, turn.thread_id = found.id, found.thread_id
    await make_room(work, who, conversation)
    await enter(work, conversation, turn, None)
    return turn, False


async def _as_before(work: Work, turn: Turn) -> Wishes:
    """Ask as for this turn; when its mode was removed, as the conversation has it now."""
    mode = await modes.perhaps(work.session, turn.workspace_id, turn.mode)
    direct = DirectCall.model_validate(turn.direct) if turn.direct else None
    return Wishes(mode=mode.name if mode else None, model=turn.asked_model, direct=direct)


async def _check_shown(work: Work, conversation: Conversation, turn: Turn) -> None:
    """Raise Conflict for a turn of another version: its retry would not stand where its message does."""
    segments = await paths.segments_of(work.session, conversation.id, conversation.active_branch_id)
    shown = select(Turn.id).where(Turn.id == turn.id, paths.on_path(segments))
    if (await work.session.execute(shown)).first() is None:
        message = "This belongs to another version of the conversation: show that version first, or regenerate it."
        raise Conflict(message)


async def open_for(work: Work, who: Principal, conversation_id: str) -> Conversation:
    """Lock a conversation that this person may talk in. Raises NotFound, NotAllowed."""
    conversation = await lease.lock_conversation(work.session, conversation_id)
    visible = select(Conversation.id).where(Conversation.id == conversation_id, sees_conversation(who))
    if conversation.deleted_at or (await work.session.execute(visible)).first() is None:
        message = "There is no such conversation."
        raise NotFound(message)
    if not who.may_talk:
        message = "A viewer reads only."
        raise NotAllowed(message)
    return conversation


def check_same(earlier: Message, text: str) -> None:
    """Raise Conflict when the client id was used for another text."""
    if earlier.text != text:
        message = "This client_message_id was used for another text."
        raise Conflict(message)


def _check_same_call(earlier: Turn, direct: DirectCall | None) -> None:
    """Raise Conflict when the client id was used for another call: a text shows only the beginning, without secrets."""
    if canonical(earlier.direct) != canonical(direct and direct.model_dump()):
        message = "This client_message_id was used for another call."
        raise Conflict(message)


async def new_turn(
    work: Work,
    conversation: Conversation,
    who: Principal,
    door: str,
    message_id: str,
    wishes: Wishes,
    *,
    turn_id: str,
) -> Turn:
    """Make a turn in the version that is shown, in the mode that was asked for. Raises UnknownMode.

    The conversation's own mode may have been removed: the message is kept, and its turn will fail and say so.
    """
    turn = Turn(
        id=turn_id,
        conversation_id=conversation.id,
        workspace_id=conversation.workspace_id,
        user_id=who.user_id,
        message_id=message_id,
        branch_id=conversation.active_branch_id,
        mode=wishes.mode or conversation.mode,
        asked_model=wishes.model,
        direct=wishes.direct.model_dump() if wishes.direct else None,
        state=TurnState.QUEUED,
        place=0,
        door=door,
        created_at=now(),
    )
    look_up = modes.perhaps if wishes.mode is None else modes.find
    mode = await look_up(work.session, conversation.workspace_id, turn.mode)
    turn.max_rounds = mode.rounds if mode is not None else None
    return turn


async def make_room(work: Work, who: Principal, conversation: Conversation) -> None:
    """Do to a running turn what the conversation wants; parked turns do not count. Raises Busy."""
    running = conversation.active_turn_id
    if running is None or conversation.when_busy == WhenBusy.QUEUE:
        return
    if conversation.when_busy == WhenBusy.REJECT:
        message = "The assistant is still answering, and this conversation takes nothing meanwhile: wait, or stop it."
        raise Busy(message, turn_id=running)
    await stops.stop(work, who, running, hand_on=False)


def _give_title(conversation: Conversation, text: str) -> bool:
    if conversation.title:
        return False
    conversation.title = messages.title_from(text)
    return bool(conversation.title)


async def enter(
    work: Work, conversation: Conversation, turn: Turn, message: Message | None, *, updated: bool = False
) -> None:
    """Write a turn, its message when it is new, and their events: it runs at once when the conversation is free.

    `updated`: the conversation itself was changed too.
    """
    at = now()
    conversation.updated_at = conversation.last_activity_at = at
    events: list[DurableEvent] = []
    first = await streams.reserve(work, conversation.id, 1 + (message is not None) + updated)
    turn.place = first
    work.session.add(turn)
    if message is not None:
        message.position = first
        work.session.add(message)
        events.append(MessageCreated(message=message_view(message)))
    if updated:
        events.append(ConversationUpdated(conversation=conversation_view(conversation)))
    if conversation.active_turn_id is None:
        lease.take(conversation, turn)
        lease.ask_to_start(work, turn, delay=outbox.RELAY_GRACE)
        events.append(TurnStarted(turn=turn_view(turn)))
    else:
        events.append(TurnQueued(turn=turn_view(turn)))
    streams.put(work, conversation.id, first, *events)
    if updated:
        await _tell_participants(work, conversation)


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
