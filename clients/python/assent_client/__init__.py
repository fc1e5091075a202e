"""Ask people for consent from Python, and run exactly what they agreed to."""

from assent_client.asynchronous import AsyncAssent
from assent_client.client import Assent
from assent_client.errors import (
    AlreadyUsed,
    AssentError,
    Expired,
    NotApproved,
    Rejected,
    ServerError,
    StillPending,
    Unreachable,
    WebhookInvalid,
    Withdrawn,
)
from assent_client.guard import requires_approval
from assent_client.schemas import Secret
from assent_client.values import Approval, Approvers, Change, Preview, Taken
from assent_client.webhooks import WebhookEvent, verify_webhook

__all__ = [
    "AlreadyUsed",
    "Approval",
    "Approvers",
    "Assent",
    "AssentError",
    "AsyncAssent",
    "Change",
    "Expired",
    "NotApproved",
    "Preview",
    "Rejected",
    "Secret",
    "ServerError",
    "StillPending",
    "Taken",
    "Unreachable",
    "WebhookEvent",
    "WebhookInvalid",
    "Withdrawn",
    "requires_approval",
    "verify_webhook",
]
