"""The pure reducer of an approval: which decisions count, and what the first terminal outcome is."""

from dataclasses import dataclass, replace
from datetime import datetime

from core.messages import ApprovalInput, ApprovalOutcome, DecisionMade
from core.values import ApprovalState, DecisionVerdict

_OUTCOME = {
    DecisionVerdict.APPROVE: ApprovalState.APPROVED,
    DecisionVerdict.REJECT: ApprovalState.REJECTED,
}


@dataclass(frozen=True)
class Standing:
    """Where an approval stands: what was asked, and the outcome once there is one."""

    request: ApprovalInput
    outcome: ApprovalOutcome | None = None

    @property
    def is_open(self) -> bool:
        """Whether a decision can still change it."""
        return self.outcome is None


def refusal(standing: Standing, decision: DecisionMade, now: datetime) -> str | None:
    """Say why a decision does not count (an error code), or None when it does. Expiry wins a tie."""
    request = standing.request
    if not standing.is_open:
        return "already_decided"
    if now >= request.expires_at:
        return "expired"
    if decision.digest != request.digest:
        return "digest_mismatch"
    if not request.approvers.include(decision.user_id, decision.role, request.requester_id):
        return "not_allowed"
    return None


def decide(standing: Standing, decision: DecisionMade, now: datetime) -> Standing:
    """Apply a decision that `refusal` let through."""
    if refusal(standing, decision, now) is not None:
        return standing
    outcome = _outcome(
        standing, _OUTCOME[decision.verdict], now, decision_id=decision.decision_id, user_id=decision.user_id
    )
    return replace(standing, outcome=outcome)


def expire(standing: Standing, now: datetime) -> Standing:
    """Refuse because the time is over, unless it is decided or the time has not come."""
    if not standing.is_open or now < standing.request.expires_at:
        return standing
    return replace(standing, outcome=_outcome(standing, ApprovalState.EXPIRED, now))


def withdraw(standing: Standing, user_id: str | None, now: datetime) -> Standing:
    """Close it because its turn was stopped, unless it is decided."""
    if not standing.is_open:
        return standing
    return replace(standing, outcome=_outcome(standing, ApprovalState.WITHDRAWN, now, user_id=user_id))


def _outcome(
    standing: Standing,
    state: ApprovalState,
    now: datetime,
    decision_id: str | None = None,
    user_id: str | None = None,
) -> ApprovalOutcome:
    request = standing.request
    return ApprovalOutcome(
        approval_id=request.approval_id,
        state=state,
        digest=request.digest,
        decision_id=decision_id,
        user_id=user_id,
        at=now,
    )
