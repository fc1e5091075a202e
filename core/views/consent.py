"""What the doors show of requests for consent, and of the audit trail."""

from datetime import datetime
from typing import Any

from pydantic import Field

from core.consent import ConsentPlan
from core.values import Value

MAX_COST = 100
"""The most characters in which a preview says what an action costs."""


class ChangeView(Value):
    """One thing that an action would change."""

    label: str
    before: str | None = None
    after: str | None = None


class PreviewView(Value):
    """What the connector says an action would do.

    `cost`: what it costs, in words with the currency ("about 0.02 EUR"), as the connector knows it; None: it says
    nothing.
    """

    summary: str
    changes: tuple[ChangeView, ...] = ()
    reversible: bool = False
    cost: str | None = Field(None, max_length=MAX_COST)
    warnings: tuple[str, ...] = ()


class DeciderView(Value):
    """Somebody who may decide; `in_place_of` names whom a delegate stands in for."""

    user_id: str
    name: str
    in_place_of: str | None = None


class VoteView(Value):
    """One answer that counts: whose, in whose place, through which door and how sure we were of the person."""

    decision_id: str
    user_id: str
    name: str
    in_place_of: str | None = None
    verdict: str
    door: str = ""
    assurance: str = "L2"
    stage: int = 0
    comment: str | None = None
    at: datetime


class ReportView(Value):
    """What an outside program said came of what it was allowed to do: its own word."""

    state: str
    detail: str = ""
    at: datetime


class ApprovalView(Value):
    """A request for consent as a person sees it. A decision quotes `digest`; `reason` is the model's word, not ours.

    `deciders` are those who may decide now, at most 50 of them; `edited_by` names who changed the arguments last.
    `batch` is the same for like requests that came together. Outside requests (`origin` service) have no turn; their
    arguments have to fit `arguments_schema`, `consumed_at` is when their program took them to run, `outcome` what it
    said came of it.
    """

    id: str
    origin: str = "turn"
    tool_call_id: str | None
    turn_id: str | None
    conversation_id: str | None
    requester_id: str
    requester_name: str = ""
    action: str
    risk: str
    title: str
    arguments: dict[str, Any]
    arguments_cut: bool = False
    preview: PreviewView
    reason: str | None
    rule: str = ""
    policy_version: int = 0
    plan: ConsentPlan
    deciders: tuple[DeciderView, ...] = ()
    stage: int = 0
    votes: tuple[VoteView, ...] = ()
    revision: int = 0
    edited_by: str | None = None
    edited_by_name: str | None = None
    escalated_at: datetime | None = None
    generation: int = 0
    batch: str | None = None
    digest: str
    state: str
    expires_at: datetime
    created_at: datetime
    decided_by: str | None
    decided_by_name: str | None
    decided_door: str | None = None
    decided_at: datetime | None
    comment: str | None
    arguments_schema: dict[str, Any] | None = None
    consumed_at: datetime | None = None
    outcome: ReportView | None = None


class WebhookView(Value):
    """An address that is told of events; `url` is empty for the secret that signs an asker's callbacks."""

    id: str
    url: str
    events: tuple[str, ...]
    user_id: str | None = None
    created_by: str
    created_at: datetime
    disabled_at: datetime | None = None
    disabled_why: str | None = None


class DelegationView(Value):
    """For a time somebody decides in another's place, within `risks` and `actions` where they are named."""

    id: str
    from_user_id: str
    from_name: str = ""
    to_user_id: str
    to_name: str = ""
    risks: tuple[str, ...] | None = None
    actions: tuple[str, ...] | None = None
    note: str | None = None
    starts_at: datetime
    ends_at: datetime
    created_by: str
    created_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str | None = None


class DecisionView(Value):
    """One answer that somebody sent: received, then accepted or refused (why: `refusal`, a code, and `detail`)."""

    id: str
    user_id: str
    name: str
    verdict: str
    door: str
    assurance: str
    comment: str | None = None
    edits: bool = False
    state: str
    refusal: str | None = None
    detail: str | None = None
    created_at: datetime
    settled_at: datetime | None = None


class SeenView(Value):
    """That somebody was shown a request: through which door, and when for the first time."""

    user_id: str
    name: str
    door: str
    at: datetime


class GrantView(Value):
    """What "always allow" gave: whose calls of which action pass unasked, while their arguments fit `patterns`.

    `says` has each pattern in words, hidden characters shown.
    """

    id: str
    user_id: str
    user_name: str = ""
    action: str
    patterns: dict[str, Any]
    says: dict[str, str] = Field(default_factory=dict)
    granted_by: str
    granted_by_name: str = ""
    approval_id: str | None = None
    uses: int
    uses_left: int | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class WorkspaceView(Value):
    """A workspace, and how much it leaves to its assistant."""

    id: str
    name: str
    operation_mode: str
    mode_changed_at: datetime | None = None
    mode_changed_by: str | None = None
    mode_changed_by_name: str | None = None


class DeliveryView(Value):
    """What became of one outbound message; `detail` says why it did not arrive."""

    id: str
    kind: str
    user_id: str | None
    conversation_id: str | None
    approval_id: str | None
    message_id: str | None
    channel: str
    account: str
    state: str
    attempts: int
    detail: str | None
    created_at: datetime
    updated_at: datetime


class ServiceView(Value):
    """How calls to a service go: its breaker, and until when it rests or waits for its limit."""

    connector: str
    host: str
    breaker: str
    failures: int
    open_until: datetime | None = None
    paused_until: datetime | None = None
    last_ok_at: datetime | None = None
    last_failure_at: datetime | None = None
    detail: str | None = None


class AuditView(Value):
    """One row of the audit log."""

    number: int
    at: datetime
    actor: str
    kind: str
    subject: str
    body: dict[str, Any]
