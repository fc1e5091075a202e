"""Whether "always allow" lets a call pass that a rule would ask about: when it is planned, and again at the gate."""

from sqlalchemy.ext.asyncio import AsyncSession

from connectors.manifest import Risk
from connectors.registry import BoundAction
from core import policy
from core.consent import Assurance, ConsentPlan, Party, level
from core.store import deciders, grants
from core.store.approvals import name_of
from core.store.plans import CannotAsk
from core.store.work import Work
from core.tables.consent import Approval, Decision, Grant
from core.tables.work import ToolCall
from core.values import CallVerdict
from workers.judging.judge import Judge


async def allow(
    session: AsyncSession, judge: Judge, call: ToolCall, bound: BoundAction, ruling: policy.Ruling
) -> policy.Ruling:
    """Give the ruling that holds: ALLOW, with `call.grant_id`, where somebody always allows it; else as it is."""
    grant = await _standing(session, judge, call, bound, ruling)
    if grant is None:
        return ruling
    call.grant_id = grant.id
    who = await name_of(session, grant.granted_by) or "somebody"
    rule = f"always allowed by {who} until {grant.expires_at:%Y-%m-%d}"
    return ruling.model_copy(update={"verdict": CallVerdict.ALLOW, "rule": rule, "asking": None})


async def use(work: Work, judge: Judge, call: ToolCall, bound: BoundAction, ruling: policy.Ruling) -> bool:
    """Count a use of what let this call pass, in the transaction of its intent; False when that holds no more."""
    if call.grant_id is None or await _standing(work.session, judge, call, bound, ruling) is None:
        return False
    return await grants.use(work, call.grant_id)


async def _standing(
    session: AsyncSession, judge: Judge, call: ToolCall, bound: BoundAction, ruling: policy.Ruling
) -> Grant | None:
    asks = ruling.verdict is CallVerdict.ASK and ruling.asking is not None and ruling.asking.may_remember
    if not asks or bound.spec.risk is Risk.ADMIN:
        return None
    found = await grants.covering(session, call)
    if not found:
        return None
    try:
        plan = ConsentPlan.model_validate(await judge.plan_of(session, call, ruling))
    except CannotAsk:
        return None
    for grant in found:
        if await _could_consent(session, grant, plan):
            return grant
    return None


async def _could_consent(session: AsyncSession, grant: Grant, plan: ConsentPlan) -> bool:
    """Whether who gave it could still consent alone, in their own right, to what it lets pass."""
    needs = [need for stage in plan.stages for need in stage.needs]
    giver = await deciders.decider_of(session, grant.workspace_id, grant.granted_by)
    if giver is None or len(needs) != 1 or needs[0].count != 1:
        return False
    is_requester = giver.person_id == await deciders.person_of(session, grant.workspace_id, grant.user_id)
    if (plan.exclude_requester and is_requester) or not await _was_sure(session, grant, plan):
        return False
    return _is_of(needs[0].party, giver.user_id, giver.role, giver.groups, is_requester=is_requester)


async def _was_sure(session: AsyncSession, grant: Grant, plan: ConsentPlan) -> bool:
    """Whether we were as sure of who gave it as the rules want now, and they said why if that is wanted."""
    approval = await session.get(Approval, grant.approval_id) if grant.approval_id else None
    decision = await session.get(Decision, approval.decision_id) if approval and approval.decision_id else None
    if decision is None or (plan.comment_required and not decision.comment):
        return False
    return level(Assurance(decision.assurance)) >= level(plan.assurance)


def _is_of(party: Party, user_id: str, role: str, groups: tuple[str, ...], *, is_requester: bool) -> bool:
    in_person = user_id in party.users or (party.requester and is_requester)
    return in_person or role in party.roles or not set(groups).isdisjoint(party.groups)
