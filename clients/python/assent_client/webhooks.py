"""Webhooks as they come in: verified before anything in them is read (Standard Webhooks, v1)."""

import base64
import binascii
import hmac
import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from assent_client.errors import WebhookInvalid
from assent_client.values import Approval

TOLERANCE = 300.0


class WebhookEvent(BaseModel):
    """What was told: `approval.closed` and so on. Keep `id` for ten minutes: the same message may come twice."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    type: str
    timestamp: datetime
    data: dict[str, Any]

    @property
    def approval(self) -> Approval | None:
        """The approval that it tells of, if it does."""
        known = self.data.get("approval")
        return Approval.model_validate(known) if known is not None else None


def verify_webhook(
    headers: Mapping[str, str], body: bytes, secret: str, *, tolerance: float = TOLERANCE
) -> WebhookEvent:
    """Give what a webhook tells, from the raw body. Raises WebhookInvalid for anything that is not right.

    `tolerance`: how many seconds old, or early, it may be.
    """
    try:
        return _verified({name.lower(): value for name, value in headers.items()}, body, secret, tolerance)
    except (KeyError, TypeError, ValueError, OverflowError, binascii.Error, ValidationError) as error:
        message = "The webhook is not signed with this secret, was changed, or is too old."
        raise WebhookInvalid(message) from error


def _verified(headers: Mapping[str, str], body: bytes, secret: str, tolerance: float) -> WebhookEvent:
    message_id, timestamp, signatures = (headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    if not timestamp.isascii() or not timestamp.isdigit() or abs(time.time() - int(timestamp)) > tolerance:
        message = "too old"
        raise ValueError(message)
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    expected = hmac.digest(key, b".".join((message_id.encode(), timestamp.encode(), body)), "sha256")
    if not key or not any(_is(expected, one) for one in signatures.split(" ")):
        message = "no signature fits"
        raise ValueError(message)
    told = json.loads(body)
    return WebhookEvent(id=message_id, type=told["type"], timestamp=told["timestamp"], data=told["data"])


def _is(expected: bytes, signature: str) -> bool:
    version, _, encoded = signature.partition(",")
    if version != "v1" or not encoded.isascii():
        return False
    try:
        return hmac.compare_digest(expected, base64.b64decode(encoded, validate=True))
    except binascii.Error:
        return False
