"""What a service asks in the middle of a call, as a request to people: its form, its digest, its edits."""

import hashlib
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from connectors.asked import blank, check_answer
from connectors.base import Question
from core.clock import now
from core.consent import Party, asks
from core.digest import Bound, canonical, digest_of
from core.ids import derived_id, new_secret
from core.masking import secret_paths, unmask
from core.permissions import Role
from core.store import approvals, deciders, questions
from core.tables.consent import Approval
from core.tables.work import CallQuestion, ToolCall
from core.values import ApprovalState
from core.views import PreviewView

RISK = "write"
_MAX_TITLE = 200


async def request_of(session: AsyncSession, call: ToolCall, row: CallQuestion, expiry: timedelta) -> Approval:
    """Make the request by which people answer: whoever's call it is, or an owner."""
    asked = Question.model_validate(row.body)
    plan = asks(Party(requester=True, roles=(Role.OWNER,))).model_dump(mode="json")
    expires_at, answer = now() + expiry, blank(asked.schema_)
    binding = _bind(call, row, answer, expires_at, plan)
    return Approval(
        id=derived_id("apr", row.id),
        origin=approvals.QUESTION,
        turn_id=call.turn_id,
        conversation_id=call.conversation_id,
        workspace_id=call.workspace_id,
        requester_id=call.user_id,
        requester_person_id=await deciders.person_of(session, call.workspace_id, call.user_id),
        action=call.action,
        risk=RISK,
        title=f"{_named(asked)} asks: “{asked.message}”"[:_MAX_TITLE],
        arguments=answer,
        secrets=secret_paths(asked.schema_),
        schema_=asked.schema_,
        preview=_shown(asked).model_dump(mode="json"),
        rule="a service asks this in the middle of a call",
        plan=plan,
        deciders=[],
        votes=[],
        bound=binding.model_dump(mode="json"),
        digest=digest_of(binding),
        state=ApprovalState.REQUESTED,
        expires_at=expires_at,
        created_at=now(),
    )


def _named(asked: Question) -> str:
    return f"The server {asked.server}"


def _shown(asked: Question) -> PreviewView:
    """Say whose words these are, and where an answer goes."""
    warnings = [f"The server asks this, not Assent: what you answer is sent to {asked.server}."]
    if secret_paths(asked.schema_):
        warnings.append("It wants what looks like a password or a key. Give it none that is not its own.")
    return PreviewView(summary=f"{_named(asked)} says: “{asked.message}”", reversible=False, warnings=tuple(warnings))


def _bind(call: ToolCall, row: CallQuestion, answer: dict[str, Any], expires_at: Any, plan: dict[str, Any]) -> Bound:
    return Bound(
        workspace_id=call.workspace_id,
        conversation_id=call.conversation_id,
        turn_id=call.turn_id,
        tool_call_id=call.id,
        action=call.action,
        schema_digest=question_digest(row),
        connection_id=call.connection_id,
        principal_id=call.user_id,
        arguments=answer,
        policy_version=0,
        expires_at=expires_at,
        nonce=new_secret(),
        plan=plan,
    )


def question_digest(row: CallQuestion) -> str:
    """Give the SHA-256, in hex, of what was asked, for the answer to be bound to."""
    return hashlib.sha256(canonical({"question": row.id, "leg": row.leg, "body": row.body})).hexdigest()


def is_as_answered(row: CallQuestion, approval: Approval, digest: str) -> bool:
    """Whether what would be sent is what people saw and wrote: recomputed from the answer and from what was asked."""
    bound = Bound.model_validate(approval.bound)
    now_bound = bound.model_copy(
        update={"arguments": approval.arguments, "plan": approval.plan, "schema_digest": question_digest(row)}
    )
    return digest_of(now_bound) == digest


async def answer_revision(session: AsyncSession, approval: Approval, written: dict[str, Any]) -> dict[str, Any]:
    """Take what somebody wrote in the form. Raises ValueError and AssentError that say why it cannot be."""
    row = await questions.of_approval(session, approval.id)
    if row is None or approval.schema_ is None:
        message = "Nobody waits for this answer any more"
        raise ValueError(message)
    answer = check_answer(approval.schema_, unmask(secret_paths(approval.schema_), approval.arguments, written))
    asked = Bound.model_validate(approval.bound)
    binding = asked.model_copy(
        update={"arguments": answer, "nonce": new_secret(), "schema_digest": question_digest(row)}
    )
    return {
        "arguments": answer,
        "preview": approval.preview,
        "plan": approval.plan,
        "bound": binding.model_dump(mode="json"),
        "digest": digest_of(binding),
        "rule": approval.rule,
        "policy_version": approval.policy_version,
    }
