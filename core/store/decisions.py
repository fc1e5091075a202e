"""Decisions in SQL: received before anybody hears of them, then accepted or refused."""

from datetime import timedelta
from typing import Any

from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.consent import Assurance
from core.ids import new_id
from core.messages import DecisionMade
from core.permissions import Door, Principal
from core.store import approvals, consents, deciders, seen
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.consent import Approval, Decision
from core.tables.people import User
from core.values import CLOSED, ApprovalState, DecisionVerdict, Value
from core.views import DecisionView

RECEIVED, ACCEPTED, REFUSED = "received", "accepted", "refused"
LOST = "closed"
"""The refusal of a decision about a request whose workflow was lost."""


class GrantWish(Value):
    """What "always allow" means as somebody confirms it: what arguments may be, for how many seconds, how often."""

    patterns: dict[str, Any]
    seconds: float = Field(gt=0, le=90 * 86_400)
    uses: int | None = Field(None, ge=1, le=10_000)


class Answer(Value):
    """What a person answers, and through which door; `update_id` is the same for the same click.

    `arguments`: changed by the person; `remember`: "always allow" from now on.
    """

    door: str
    approval_id: str
    update_id: str
    verdict: DecisionVerdict
    digest: str
    comment: str | None
    assurance: Assurance = Assurance.L2
    arguments: dict[str, Any] | None = None
    remember: GrantWish | None = None


async def sent_before(session: AsyncSession, update_id: str) -> Decision | None:
    """Give the decision that was sent under this update id, if any."""
    statement = select(Decision).where(Decision.update_id == update_id)
    return (await session.execute(statement)).scalar_one_or_none()


async def resolve(
    session: AsyncSession, who: Principal, approval: Approval, answer: Answer, decision_id: str
) -> DecisionMade | None:
    """Give an answer as its workflow will hear it, the person as they stand now; None when they are not here."""
    person = await deciders.decider_of(session, approval.workspace_id, who.user_id)
    if person is None:
        return None
    known = await _as_asked(session, approval)
    delegators = await deciders.delegators_of(session, approval, who.user_id, now())
    return DecisionMade(
        decision_id=decision_id,
        user_id=person.user_id,
        role=person.role,
        verdict=answer.verdict,
        digest=answer.digest,
        person_id=known.get(person.person_id, person.person_id),
        groups=person.groups,
        assurance=answer.assurance,
        in_place_of=tuple(
            one.model_copy(update={"person_id": known.get(one.person_id, one.person_id)}) for one in delegators
        ),
        has_comment=bool(answer.comment),
        edits=answer.arguments is not None,
        identity_id=who.session_id if is_of_channel(answer.door) else None,
    )


def is_of_channel(door: str) -> bool:
    """Whether answers through a door come from linked accounts: any door but our own."""
    return door not in set(Door)


async def _as_asked(session: AsyncSession, approval: Approval) -> dict[str, str]:
    """Give by which id a request knows the person who asked, where they were stated to be somebody else since."""
    person = await deciders.person_of(session, approval.workspace_id, approval.requester_id)
    return {person: approval.requester_person_id or approval.requester_id}


async def receive(
    work: Work, audit: AuditTrail, who: Principal, answer: Answer, made: DecisionMade | None, refusal: str | None
) -> Decision:
    """Write a decision as received, or as refused at the door for this reason. `made` has the decision's id.

    Whoever answers was shown it where they answer: a chat does not tell what is read.
    """
    row = Decision(
        id=made.decision_id if made else new_id("dec"),
        user_id=who.user_id,
        role=who.role,
        made=made.model_dump(mode="json") if made else None,
        created_at=now(),
        **answer.model_dump(mode="json"),
    )
    work.session.add(row)
    await work.session.flush()
    await seen.note_seen(work, audit, who, answer.approval_id, answer.door)
    facts = {"decision_id": row.id, "verdict": answer.verdict, "door": answer.door, "digest": answer.digest}
    await audit.record(work, who.workspace_id, who.user_id, "decision.received", answer.approval_id, **facts)
    if refusal is not None:
        await settle(work, audit, row.id, refusal)
    return row


