"""One function for each client event: it has a checked value, makes one call, returns what is acknowledged."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from pydantic import ValidationError

from api.gateway import commands
from api.gateway.clients import Client
from api.gateway.errors import UnknownEvent, problem, refusal
from api.gateway.feed import Since
from api.gateway.feeds import Feeds
from api.gateway.typists import Typists
from api.intake import Intake
from api.limits import Limits
from api.problems import in_words
from api.scopes import check_event
from core.errors import AssentError, Invalid, NotFound
from core.rooms import Rooms
from core.store import audience, partials, reads
from core.store.database import Database
from core.store.streams import Log
from core.store.submissions import Wishes
from core.store.work import change
from core.values import Value

_log = structlog.get_logger()
ValueT = TypeVar("ValueT", bound=Value)


@dataclass(frozen=True)
class Desk:
    """What the handlers work with."""

    database: Database
    intake: Intake
    limits: Limits
    feeds: Feeds
    typists: Typists
    rooms: Rooms


Data = Mapping[str, Any]


async def send_message(desk: Desk, client: Client, command: commands.SendMessage) -> Data:
    """Keep a message and begin its turn; whoever sent it types no more."""
    await desk.limits.check("message", client.principal.user_id)
    accepted = await desk.intake.submit_message(
        client.principal,
        client.door,
        command.conversation_id,
        command.text,
        command.client_message_id,
        Wishes.model_validate(command.model_dump(include=set(Wishes.model_fields))),
    )
    desk.typists.stop(client, command.conversation_id)
    return accepted.model_dump(mode="json")


async def edit_message(desk: Desk, client: Client, command: commands.EditMessage) -> Data:
    """Say a message otherwise; the answer says what stays done."""
    await desk.limits.check("message", client.principal.user_id)
    accepted = await desk.intake.edit_message(
        client.principal, client.door, command.message_id, command.text, command.client_message_id
    )
    return accepted.model_dump(mode="json")


async def regenerate_turn(desk: Desk, client: Client, command: commands.RegenerateTurn) -> Data:
    """Answer a message once more; the answer says what stays done."""
    await desk.limits.check("message", client.principal.user_id)
    wishes = Wishes(mode=command.mode, model=command.model)
    accepted = await desk.intake.regenerate_turn(
        client.principal, client.door, command.turn_id, command.client_message_id, wishes
    )
    return accepted.model_dump(mode="json")


async def stop_conversation(desk: Desk, client: Client, command: commands.StopConversation) -> Data:
    """Stop what is open in a conversation."""
    stopped = await desk.intake.stop_conversation(
        client.principal, command.conversation_id, queued=command.queued, waiting=command.waiting
    )
    return {"stopped": [turn.model_dump(mode="json") for turn in stopped]}


async def stop_turn(desk: Desk, client: Client, command: commands.StopTurn) -> Data:
    """Stop a turn."""
    turn = await desk.intake.stop_turn(client.principal, command.turn_id)
    return turn.model_dump(mode="json")


async def retry_turn(desk: Desk, client: Client, command: commands.RetryTurn) -> Data:
    """Answer a message again."""
    await desk.limits.check("message", client.principal.user_id)
    accepted = await desk.intake.retry_turn(client.principal, client.door, command.turn_id, command.client_message_id)
    return accepted.model_dump(mode="json")


async def submit_decision(desk: Desk, client: Client, command: commands.SubmitDecision) -> Data:
    """Pass a person's answer on."""
    await desk.limits.check("decision", client.principal.user_id)
    decided = await desk.intake.submit_decision(
        client.principal,
        client.door,
        command.approval_id,
        command.verdict,
        command.digest,
        command.decision_id,
        command.comment,
        command.arguments,
        command.remember,
    )
    return decided.model_dump(mode="json")


async def join_conversation(desk: Desk, client: Client, command: commands.JoinConversation) -> Data:
    """Listen, and show the text that a running turn has so far."""
    if (command.after_seq is None) is not (command.epoch is None):
        message = "`after_seq` and `epoch` belong together."
        raise Invalid(message)
    since = None
    if command.after_seq is not None and command.epoch is not None:
        since = Since(epoch=command.epoch, after_seq=command.after_seq)
    log = await desk.feeds.join(client, command.conversation_id, since)
    async with desk.database.reading() as session:
        partial = await partials.running(session, command.conversation_id)
    return log.model_dump() | {"partial": partial.model_dump(mode="json") if partial else None}


async def leave_conversation(desk: Desk, client: Client, command: commands.LeaveConversation) -> Data:
    """Stop listening; leaving what one does not hear is no error."""
    if command.conversation_id != client.principal.membership_id:
        desk.feeds.leave(client, command.conversation_id)
    return {}


