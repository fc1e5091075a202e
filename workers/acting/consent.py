"""Whether consent still holds when it is used: people may have lost their role, left, or ended a delegation since."""

from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.consent import Assurance, Decider, Vote
from core.messages import ApprovalInput, ApprovalOutcome
from core.store import approvals, deciders
from core.tables.consent import Approval
from core.values import DecisionVerdict
from workflows import approval_rules


async def is_still_given(session: AsyncSession, approval: Approval, outcome: ApprovalOutcome) -> bool:
    """Look at every vote again, with people as they stand now."""
    votes = []
    for vote in outcome.votes or _only_vote(approval, outcome):
        fresh = await _afresh(session, approval, vote)
        if fresh is None:
            return False
        votes.append(fresh)
    return approval_rules.is_satisfied(
        await _request(session, approval), votes, escalated=approval.escalated_at is not None
    )


async def _request(session: AsyncSession, approval: Approval) -> ApprovalInput:
    """Give what was asked, its requester as they stand now: who voted may be known to be them since."""
    person = await deciders.person_of(session, approval.workspace_id, approval.requester_id)
    return approvals.as_input(approval).model_copy(update={"requester_person_id": person})


def _only_vote(approval: Approval, outcome: ApprovalOutcome) -> tuple[Vote, ...]:
    """Give the vote of an outcome from before votes were kept in it."""
    if outcome.user_id is None or outcome.decision_id is None:
        return ()
    voter = Decider(user_id=outcome.user_id, person_id=outcome.user_id, role="")
    return (
        Vote(
            decision_id=outcome.decision_id,
            voter=voter,
            verdict=DecisionVerdict.APPROVE,
            assurance=Assurance.L2,
            stage=0,
            at=outcome.at or approval.created_at,
        ),
    )


async def _afresh(session: AsyncSession, approval: Approval, vote: Vote) -> Vote | None:
    voter = await deciders.decider_of(session, approval.workspace_id, vote.voter.user_id)
    if voter is None:
        return None
    seat = vote.in_place_of
    if seat is not None:
        standing = await deciders.delegators_of(session, approval, vote.voter.user_id, now())
        seat = next((one for one in standing if one.user_id == vote.in_place_of.user_id), None)  # type: ignore[union-attr]
        if seat is None:
            return None
    return vote.model_copy(update={"voter": voter, "in_place_of": seat})
