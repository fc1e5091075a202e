"""What a channel told us, as values of no channel in particular; `parse` of a channel makes them."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from core.text import SafeStr
from core.values import Value


class Sender(Value):
    """Whose account it was: the immutable id there counts, never `shown_as`, the name there now."""

    external_id: SafeStr = Field(min_length=1, max_length=255)
    shown_as: SafeStr = ""


class Told(Value):
    """What all of them have. `event_id` is the channel's own, the same when it tells it twice.

    `thread` is where an answer goes; `private` says that nobody but the sender reads there.
    """

    event_id: SafeStr = Field(min_length=1, max_length=200)
    sender: Sender
    thread: SafeStr = Field(min_length=1, max_length=255)
    private: bool = True


class TextSaid(Told):
    """Somebody wrote something. `edits`: it is the new wording of what was said before."""

    type: Literal["text"] = "text"
    text: SafeStr
    message_id: SafeStr | None = None
    edits: bool = False


class CommandGiven(Told):
    """Somebody gave a command: `name` without its mark, lower case, `rest` what followed (a start payload, say)."""

    type: Literal["command"] = "command"
    name: SafeStr
    rest: SafeStr = ""
    message_id: SafeStr | None = None


class ButtonPressed(Told):
    """Somebody pressed a button of ours: `data` is what it carries, `callback_id` what an answer names."""

    type: Literal["button"] = "button"
    data: SafeStr
    callback_id: SafeStr
    message_id: SafeStr | None = None


class Blocked(Told):
    """We cannot reach the sender any more."""

    type: Literal["blocked"] = "blocked"


class Unblocked(Told):
    """We can reach the sender again."""

    type: Literal["unblocked"] = "unblocked"


class NotUnderstood(Told):
    """Something that this channel does not read (a picture, a voice message): `what` names it for people."""

    type: Literal["not_understood"] = "not_understood"
    what: SafeStr


InboundEvent = Annotated[
    TextSaid | CommandGiven | ButtonPressed | Blocked | Unblocked | NotUnderstood, Field(discriminator="type")
]
INBOUND: TypeAdapter[InboundEvent] = TypeAdapter(InboundEvent)
