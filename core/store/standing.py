"""Whether consent to an outside request still holds: its votes once more, with people as they stand now."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.messages import ApprovalOutcome, DecisionMade
from core.store import deciders, decisions
from core.tables.consent import Approval, Decision
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


async def _afresh(session: AsyncSession, approval: Approval, decision: Decision) -> DecisionMade | None:
    """Give a decision as it would be heard now; None when who made it is not here any more."""
    person = await deciders.decider_of(session, approval.workspace_id, decision.user_id)
    if person is None:
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
