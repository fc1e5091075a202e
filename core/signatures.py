"""Standard Webhooks: what a webhook is signed with, so that who gets it knows that it is ours and whole.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime

PREFIX = "whsec_"
_BYTES = 32


def new_webhook_secret() -> str:
    """Make 256 random bits as `whsec_` and base64, which is how receivers' libraries take it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def headers_of(secret: str, message_id: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """Give the three headers of a message: the same id at every attempt, the time of this one, its signature."""
    timestamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
