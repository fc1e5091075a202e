"""The closed union of what is pushed to a conversation's room or to a person's inbox.

Durable events have a `seq` in their stream (a conversation, or a person's inbox in a workspace), given in the
transaction that changes the state. Volatile ones have none and may be lost. Each carries the whole new state of its
noun, so that state plus events equals a fresh fetch.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from core.values import Value
from core.views import (
    ApprovalView,
    ConversationView,
    DelegationView,
    DeliveryView,
    DocumentView,
    GrantView,
    IdentityView,
    MessageView,
    ReadView,
    RecallView,
    ServiceView,
    ToolCallView,
    TurnView,
    WorkspaceView,
)

MAX_EVENT_BYTES = 65_536


class ConversationCreated(Value):
    """A conversation began."""

    type: Literal["conversation.created"] = "conversation.created"
    conversation: ConversationView


class ConversationUpdated(Value):
    """It was renamed, restored, or changed otherwise."""

    type: Literal["conversation.updated"] = "conversation.updated"
    conversation: ConversationView


class ConversationDeleted(Value):
    """It is hidden now; it can be restored."""

    type: Literal["conversation.deleted"] = "conversation.deleted"
    conversation: ConversationView


class MessageCreated(Value):
    """Somebody, or the assistant, said something."""

    type: Literal["message.created"] = "message.created"
    message: MessageView


class MessageUpdated(Value):
    """A message changed after it was said: it got suggestions, or was forgotten."""

    type: Literal["message.updated"] = "message.updated"
    message: MessageView


class MemberRead(Value):
    """Somebody has read up to a message."""

    type: Literal["member.read"] = "member.read"
    read: ReadView


class RecallDone(Value):
    """What memory gave to a turn, as citations."""

    type: Literal["recall.done"] = "recall.done"
    recall: RecallView


class RecallSkipped(Value):
    """A turn goes on without memory; the reason says why."""

    type: Literal["recall.skipped"] = "recall.skipped"
    recall: RecallView


class DocumentUpdated(Value):
    """A document was uploaded, is read, is ready, failed, or was deleted. A workspace's: in the inboxes."""

    type: Literal["document.updated"] = "document.updated"
    document: DocumentView


class FactsChanged(Value):
    """In a person's inbox: facts were added, edited or forgotten; fetch them: a text here would outlive forgetting."""

    type: Literal["facts.changed"] = "facts.changed"
    fact_ids: tuple[str, ...]


class TurnQueued(Value):
    """A turn waits for those before it."""

    type: Literal["turn.queued"] = "turn.queued"
    turn: TurnView


class TurnStarted(Value):
    """A turn has the conversation now: for the first time, or again after it waited."""

    type: Literal["turn.started"] = "turn.started"
    turn: TurnView


class TurnRestarted(Value):
    """A model call was lost or failed and is made again: forget its text from `offset` on."""

    type: Literal["turn.restarted"] = "turn.restarted"
    turn: TurnView
    offset: int


class TurnWaiting(Value):
    """A turn waits for people's decisions and left the conversation to others meanwhile."""

    type: Literal["turn.waiting"] = "turn.waiting"
    turn: TurnView


class TurnFinished(Value):
    """Terminal: the turn was answered by this message."""

    type: Literal["turn.finished"] = "turn.finished"
    turn: TurnView
    message: MessageView


class TurnFailed(Value):
    """Terminal: the turn was not answered; the message is kept and can be retried."""

    type: Literal["turn.failed"] = "turn.failed"
    turn: TurnView
    message: MessageView | None = None


class TurnStopped(Value):
    """Terminal: somebody stopped it; `message` holds the text it had so far, if any."""

    type: Literal["turn.stopped"] = "turn.stopped"
    turn: TurnView
    message: MessageView | None = None


class ToolProposed(Value):
    """The model asked for a call, and policy gave its verdict."""

    type: Literal["tool.proposed"] = "tool.proposed"
    call: ToolCallView


class ToolStarted(Value):
    """The call is being made."""

    type: Literal["tool.started"] = "tool.started"
    call: ToolCallView


