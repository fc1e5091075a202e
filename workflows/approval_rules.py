"""The pure reducer of an approval: which answers count, and what the first terminal outcome is."""

from dataclasses import replace
from datetime import datetime, timedelta

from core.consent import OnExpiry, level
from core.messages import ApprovalOutcome, ApprovalProgress, DecisionMade, Revised
from core.values import ApprovalState, DecisionVerdict
from workflows.approval_quorum import Standing, begin, is_party, is_satisfied, missing, seats, vote_of, voter

__all__ = [
    "Standing",
    "begin",
    "decide",
    "expire",
    "is_party",
    "is_satisfied",
    "missing",
    "next_at",
    "progress",
    "refusal",
    "revise",
    "tick",
    "voter",
    "withdraw",
]


def refusal(standing: Standing, decision: DecisionMade, now: datetime) -> str | None:
    """Say why a decision does not count (an error code), or None when it does. Expiry wins a tie."""
    if not standing.is_open:
        return "already_decided"
    standing = _by_the_clock(standing, now)
    if now >= standing.expires_at:
        return "expired"
    if decision.digest != standing.digest:
        return "digest_mismatch"
    if not _entitled(standing, decision):
        return "not_allowed"
    if level(decision.assurance) < level(standing.plan.assurance):
        return "assurance_too_low"
    if standing.plan.comment_required and not decision.has_comment:
        return "comment_required"
    if decision.verdict is DecisionVerdict.APPROVE and not decision.edits:
        return _refusal_of_vote(standing, decision, now)
    return None


def _by_the_clock(standing: Standing, now: datetime) -> Standing:
    """Give whom it is escalated to by now, though its timer has not fired yet; it is not ended here."""
    due = tick(standing, now)
    return due if due.is_open else standing


def _refusal_of_vote(standing: Standing, decision: DecisionMade, now: datetime) -> str | None:
    person = voter(decision).person_id
    if any(person == vote.voter.person_id for vote in standing.votes):
        return "already_voted"
    return None if vote_of(standing, decision, now) else "not_needed"


def decide(standing: Standing, decision: DecisionMade, now: datetime) -> Standing:
    """Apply a decision that `refusal` let through: a rejection ends it, a vote may complete a stage or all.

    An edit has to become a revision first; until then it changes nothing.
    """
    if decision.edits or refusal(standing, decision, now) is not None:
        return standing
    standing = _by_the_clock(standing, now)
    if decision.verdict is DecisionVerdict.REJECT:
        return _ended(standing, ApprovalState.REJECTED, now, decision)
    vote = vote_of(standing, decision, now)
    if vote is None:
        return standing
    standing = replace(standing, votes=(*standing.votes, vote))
    if missing(standing):
        return standing
    if standing.stage + 1 < len(standing.plan.stages):
        return replace(standing, stage=standing.stage + 1)
    return _ended(standing, ApprovalState.APPROVED, now, decision)


def revise(standing: Standing, revised: Revised) -> Standing:
    """Go on with other arguments: a new digest and plan; what was said of the old ones counts no more."""
    if not standing.is_open or revised.plan is None:
        return standing
    return replace(
        standing,
        plan=revised.plan,
        digest=revised.digest,
        revision=revised.decision_id,
        votes=(),
        stage=0,
        reminded=standing.reminded if revised.plan.remind_at == standing.plan.remind_at else 0,
    )


def next_at(standing: Standing) -> datetime:
    """Tell when something happens if nobody decides: a reminder, an escalation, the end."""
    reminders = sorted(standing.plan.remind_at)
    times = [standing.expires_at, *reminders[standing.reminded : standing.reminded + 1]]
    if standing.plan.escalate_at is not None and _can_escalate(standing):
        times.append(standing.plan.escalate_at)
    return min(times)


def tick(standing: Standing, now: datetime) -> Standing:
    """Do what the time asks for: count a reminder, escalate, or refuse because the time is over."""
    if not standing.is_open:
        return standing
    due = [at for at in standing.plan.remind_at if at <= now]
    if len(due) > standing.reminded:
        standing = replace(standing, reminded=len(due))
    at = standing.plan.escalate_at
    if at is not None and at <= now < standing.expires_at and _can_escalate(standing):
        return _escalate(standing, standing.expires_at)
    return expire(standing, now)


def expire(standing: Standing, now: datetime) -> Standing:
    """Refuse because the time is over, or escalate if the plan says so; nothing before the time has come."""
    if not standing.is_open or now < standing.expires_at:
        return standing
    if standing.plan.on_expiry is OnExpiry.ESCALATE and _can_escalate(standing):
        return _escalate(standing, now)
    return _ended(standing, ApprovalState.EXPIRED, now)


def withdraw(standing: Standing, user_id: str | None, now: datetime) -> Standing:
    """Close it because its turn was stopped, unless it is decided."""
    if not standing.is_open:
        return standing
    ended = _ended(standing, ApprovalState.WITHDRAWN, now)
    return replace(ended, outcome=ended.outcome.model_copy(update={"user_id": user_id})) if ended.outcome else ended


def progress(standing: Standing, *, remind: bool = False) -> ApprovalProgress:
    """Give what is to be written down of an open approval."""
    return ApprovalProgress(
        approval_id=standing.request.approval_id,
        digest=standing.digest,
        stage=standing.stage,
        votes=standing.votes,
        revision=standing.revision,
        escalated=standing.escalated,
        remind=remind,
        expires_at=standing.expires_at,
    )


def _entitled(standing: Standing, decision: DecisionMade) -> bool:
    return bool(seats(standing, decision))


def _can_escalate(standing: Standing) -> bool:
    return not standing.escalated and standing.plan.escalate_to is not None and standing.plan.escalated_seconds > 0


def _escalate(standing: Standing, from_time: datetime) -> Standing:
    until = from_time + timedelta(seconds=standing.plan.escalated_seconds)
    return replace(standing, escalated=True, expires_at=until)


def _ended(standing: Standing, state: ApprovalState, now: datetime, decision: DecisionMade | None = None) -> Standing:
    outcome = ApprovalOutcome(
        approval_id=standing.request.approval_id,
        state=state,
        digest=standing.digest,
        decision_id=decision.decision_id if decision else None,
        user_id=decision.user_id if decision else None,
        at=now,
        votes=standing.votes,
        revision=standing.revision,
        stage=standing.stage,
        escalated_until=standing.expires_at if standing.escalated else None,
    )
    return replace(standing, outcome=outcome)
