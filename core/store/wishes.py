"""How an outside program wished people to be asked, put into the plan: it only makes it stricter."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.consent import ConsentPlan, level
from core.policy.ruling import AskedNeed, AskedParty, AskedStage, Asking
from core.store import asks, plans
from core.store.asks import Wished
from core.tables.consent import Approval


async def as_wished(session: AsyncSession, row: Approval, plan: ConsentPlan, expiry: timedelta) -> ConsentPlan:
    """Give the plan of a request as its program wished it. Raises NobodyToAsk when whom it names is not here."""
    wished = asks.asked_of(row).wished
    plan = plan.model_copy(
        update={
            "exclude_requester": plan.exclude_requester or wished.exclude_requester,
            "comment_required": plan.comment_required or wished.comment_required,
            "assurance": max(plan.assurance, wished.assurance, key=level),
            "may_remember": False,
        }
    )
    if not wished.names_people:
        return plan
    named = await plans.resolve(session, _asking(wished), row.workspace_id, row.requester_id, now(), expiry)
    return plan.model_copy(update={"only": named.plan.stages[0].needs[0].party})


def _asking(wished: Wished) -> Asking:
    party = AskedParty(roles=wished.roles, groups=wished.groups, users=wished.users)
    return Asking(stages=(AskedStage(needs=(AskedNeed(party=party),)),))
