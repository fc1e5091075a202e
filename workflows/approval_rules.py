"""The pure reducer of an approval: which answers count, what still misses, and what the first terminal outcome is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from core.consent import ConsentPlan, Decider, OnExpiry, Party, Stage, Vote, asks, level
from core.messages import ApprovalInput, ApprovalOutcome, ApprovalProgress, DecisionMade, Revised
from core.values import ApprovalState, DecisionVerdict


@dataclass(frozen=True)
class Standing:
    """Where an approval stands: what was asked, what was answered, and the outcome once there is one."""

    request: ApprovalInput
    plan: ConsentPlan
    digest: str
    expires_at: datetime
    stage: int = 0
    votes: tuple[Vote, ...] = ()
    revision: str | None = None
    escalated: bool = False
    reminded: int = 0
    outcome: ApprovalOutcome | None = None

    @property
    def is_open(self) -> bool:
        """Whether a decision can still change it."""
        return self.outcome is None


def begin(request: ApprovalInput) -> Standing:
    """Stand undecided."""
    old = Party(requester=request.approvers.requester, roles=request.approvers.roles)
    return Standing(request, request.plan or asks(old), request.digest, request.expires_at)


def refusal(standing: Standing, decision: DecisionMade, now: datetime) -> str | None:
    """Say why a decision does not count (an error code), or None when it does. Expiry wins a tie."""
    if not standing.is_open:
        return "already_decided"
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


def _refusal_of_vote(standing: Standing, decision: DecisionMade, now: datetime) -> str | None:
    person = voter(decision).person_id
    if any(person == vote.voter.person_id for vote in standing.votes):
        return "already_voted"
    return None if _vote(standing, decision, now) else "not_needed"


def decide(standing: Standing, decision: DecisionMade, now: datetime) -> Standing:
    """Apply a decision that `refusal` let through: a rejection ends it, a vote may complete a stage or all."""
    if refusal(standing, decision, now) is not None:
        return standing
    if decision.verdict is DecisionVerdict.REJECT:
        return _ended(standing, ApprovalState.REJECTED, now, decision)
    vote = _vote(standing, decision, now)
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
    return replace(standing, plan=revised.plan, digest=revised.digest, revision=revised.decision_id, votes=(), stage=0)


def next_at(standing: Standing) -> datetime:
    """Tell when something happens if nobody decides: a reminder, an escalation, the end."""
    times = [standing.expires_at, *standing.plan.remind_at[standing.reminded : standing.reminded + 1]]
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


def voter(decision: DecisionMade) -> Decider:
    """Give who decided, as the server knew them."""
    return Decider(
        user_id=decision.user_id,
        person_id=decision.person_id or decision.user_id,
        role=decision.role,
        groups=decision.groups,
    )


def missing(standing: Standing) -> int:
    """Count the consents that the running stage still needs."""
    stage = standing.plan.stages[standing.stage]
    votes = [vote for vote in standing.votes if vote.stage == standing.stage]
    return sum(need.count for need in stage.needs) - _filled(standing, stage, votes)


def is_satisfied(request: ApprovalInput, votes: Sequence[Vote], *, escalated: bool) -> bool:
    """Whether these votes, with people as they stand now, are all the consent that the plan asks for."""
    standing = replace(begin(request), votes=tuple(votes), escalated=escalated)
    people = [one for vote in votes for one in _people(vote)]
    if len(people) != len(set(people)):
        return False
    return not any(missing(replace(standing, stage=number)) for number in range(len(standing.plan.stages)))


def is_party(party: Party, who: Decider, request: ApprovalInput) -> bool:
    """Whether somebody is of a party."""
    return (
        who.role in party.roles
        or who.user_id in party.users
        or not set(party.groups).isdisjoint(who.groups)
        or (party.requester and who.person_id == _requester(request))
    )


def _requester(request: ApprovalInput) -> str:
    return request.requester_person_id or request.requester_id


def _parties(stage: Stage) -> list[Party]:
    """Give one party for each consent of a stage."""
    return [need.party for need in stage.needs for _ in range(need.count)]


def _may_fill(standing: Standing, party: Party, who: Decider) -> bool:
    if standing.plan.exclude_requester and who.person_id == _requester(standing.request):
        return False
    other = standing.plan.escalate_to if standing.escalated else None
    return is_party(party, who, standing.request) or (other is not None and is_party(other, who, standing.request))


def _seats(standing: Standing, decision: DecisionMade) -> list[Decider | None]:
    """Give in whose place somebody could decide: None is for themselves."""
    if standing.plan.exclude_requester and voter(decision).person_id == _requester(standing.request):
        return []
    stage = standing.plan.stages[standing.stage]
    candidates: list[Decider | None] = [None, *decision.in_place_of]
    return [
        one
        for one in candidates
        if any(_may_fill(standing, party, one or voter(decision)) for party in _parties(stage))
    ]


def _entitled(standing: Standing, decision: DecisionMade) -> bool:
    return bool(_seats(standing, decision))


def _vote(standing: Standing, decision: DecisionMade, now: datetime) -> Vote | None:
    """Make the vote that brings the stage on, in the person's own right if that does; None when none would."""
    taken = {person for vote in standing.votes for person in _people(vote)}
    before = missing(standing)
    for seat in _seats(standing, decision):
        vote = Vote(
            decision_id=decision.decision_id,
            voter=voter(decision),
            in_place_of=seat,
            verdict=decision.verdict,
            assurance=decision.assurance,
            stage=standing.stage,
            at=now,
        )
        if taken.isdisjoint(_people(vote)) and missing(replace(standing, votes=(*standing.votes, vote))) < before:
            return vote
    return None


def _people(vote: Vote) -> list[str]:
    """Give the people whom a vote uses up: who cast it, and in whose place."""
    return [vote.voter.person_id, *([vote.in_place_of.person_id] if vote.in_place_of else [])]


def _filled(standing: Standing, stage: Stage, votes: Sequence[Vote]) -> int:
    """Count how many consents these votes give at most, each to one need (a bipartite matching)."""
    parties = _parties(stage)
    held: dict[int, int] = {}

    def place(number: int, tried: set[int]) -> bool:
        who = votes[number].in_place_of or votes[number].voter
        for seat, party in enumerate(parties):
            if seat in tried or not _may_fill(standing, party, who):
                continue
            tried.add(seat)
            if seat not in held or place(held[seat], tried):
                held[seat] = number
                return True
        return False

    return sum(place(number, set()) for number in range(len(votes)))


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
    )
    return replace(standing, outcome=outcome)
