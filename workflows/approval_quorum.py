"""Whose consent counts for what: where an approval stands, what still misses, and the vote that brings it on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.consent import ConsentPlan, Decider, Party, Stage, Vote, asks, level
from core.messages import ApprovalInput, ApprovalOutcome, DecisionMade
from core.values import DecisionVerdict


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
    sure = all(level(vote.assurance) >= level(standing.plan.assurance) for vote in votes)
    agreed = all(vote.verdict is DecisionVerdict.APPROVE for vote in votes)
    if len(people) != len(set(people)) or not sure or not agreed:
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


def _is_excluded(standing: Standing, who: Decider) -> bool:
    return standing.plan.exclude_requester and who.person_id == _requester(standing.request)


def _is_wished(standing: Standing, vote: Vote) -> bool:
    only = standing.plan.only
    return only is None or is_party(only, vote.in_place_of or vote.voter, standing.request)


def _may_fill(standing: Standing, party: Party, who: Decider) -> bool:
    if _is_excluded(standing, who):
        return False
    other = standing.plan.escalate_to if standing.escalated else None
    return is_party(party, who, standing.request) or (other is not None and is_party(other, who, standing.request))


def seats(standing: Standing, decision: DecisionMade) -> list[Decider | None]:
    """Give in whose place somebody could decide: None is for themselves."""
    if _is_excluded(standing, voter(decision)):
        return []
    stage = standing.plan.stages[standing.stage]
    candidates: list[Decider | None] = [None, *decision.in_place_of]
    return [
        one
        for one in candidates
        if any(_may_fill(standing, party, one or voter(decision)) for party in _parties(stage))
    ]


def vote_of(standing: Standing, decision: DecisionMade, now: datetime) -> Vote | None:
    """Make the vote that brings the stage on, in the person's own right if that does; None when none would."""
    taken = {person for vote in standing.votes for person in _people(vote)}
    before = missing(standing)
    for seat in seats(standing, decision):
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
    counts = [not _is_excluded(standing, vote.voter) and _is_wished(standing, vote) for vote in votes]
    held: dict[int, int] = {}

    def place(number: int, tried: set[int]) -> bool:
        who = votes[number].in_place_of or votes[number].voter
        for seat, party in enumerate(parties):
            if seat in tried or not counts[number] or not _may_fill(standing, party, who):
                continue
            tried.add(seat)
            if seat not in held or place(held[seat], tried):
                held[seat] = number
                return True
        return False

    return sum(place(number, set()) for number in range(len(votes)))
