"""Whether consent still holds: votes once more, with people and their accounts as they stand now."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.messages import ApprovalOutcome, DecisionMade
from core.store import deciders, decisions
from core.tables.consent import Approval, Decision
from core.tables.identity import Identity
from core.values import ApprovalState


class Stands(Protocol):
    """Where an approval stands, as the rules of workflows know it."""

    @property
    def outcome(self) -> ApprovalOutcome | None:
        """What it came to."""
        ...


Standing = TypeVar("Standing", bound=Stands)


async def holds_still(
    session: AsyncSession,
    approval: Approval,
    standing: Standing,
    decide: Callable[[Standing, DecisionMade, datetime], Standing],
) -> bool:
    """Let the rules hear every vote anew; `standing` is how it began. Whether it comes to approved again."""
    for vote in approval.votes:
        decision = await session.get(Decision, vote["decision_id"])
        made = await _afresh(session, approval, decision) if decision is not None else None
        if made is None:
            return False
        standing = decide(standing, made, datetime.fromisoformat(vote["at"]))
    return standing.outcome is not None and standing.outcome.state is ApprovalState.APPROVED


async def is_still_linked(session: AsyncSession, decision_id: str) -> bool:
    """Whether the account on a channel that a decision came from is the person's still; of other doors it is so.

    An account that is linked anew is another one: whoever had it in between may have decided. Decisions from before
    their account was kept hold while some account on that channel is linked since before them.
    """
    decision = await session.get(Decision, decision_id)
    if decision is None or not decisions.is_of_channel(decision.door):
        return True
    identity_id = decisions.as_message(decision).identity_id
    same = Identity.id == identity_id if identity_id is not None else Identity.linked_at <= decision.created_at
    theirs = (Identity.user_id == decision.user_id) & (Identity.channel == decision.door)
    return (await session.execute(select(Identity.id).where(theirs, same).limit(1))).first() is not None


async def _afresh(session: AsyncSession, approval: Approval, decision: Decision) -> DecisionMade | None:
    """Give a decision as it would be heard now; None when who made it, or their account, is not here any more."""
    person = await deciders.decider_of(session, approval.workspace_id, decision.user_id)
    if person is None or not await is_still_linked(session, decision.id):
        return None
    return decisions.as_message(decision).model_copy(
        update={
            "role": person.role,
            "groups": person.groups,
            "person_id": person.person_id,
            "in_place_of": tuple(await deciders.delegators_of(session, approval, decision.user_id, now())),
            "digest": approval.digest,
            "edits": False,
        }
    )
