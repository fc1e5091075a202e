"""How a rule has people asked becomes a plan: names become ids, spans of time become instants."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from core.consent import ConsentPlan, Need, Party, Stage
from core.policy.ruling import AskedParty, Asking
from core.values import Value


class Resolved(Value):
    """A plan, and when the time to decide is over."""

    plan: ConsentPlan
    expires_at: datetime


async def resolve(
    session: AsyncSession, asking: Asking, workspace_id: str, requester_id: str, at: datetime, expiry: timedelta
) -> Resolved:
    """Look up whom a rule asks, as things stand now. `expiry`: the time to decide where the rule names none."""
    del session, workspace_id, requester_id
    stages = tuple(
        Stage(name=stage.name, needs=tuple(Need(party=_party(need.party), count=need.count) for need in stage.needs))
        for stage in asking.stages
    )
    plan = ConsentPlan(
        stages=stages,
        exclude_requester=asking.exclude_requester,
        assurance=asking.assurance,
        comment_required=asking.comment_required,
        may_remember=asking.may_remember,
    )
    return Resolved(plan=plan, expires_at=at + timedelta(seconds=asking.expires_seconds or expiry.total_seconds()))


def _party(party: AskedParty) -> Party:
    return Party(requester=party.requester, roles=party.roles)
