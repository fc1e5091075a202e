"""What the doors show of requests for consent, and of the audit trail."""

from datetime import datetime
from typing import Any

from core.messages import Approvers
from core.values import Value


class ChangeView(Value):
    """One thing that an action would change."""

    label: str
    before: str | None = None
    after: str | None = None


class PreviewView(Value):
    """What the connector says an action would do."""

    summary: str
    changes: tuple[ChangeView, ...] = ()
    reversible: bool = False
    warnings: tuple[str, ...] = ()


class ApprovalView(Value):
    """A request for consent as a person sees it. A decision quotes `digest`; `reason` is the model's word, not ours."""

    id: str
    tool_call_id: str
    turn_id: str
    conversation_id: str
    requester_id: str
    requester_name: str = ""
    action: str
    risk: str
    title: str
    arguments: dict[str, Any]
    arguments_cut: bool = False
    preview: PreviewView
    reason: str | None
    approvers: Approvers
    digest: str
    state: str
    expires_at: datetime
    created_at: datetime
    decided_by: str | None
    decided_by_name: str | None
    decided_door: str | None = None
    decided_at: datetime | None
    comment: str | None


class AuditView(Value):
    """One row of the audit log."""

    number: int
    at: datetime
    actor: str
    kind: str
    subject: str
    body: dict[str, Any]
