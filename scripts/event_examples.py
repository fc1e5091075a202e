"""One example of each event that the server sends; documentation shows them, tests send them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from core import events
from core.consent import Party, asks
from core.events import DurableEvent, VolatileEvent
from core.ids import derived_id
from core.views import (
    ApprovalView,
    ChangeView,
    CitationView,
    ConversationView,
    DeciderView,
    DelegationView,
    DeliveryView,
    DocumentView,
    GrantView,
    IdentityView,
    MessageView,
    PreviewView,
    ProblemView,
    ReadView,
    RecallView,
    ServiceView,
    ToolCallView,
    TurnView,
    VoteView,
    WorkspaceView,
)

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
CONVERSATION = derived_id("cnv", "example")
TURN = derived_id("trn", "example")
ANA = derived_id("usr", "ana")

_conversation = ConversationView(
    id=CONVERSATION,
    title="The groceries",
    mode="full",
    origin_channel="web",
    owner_id=ANA,
    created_at=AT,
    updated_at=AT,
)
_message = MessageView(
    id=derived_id("msg", "example"),
    conversation_id=CONVERSATION,
    turn_id=TURN,
    position=1,
    role="user",
    author_id=ANA,
    text="Delete the old list, please.",
    message_type="text",
    channel="web",
    client_message_id="web-1",
    model=None,
    usage=None,
    response_time_ms=None,
    created_at=AT,
)
_reply = _message.model_copy(
    update={
        "id": derived_id("msg", "reply"),
        "position": 4,
        "role": "assistant",
        "author_id": None,
        "text": "Done.",
        "client_message_id": None,
        "model": "a-model",
        "usage": {"input_tokens": 120, "output_tokens": 3},
        "response_time_ms": 840,
    }
)
_turn = TurnView(
    id=TURN,
    conversation_id=CONVERSATION,
    message_id=_message.id,
    user_id=ANA,
    state="running",
    attempt=1,
    retry_of=None,
    error=None,
    created_at=AT,
    started_at=AT,
    ended_at=None,
)
_call = ToolCallView(
    id=derived_id("cal", "example"),
    turn_id=TURN,
    round=1,
    place=0,
    action="files.delete",
    arguments={"path": "old-list.txt"},
    risk="destructive",
    effect="idempotent",
    verdict="ask",
    rule="built-in",
    state="awaiting approval",
    result=None,
    detail=None,
    approval_id=derived_id("apr", "example"),
    created_at=AT,
    started_at=None,
    ended_at=None,
)
_approval = ApprovalView(
    id=derived_id("apr", "example"),
    tool_call_id=_call.id,
    turn_id=TURN,
    conversation_id=CONVERSATION,
    requester_id=ANA,
    action="files.delete",
    risk="destructive",
    title="Delete old-list.txt",
    arguments={"path": "old-list.txt"},
    preview=PreviewView(summary="Deletes 1 file", changes=(ChangeView(label="old-list.txt", before="14 lines"),)),
    reason="You asked me to delete the old list.",
    plan=asks(Party(requester=True)),
    deciders=(DeciderView(user_id=ANA, name="Ana"),),
    digest="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    state="pending",
    expires_at=AT + timedelta(hours=24),
    created_at=AT,
    decided_by=None,
    decided_by_name=None,
    decided_at=None,
    comment=None,
)

_vote = VoteView(
    decision_id=derived_id("dec", "example"),
    user_id=ANA,
    name="Ana",
    verdict="approve",
    door="telegram",
    at=AT,
)
_delivery = DeliveryView(
    id=derived_id("dlv", "example"),
    kind="prompt",
    user_id=ANA,
    conversation_id=CONVERSATION,
    approval_id=_approval.id,
    message_id=None,
    channel="telegram",
    account="assent_bot",
    state="sent",
    attempts=1,
    detail=None,
    created_at=AT,
    updated_at=AT,
)
_identity = IdentityView(
    id=derived_id("idn", "example"),
    user_id=ANA,
    channel="telegram",
    account="household_bot",
    external_id="7250001",
    shown_as="Ana",
    linked_at=AT,
)
_grant = GrantView(
    id=derived_id("grt", "example"),
    user_id=ANA,
    user_name="Ana",
    action="email.send",
    patterns={"to": {"domain": "example.com"}},
    granted_by=ANA,
    granted_by_name="Ana",
    uses=0,
    uses_left=20,
    created_at=AT,
    expires_at=AT + timedelta(days=7),
)
_delegation = DelegationView(
    id=derived_id("dlg", "example"),
    from_user_id=ANA,
    from_name="Ana",
    to_user_id=derived_id("usr", "ben"),
    to_name="Ben",
    risks=("write", "external_comms"),
    note="On holiday.",
    starts_at=AT,
    ends_at=AT + timedelta(days=5),
    created_by=ANA,
    created_at=AT,
)
_workspace = WorkspaceView(id=derived_id("wks", "example"), name="Home", operation_mode="manual", mode_changed_at=AT)
_service = ServiceView(connector="web", host="example.com", breaker="open", failures=5, last_failure_at=AT)
_citation = CitationView(
    kind="document",
    id=derived_id("chk", "example"),
    score=0.031,
    reason="alike in meaning and in words",
    conversation_id=CONVERSATION,
    page=3,
    name="lists.pdf",
)
_document = DocumentView(
    id=derived_id("doc", "example"),
    conversation_id=CONVERSATION,
    owner_id=ANA,
    name="lists.pdf",
    media_type="application/pdf",
    size=48_211,
    state="reading",
    detail=None,
    pages=12,
    chunks_total=31,
    chunks_done=8,
    created_at=AT,
    updated_at=AT,
)


def _turn_as(state: str, **more: Any) -> TurnView:
    return _turn.model_copy(update={"state": state} | more)


def _call_as(state: str, **more: Any) -> ToolCallView:
    return _call.model_copy(update={"state": state} | more)


DURABLE_EXAMPLES: tuple[DurableEvent, ...] = (
    events.ConversationCreated(conversation=_conversation),
    events.ConversationUpdated(conversation=_conversation.model_copy(update={"title": "The old list"})),
    events.ConversationDeleted(conversation=_conversation.model_copy(update={"deleted_at": AT})),
    events.MessageCreated(message=_message),
    events.MessageUpdated(message=_reply.model_copy(update={"suggestions": ("What is on the list now?",)})),
    events.MemberRead(read=ReadView(conversation_id=CONVERSATION, user_id=ANA, position=4, at=AT)),
    events.RecallDone(recall=RecallView(turn_id=TURN, state="done", took_ms=21, items=(_citation,))),
    events.RecallSkipped(recall=RecallView(turn_id=TURN, state="skipped", reason="Memory took too long.", took_ms=150)),
    events.DocumentUpdated(document=_document),
    events.FactsChanged(fact_ids=(derived_id("fct", "example"),)),
    events.TurnQueued(turn=_turn_as("queued", started_at=None)),
    events.TurnStarted(turn=_turn),
    events.TurnRestarted(turn=_turn_as("running", attempt=2), offset=0),
    events.TurnWaiting(turn=_turn_as("waiting")),
    events.TurnFinished(turn=_turn_as("finished", ended_at=AT), message=_reply),
    events.TurnFailed(
        turn=_turn_as(
            "failed", ended_at=AT, error=ProblemView(code="model_unavailable", detail="The model does not answer.")
        )
    ),
    events.TurnStopped(turn=_turn_as("stopped", ended_at=AT), message=_reply.model_copy(update={"text": "Do"})),
    events.ToolProposed(call=_call),
    events.ToolStarted(call=_call_as("running", started_at=AT)),
    events.ToolFinished(call=_call_as("done", started_at=AT, ended_at=AT, result={"deleted": 1})),
    events.ToolFailed(call=_call_as("rejected", ended_at=AT, detail="Ana rejected it.")),
    events.ToolUnknown(call=_call_as("unknown", started_at=AT, detail="The connection broke before an answer came.")),
    events.ApprovalRequested(approval=_approval),
    events.ApprovalUpdated(approval=_approval.model_copy(update={"votes": (_vote,)})),
    events.ApprovalClosed(
        approval=_approval.model_copy(
            update={"state": "approved", "decided_by": ANA, "decided_by_name": "Ana", "decided_at": AT}
        )
    ),
    events.DeliveryUpdated(delivery=_delivery),
    events.WorkspaceUpdated(workspace=_workspace),
    events.ServiceUpdated(service=_service),
    events.GrantChanged(grant=_grant),
    events.DelegationChanged(delegation=_delegation),
    events.IdentityChanged(identity=_identity),
)
VOLATILE_EXAMPLES: tuple[VolatileEvent, ...] = (
    events.TurnDelta(conversation_id=CONVERSATION, turn_id=TURN, attempt=1, offset=0, text="Do"),
    events.Typing(conversation_id=CONVERSATION, user_id=ANA, name="Ana", typing=True),
)
