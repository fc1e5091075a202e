"""Whether consent still holds when it is used: people may have left since, and the rules may ask for more."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.consent import Assurance, ConsentPlan, Decider, Vote
from core.errors import AssentError
from core.messages import ApprovalInput, ApprovalOutcome, DecisionMade
from core.policy import Ruling
from core.store import approvals, deciders, plans
from core.store.standing import is_still_linked
from core.tables.consent import Approval, Decision
from core.values import ApprovalState, DecisionVerdict
from workers.judging.judge import Judge
from workflows import approval_rules


async def is_still_given(session: AsyncSession, approval: Approval, outcome: ApprovalOutcome) -> bool:
    """Look at every vote again, with people as they stand now."""
    votes = await _votes(session, approval, outcome)
    return votes is not None and approval_rules.is_satisfied(
        await _request(session, approval), votes, escalated=approval.escalated_at is not None
    )


async def what_is_missing(
    session: AsyncSession, judge: Judge, approval: Approval, outcome: ApprovalOutcome, ruling: Ruling
) -> str | None:
    """Say what the rules of now want that was not given, where they are another version than it was asked under."""
    if ruling.asking is None or ruling.policy_version == approval.policy_version:
        return None
    try:
        plans.check_reason(ruling.asking, approval.reason)
        current = await judge.documents.current(session, approval.workspace_id)
        # As at its asking: who was on call then was asked, whoever is now.
        resolved = await plans.resolve(
            session,
            ruling.asking,
            approval.workspace_id,
            approval.requester_id,
            approval.created_at,
            judge.expiry,
            current.document,
        )
    except AssentError as error:
        return error.detail
    return None if await _is_enough(session, approval, outcome, resolved.plan) else plans.MORE_WANTED


async def _is_enough(session: AsyncSession, approval: Approval, outcome: ApprovalOutcome, plan: ConsentPlan) -> bool:
    """Let the rules of an approval hear its votes anew, in their order, as if this plan had been asked."""
    request = (await _request(session, approval)).model_copy(update={"plan": plan})
    standing = replace(approval_rules.begin(request), escalated=approval.escalated_at is not None)
    for vote in await _votes(session, approval, outcome) or ():
        standing = approval_rules.decide(standing, await _as_decision(session, approval, vote), vote.at)
    return standing.outcome is not None and standing.outcome.state is ApprovalState.APPROVED


async def _as_decision(session: AsyncSession, approval: Approval, vote: Vote) -> DecisionMade:
    decision = await session.get(Decision, vote.decision_id)
    return DecisionMade(
        decision_id=vote.decision_id,
        user_id=vote.voter.user_id,
        role=vote.voter.role,
        verdict=vote.verdict,
        digest=approval.digest,
        person_id=vote.voter.person_id,
        groups=vote.voter.groups,
        assurance=vote.assurance,
        in_place_of=tuple(await deciders.delegators_of(session, approval, vote.voter.user_id, now())),
        has_comment=decision is not None and bool(decision.comment),
    )


async def _votes(session: AsyncSession, approval: Approval, outcome: ApprovalOutcome) -> list[Vote] | None:
    """Give the votes with people as they stand now; None when one of them counts no more."""
    votes = []
    for vote in outcome.votes or _only_vote(approval, outcome):
        fresh = await _afresh(session, approval, vote)
        if fresh is None:
            return None
        votes.append(fresh)
    return votes


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
    if voter is None or not await is_still_linked(session, vote.decision_id):
        return None
    seat = vote.in_place_of
    if seat is not None:
        standing = await deciders.delegators_of(session, approval, vote.voter.user_id, now())
        seat = next((one for one in standing if one.user_id == vote.in_place_of.user_id), None)  # type: ignore[union-attr]
        if seat is None:
            return None
    return vote.model_copy(update={"voter": voter, "in_place_of": seat})
