"""What is said to somebody who decided: why an answer does not count, or how the approval stands with it."""

import hashlib

from core.clock import now
from core.errors import AlreadyDecided, AssentError, Conflict, DigestMismatch, Expired, NotAllowed
from core.permissions import Door, Principal
from core.store import decisions
from core.tables.consent import Decision
from core.values import ApprovalState, DecisionVerdict
from core.views import ApprovalView


def update_id(who: Principal, door: Door, approval_id: str, decision_id: str) -> str:
    """Hash whose answer it is, so that nobody reads another's verdict by guessing an id."""
    parts = f"{who.user_id}\x1f{door}\x1f{approval_id}\x1f{decision_id}"
    return hashlib.sha256(parts.encode()).hexdigest()


def refused_at_the_door(who: Principal, approval: ApprovalView, digest: str) -> str | None:
    """Give the code of why this answer cannot count, before the workflow is asked; None when it may."""
    if not approval.approvers.include(who.user_id, who.role, approval.requester_id):
        return "not_allowed"
    if approval.state != ApprovalState.PENDING:
        return "expired" if approval.state == ApprovalState.EXPIRED else "already_decided"
    if digest != approval.digest:
        return "digest_mismatch"
    return "expired" if now() >= approval.expires_at else None


def refusal(code: str, approval: ApprovalView) -> AssentError:
    """Make the error that tells a person why the answer does not count."""
    facts = {"state": approval.state, "decided_by": approval.decided_by_name, "approval_id": approval.id}
    if code == "not_allowed":
        return NotAllowed("You may not decide this one.", **facts)
    if code == "expired":
        return Expired("The time to decide is over; that is a refusal.", **facts)
    if code == "digest_mismatch":
        return DigestMismatch("This is not what you were shown: look at it again, then decide.", **facts)
    if code == decisions.LOST:
        return Conflict("The request was lost; ask again.", **facts)
    return AlreadyDecided(_who_decided(approval), **facts)


def as_decided(view: ApprovalView, who: Principal, decision: Decision) -> ApprovalView:
    """Show what the workflow has accepted, though the row may follow some milliseconds later."""
    if view.state != ApprovalState.PENDING:
        return view
    approved = decision.verdict == DecisionVerdict.APPROVE
    known = {
        "state": ApprovalState.APPROVED if approved else ApprovalState.REJECTED,
        "decided_by": who.user_id,
        "decided_by_name": who.name,
        "decided_door": decision.door,
        "decided_at": decision.settled_at,
        "comment": decision.comment,
    }
    return view.model_copy(update=known)


def _who_decided(approval: ApprovalView) -> str:
    if approval.state == ApprovalState.PENDING:
        return "Somebody else decided a moment before."
    if approval.decided_by_name is None:
        return f"It is closed: {approval.state}."
    return f"{approval.decided_by_name} decided before: {approval.state}."