async def resume_conversation(desk: Desk, client: Client, command: commands.ResumeConversation) -> Data:
    """Replay what was missed, then listen."""
    return await _resume(desk, client, command.conversation_id, command)


async def resume_inbox(desk: Desk, client: Client, command: commands.ResumeInbox) -> Data:
    """Replay what was missed of the inbox."""
    return await _resume(desk, client, client.principal.membership_id, command)


async def _resume(
    desk: Desk, client: Client, stream_id: str, command: commands.ResumeConversation | commands.ResumeInbox
) -> Data:
    since = Since(epoch=command.epoch, after_seq=command.after_seq)
    log: Log = await desk.feeds.join(client, stream_id, since)
    return log.model_dump()


async def type_(desk: Desk, client: Client, command: commands.Type) -> Data:
    """Show the others that somebody types."""
    if not command.conversation_id.startswith("cnv_"):
        message = "There is no such conversation."
        raise NotFound(message)
    async with desk.database.reading() as session:
        await audience.stream_for(session, client.principal, command.conversation_id)
    if command.typing:
        desk.typists.start(client, command.conversation_id)
    else:
        desk.typists.stop(client, command.conversation_id)
    return {}


async def read_up_to(desk: Desk, client: Client, command: commands.Read) -> Data:
    """Note how far somebody has read, and show the others."""
    async with change(desk.database, desk.rooms) as work:
        found = await reads.read(work, client.principal, command.conversation_id, command.position)
    return found.model_dump(mode="json")


async def change_workspace_mode(desk: Desk, client: Client, command: commands.ChangeWorkspaceMode) -> Data:
    """Run the workspace in another mode."""
    shown = await desk.intake.change_mode(client.principal, command.mode)
    return shown.model_dump(mode="json")


Handler = Callable[[Desk, Client, Any], Awaitable[Data]]
HANDLERS: Mapping[str, tuple[type[Value], Handler]] = {
    "message.send": (commands.SendMessage, send_message),
    "message.edit": (commands.EditMessage, edit_message),
    "turn.stop": (commands.StopTurn, stop_turn),
    "turn.regenerate": (commands.RegenerateTurn, regenerate_turn),
    "conversation.stop": (commands.StopConversation, stop_conversation),
    "turn.retry": (commands.RetryTurn, retry_turn),
    "decision.submit": (commands.SubmitDecision, submit_decision),
    "conversation.join": (commands.JoinConversation, join_conversation),
    "conversation.leave": (commands.LeaveConversation, leave_conversation),
    "conversation.resume": (commands.ResumeConversation, resume_conversation),
    "inbox.resume": (commands.ResumeInbox, resume_inbox),
    "typing": (commands.Type, type_),
    "read": (commands.Read, read_up_to),
    "workspace.mode": (commands.ChangeWorkspaceMode, change_workspace_mode),
}


async def answer(desk: Desk, client: Client, name: str, arguments: list[Any]) -> dict[str, Any]:
    """Carry an event out, and write its acknowledgement; never raises."""
    try:
        model, handler = _find(name)
        check_event(client.principal, name)
        return {"ok": True, "data": await handler(desk, client, read(model, arguments))}
    except AssentError as error:
        return refusal(error)
    except Exception:  # noqa: BLE001  # the client gets an answer whatever is wrong with us
        _log.exception("a socket event failed", event_name=name[:64])
        return {"ok": False, "error": problem(AssentError("Something went wrong here; it was logged."))}


def _find(name: str) -> tuple[type[Value], Handler]:
    if name not in HANDLERS:
        message = f"Nobody listens to this event. Known are: {', '.join(sorted(HANDLERS))}."
        raise UnknownEvent(message)
    return HANDLERS[name]


def read(model: type[ValueT], arguments: list[Any]) -> ValueT:
    """Read an event's one argument; raises Invalid, naming the fields, not what was in them."""
    if len(arguments) != 1 or not isinstance(arguments[0], dict):
        message = "Exactly one JSON object is expected."
        raise Invalid(message)
    try:
        return model.model_validate(arguments[0])
    except ValidationError as error:
        fields = [
            {"field": ".".join(str(part)[:64] for part in one["loc"]), "problem": one["msg"][:200]}
            for one in error.errors(include_input=False, include_url=False, include_context=False)[:10]
        ]
        raise Invalid(_why(fields), fields=fields) from None


def _why(fields: list[dict[str, str]]) -> str:
    """Say what is wrong: the only thing in full, several by their names."""
    if len(fields) == 1:
        return in_words(fields[0]["field"], fields[0]["problem"])
    names = ", ".join(dict.fromkeys(one["field"] for one in fields))
    return f"These fields are not right: {names}."