async def settle(work: Work, audit: AuditTrail, decision_id: str, refusal: str | None) -> Decision:
    """Store the verdict on a received decision; one that is settled stays as it is."""
    statement = (
        select(Decision).where(Decision.id == decision_id).with_for_update().execution_options(populate_existing=True)
    )
    decision = (await work.session.execute(statement)).scalar_one()
    if decision.state != RECEIVED:
        return decision
    decision.state = REFUSED if refusal else ACCEPTED
    decision.refusal, decision.settled_at = refusal, now()
    approval = await work.session.get_one(Approval, decision.approval_id)
    kind = f"decision.{decision.state}"
    facts = {"decision_id": decision.id, "verdict": decision.verdict, "refusal": refusal}
    await audit.record(work, approval.workspace_id, decision.user_id, kind, approval.id, **facts)
    return decision


async def conclude(work: Work, audit: AuditTrail, decision: Decision, verdict: str) -> Decision:
    """Store what the approval's workflow said of a decision: ACCEPTED, CLOSED or the code of a refusal."""
    refusal = None if verdict == ACCEPTED else verdict
    if verdict == CLOSED:
        refusal = await _refusal_when_closed(work, audit, decision)
    return await settle(work, audit, decision.id, refusal)


async def _refusal_when_closed(work: Work, audit: AuditTrail, decision: Decision) -> str | None:
    """Judge a decision whose workflow is gone by what SQL keeps: None when the outcome came from this very decision.

    What is still open in SQL was lost with its workflow: it is withdrawn. SQL alone never approves.
    """
    if await consents.withdraw_lost(work, audit, decision.approval_id):
        return LOST
    approval = await work.session.get_one(Approval, decision.approval_id, populate_existing=True)
    if approval.decision_id == decision.id or _counts(approval, decision):
        return None
    return "expired" if approval.state == ApprovalState.EXPIRED else "already_decided"


def _counts(approval: Approval, decision: Decision) -> bool:
    """Whether it is among the votes, or made the arguments what they are."""
    revision = decision.revision or {}
    return revision.get("digest") == approval.digest or any(
        vote["decision_id"] == decision.id for vote in approval.votes
    )


async def of_approval(
    session: AsyncSession, who: Principal, approval_id: str, limit: int, cursor: str | None
) -> tuple[list[DecisionView], str | None, int]:
    """Give the answers to a request that the person sees, oldest first. Raises NotFound."""
    await approvals.one(session, who, approval_id)
    statement = (
        select(Decision, User.name)
        .join(User, User.id == Decision.user_id)
        .where(Decision.approval_id == approval_id, Decision.id > (cursor or ""))
        .order_by(Decision.id)
        .limit(limit + 1)
    )
    rows = (await session.execute(statement)).all()
    following = rows[limit - 1][0].id if len(rows) > limit else None
    every = select(func.count()).select_from(Decision).where(Decision.approval_id == approval_id)
    total = (await session.execute(every)).scalar_one()
    return [_view(row, name) for row, name in rows[:limit]], following, total


def _view(row: Decision, name: str) -> DecisionView:
    known = row.model_dump(include=set(DecisionView.model_fields))
    return DecisionView.model_validate({**known, "name": name, "edits": row.arguments is not None})


def as_message(decision: Decision) -> DecisionMade:
    """Give what the approval's workflow hears."""
    if decision.made is not None:
        return DecisionMade.model_validate(decision.made)
    return DecisionMade(
        decision_id=decision.id,
        user_id=decision.user_id,
        role=decision.role,
        verdict=DecisionVerdict(decision.verdict),
        digest=decision.digest,
    )


async def left_behind(session: AsyncSession, older_than: timedelta, limit: int = 20) -> list[Decision]:
    """Give decisions that are still only received: a crash, or an engine that was away, left them."""
    statement = (
        select(Decision)
        .where(Decision.state == RECEIVED, Decision.created_at < now() - older_than)
        .order_by(Decision.created_at)
        .limit(limit)
    )
    return list((await session.execute(statement)).scalars())
