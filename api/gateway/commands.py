"""What a client may send: one frozen value for each event, nothing else in it."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from core.ids import ClientId, Id
from core.store.decisions import GrantWish
from core.store.submissions import MessageType, ModelName, ModeName
from core.text import SafeStr
from core.values import DecisionVerdict, OperationMode, Value

Epoch = Annotated[SafeStr, StringConstraints(min_length=1, max_length=64)]
Seq = Annotated[int, Field(ge=0, lt=2**53, strict=True)]


class Handshake(Value):
    """The `auth` payload of a connection. `door` is a label for the audit, no authority."""

    token: Annotated[SafeStr, StringConstraints(min_length=1, max_length=4096)]
    door: Literal["cli", "web"] | None = None


class SendMessage(Value):
    """`message.send`: say something. The same `client_message_id` again is the same message, and no other."""

    conversation_id: Id
    text: SafeStr
    client_message_id: ClientId
    reply_to_id: Id | None = None
    mode: ModeName | None = None
    model: ModelName | None = None
    message_type: MessageType = Field("text")


class EditMessage(Value):
    """`message.edit`: say one's own message otherwise, in a new version of the conversation; the earlier is kept."""

    message_id: Id
    text: SafeStr
    client_message_id: ClientId


class StopTurn(Value):
    """`turn.stop`: stop a turn; stopping twice is stopping once."""

    turn_id: Id


class RetryTurn(Value):
    """`turn.retry`: answer the message of an ended turn again, as a new turn."""

    turn_id: Id
    client_message_id: ClientId


class RegenerateTurn(Value):
    """`turn.regenerate`: answer a turn's message once more, in a new version of the conversation."""

    turn_id: Id
    client_message_id: ClientId
    mode: ModeName | None = None
    model: ModelName | None = None


class StopConversation(Value):
    """`conversation.stop`: stop what runs in it, and what is `queued` or `waiting` for consent there too."""

    conversation_id: Id
    queued: Annotated[bool, Field(strict=True)] = False
    waiting: Annotated[bool, Field(strict=True)] = False


class SubmitDecision(Value):
    """`decision.submit`: answer an approval, quoting the digest of what was shown."""

    approval_id: Id
    verdict: DecisionVerdict
    digest: Annotated[SafeStr, StringConstraints(min_length=1, max_length=128)]
    decision_id: ClientId
    comment: Annotated[SafeStr, StringConstraints(max_length=2000)] | None = None
    arguments: dict[str, Any] | None = None
    remember: GrantWish | None = None


class JoinConversation(Value):
    """`conversation.join`: listen from now on, or from `after_seq` of `epoch` on."""

    conversation_id: Id
    after_seq: Seq | None = None
    epoch: Epoch | None = None


class LeaveConversation(Value):
    """`conversation.leave`: stop listening."""

    conversation_id: Id


class ResumeConversation(Value):
    """`conversation.resume`: get exactly what was missed, then listen."""

    conversation_id: Id
    epoch: Epoch
    after_seq: Seq


class ResumeInbox(Value):
    """`inbox.resume`: get exactly what was missed of the own inbox."""

    epoch: Epoch
    after_seq: Seq


class Type(Value):
    """`typing`: the others of a conversation see that this person types, or ceased to."""

    conversation_id: Id
    typing: Annotated[bool, Field(strict=True)] = True


class Read(Value):
    """`read`: this person has read up to the message at `position`; it only goes forward."""

    conversation_id: Id
    position: Annotated[int, Field(ge=0, lt=2**31, strict=True)]


class ChangeWorkspaceMode(Value):
    """`workspace.mode`: run the workspace in another mode; owners and admins may, approvers may stop everything."""

    mode: OperationMode
