"""What a connector may know of a tool call, and what consent to it is bound to."""

from datetime import datetime, timedelta
from typing import Any

from connectors.base import CallContext
from core.clock import now
from core.digest import Bound
from core.tables.work import ToolCall


def context_of(call: ToolCall, *, seconds: float) -> CallContext:
    """Give the connector what it may know of a call; the key is the same for every attempt."""
    return CallContext(
        workspace_id=call.workspace_id,
        user_id=call.user_id,
        conversation_id=call.conversation_id,
        turn_id=call.turn_id,
        tool_call_id=call.id,
        idempotency_key=call.id,
        deadline=now() + timedelta(seconds=seconds),
    )


def bind(
    call: ToolCall,
    policy_version: int,
    expires_at: datetime,
    nonce: str,
    plan: dict[str, Any] | None,
    arguments: dict[str, Any] | None = None,
) -> Bound:
    """Give what consent to this call is bound to, from the call as it would run, or with other `arguments`.

    `plan` None: the request is of the first version, which bound no plan.
    """
    return Bound(
        version=1 if plan is None else 2,
        workspace_id=call.workspace_id,
        conversation_id=call.conversation_id,
        turn_id=call.turn_id,
        tool_call_id=call.id,
        action=call.action,
        schema_digest=call.schema_digest,
        connection_id=call.connection_id,
        principal_id=call.user_id,
        arguments=call.arguments if arguments is None else arguments,
        policy_version=policy_version,
        expires_at=expires_at,
        nonce=nonce,
        plan=plan,
    )
