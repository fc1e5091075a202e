"""The digest of an approval: what was shown is exactly what runs."""

import hashlib
from datetime import datetime
from typing import Any

import rfc8785

from core.values import Value


class Bound(Value):
    """All that consent is bound to. Ids are text: canonical JSON refuses integers above 2^53 (RFC 8785).

    `plan`: who has to consent; requests of version 1 had none. Outside requests have no call, turn or conversation.
    """

    version: int = 2
    workspace_id: str
    conversation_id: str | None
    turn_id: str | None
    tool_call_id: str | None
    action: str
    schema_digest: str
    connection_id: str | None
    principal_id: str
    arguments: dict[str, Any]
    policy_version: int
    expires_at: datetime
    nonce: str
    plan: dict[str, Any] | None = None


def digest_of(bound: Bound) -> str:
    """Give the SHA-256, in hex, of the canonical JSON of what is bound; raises ValueError on what JSON cannot carry."""
    # pydantic writes NaN as null: the arguments go as they are, so that another value is never the same digest.
    members = bound.model_dump(mode="json", exclude={"arguments"} | ({"plan"} if bound.plan is None else set()))
    return hashlib.sha256(canonical({**members, "arguments": bound.arguments})).hexdigest()


def canonical(value: Any) -> bytes:
    """Give the canonical JSON (RFC 8785); raises ValueError for NaN, lone surrogates and integers above 2^53."""
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        message = "the arguments have a value that JSON cannot carry exactly (write large integers as text)"
        raise ValueError(message) from error