class ToolFinished(Value):
    """The call was made."""

    type: Literal["tool.finished"] = "tool.finished"
    call: ToolCallView


class ToolFailed(Value):
    """The call did not happen or did not work; its state says which."""

    type: Literal["tool.failed"] = "tool.failed"
    call: ToolCallView


class ToolUnknown(Value):
    """Nobody knows whether the call took effect: a person has to look."""

    type: Literal["tool.unknown"] = "tool.unknown"
    call: ToolCallView


class ApprovalRequested(Value):
    """People are asked for consent."""

    type: Literal["approval.requested"] = "approval.requested"
    approval: ApprovalView


class ApprovalClosed(Value):
    """Approved, rejected, expired or withdrawn; by whom."""

    type: Literal["approval.closed"] = "approval.closed"
    approval: ApprovalView


class ApprovalUpdated(Value):
    """An open approval got a vote, was edited, escalated, or is reminded of."""

    type: Literal["approval.updated"] = "approval.updated"
    approval: ApprovalView


class DeliveryUpdated(Value):
    """An outbound message was sent, or was given up; in the conversation, or in the inbox of whom it was for."""

    type: Literal["delivery.updated"] = "delivery.updated"
    delivery: DeliveryView


class WorkspaceUpdated(Value):
    """In every inbox: the workspace is run in another mode."""

    type: Literal["workspace.updated"] = "workspace.updated"
    workspace: WorkspaceView


class ServiceUpdated(Value):
    """In the inboxes of owners and admins: calls to a service rest, are tried again, or work again."""

    type: Literal["service.updated"] = "service.updated"
    service: ServiceView


class GrantChanged(Value):
    """In the inboxes of whose calls it allows and of who gave it: given, used up or revoked."""

    type: Literal["grant.changed"] = "grant.changed"
    grant: GrantView


class IdentityChanged(Value):
    """In a person's inbox: an account on a channel is theirs now, is reached no more or again, or is theirs no more."""

    type: Literal["identity.changed"] = "identity.changed"
    identity: IdentityView


class DelegationChanged(Value):
    """In the inboxes of both: somebody decides in another's place for a time, or does so no more."""

    type: Literal["delegation.changed"] = "delegation.changed"
    delegation: DelegationView


class TurnDelta(Value):
    """Volatile: text of the running answer. Cut what you have to `offset` Unicode code points, then append."""

    type: Literal["turn.delta"] = "turn.delta"
    conversation_id: str
    turn_id: str
    attempt: int
    offset: int
    text: str


class Typing(Value):
    """Volatile: a person began or ceased to type."""

    type: Literal["typing"] = "typing"
    conversation_id: str
    user_id: str
    name: str
    typing: bool


DurableEvent = Annotated[
    ConversationCreated
    | ConversationUpdated
    | ConversationDeleted
    | MessageCreated
    | MessageUpdated
    | MemberRead
    | RecallDone
    | RecallSkipped
    | DocumentUpdated
    | FactsChanged
    | TurnQueued
    | TurnStarted
    | TurnRestarted
    | TurnWaiting
    | TurnFinished
    | TurnFailed
    | TurnStopped
    | ToolProposed
    | ToolStarted
    | ToolFinished
    | ToolFailed
    | ToolUnknown
    | ApprovalRequested
    | ApprovalUpdated
    | ApprovalClosed
    | DeliveryUpdated
    | WorkspaceUpdated
    | ServiceUpdated
    | GrantChanged
    | DelegationChanged
    | IdentityChanged,
    Field(discriminator="type"),
]
VolatileEvent = Annotated[TurnDelta | Typing, Field(discriminator="type")]

DURABLE: TypeAdapter[DurableEvent] = TypeAdapter(DurableEvent)
VOLATILE: TypeAdapter[VolatileEvent] = TypeAdapter(VolatileEvent)


class Envelope(Value):
    """An event on its way to a client: `seq` and `epoch` place a durable one in its stream."""

    stream: str
    epoch: str
    seq: int
    at: datetime
    event: dict[str, Any]
