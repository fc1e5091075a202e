"""Requests of outside programs in SQL: kept once for each client key, taken to run once, their outcome told once."""

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.consent import Assurance, Party, asks
from core.errors import Conflict, DigestMismatch, Expired, NotFound, TooMany
from core.ids import new_id
from core.permissions import Principal
from core.store import approvals, deciders, outbox
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.consent import Approval
from core.tables.people import Workspace
from core.values import ApprovalState, OperationMode, Value
from core.views import ApprovalView

ORIGIN = "service"
HOLDS = timedelta(days=1)
"""How long consent to what others run holds when nobody takes it: the world goes on meanwhile."""
_OPEN = (ApprovalState.REQUESTED, ApprovalState.PENDING)


class Wished(Value):
    """How the asker wants people asked; it can only make what policy says stricter.

    Only consents of people with one of `roles`, in one of `groups` (by name) or among `users` (by e-mail address or id)
    count then, where any of these is given.
    """

    roles: tuple[str, ...] = Field((), max_length=10)
    groups: tuple[str, ...] = Field((), max_length=20)
    users: tuple[str, ...] = Field((), max_length=50)
    exclude_requester: bool = False
    comment_required: bool = False
    assurance: Assurance = Assurance.L1

    @property
    def names_people(self) -> bool:
        """Whether it says who should decide."""
        return bool(self.roles or self.groups or self.users)


class Asked(Value):
    """What else an outside program sent, as it is kept beside its request.

    `fingerprint` is of all that was sent, `schema_digest` of what its action was then. `native`: the action is one of a
    connector of ours, whose manifest says risk, effect and schema.
    """

    fingerprint: str
    schema_digest: str
    effect: str
    native: bool = False
    wished: Wished = Wished()
    expires_seconds: float | None = None


class NewRequest(Value):
    """An outside request that was checked."""

    action: str
    risk: str
    title: str
    arguments: dict[str, Any]
    preview: dict[str, Any]
    reason: str | None
    schema_: dict[str, Any] | None
    client_key: str | None
    callback_url: str | None
    expires_seconds: float
    asked: Asked


class Report(Value):
    """What became of what was allowed, in the words of who did it."""

    state: Literal["done", "failed", "unknown", "not run"]
    detail: str = ""


async def add(
    work: Work, audit: AuditTrail, who: Principal, request: NewRequest, most_open: int
) -> tuple[ApprovalView, bool]:
    """Keep a request; it is judged and shown by its workflow. Also tells whether it is new.

    Raises Conflict when its client key was used for something else, TooMany.
    """
    earlier = await _sent_before(work.session, who, request)
    if earlier is not None:
        return await approvals.view_of(work.session, earlier), False
    await _check_room(work.session, who, most_open)
    row = await _row(work.session, who, request)
    work.session.add(row)
    await work.session.flush()
    outbox.put(work, outbox.ASK, row.id, {"approval_id": row.id})
    facts = {
        "action": row.action,
        "risk": row.risk,
        "client_key": row.client_key,
        "fingerprint": asked_of(row).fingerprint,
    }
    await audit.record(work, who.workspace_id, who.user_id, "approval.asked", row.id, **facts)
    return await approvals.view_of(work.session, row), True


async def _row(session: AsyncSession, who: Principal, request: NewRequest) -> Approval:
    """Make the row as it is before policy has looked: nobody may decide it, and nothing is bound."""
    at = now()
    return Approval(
        id=new_id("apr"),
        origin=ORIGIN,
        workspace_id=who.workspace_id,
        requester_id=who.user_id,
        requester_person_id=await deciders.person_of(session, who.workspace_id, who.user_id),
        rule="not judged yet",
        plan=asks(Party()).model_dump(mode="json"),
        bound={},
        digest="",
        state=ApprovalState.REQUESTED,
        expires_at=at + timedelta(seconds=request.expires_seconds),
        created_at=at,
        asked=request.asked.model_dump(mode="json"),
        **request.model_dump(mode="json", exclude={"asked", "expires_seconds"}),
    )


async def _sent_before(session: AsyncSession, who: Principal, request: NewRequest) -> Approval | None:
    if request.client_key is None:
        return None
    statement = select(Approval).where(Approval.requester_id == who.user_id, Approval.client_key == request.client_key)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        return None
    if row.workspace_id != who.workspace_id or asked_of(row).fingerprint != request.asked.fingerprint:
        message = "This client key was used before, for a request that says something else."
        raise Conflict(message, reason="client_key")
    return row


async def _check_room(session: AsyncSession, who: Principal, most: int) -> None:
    statement = select(func.count()).select_from(Approval)
    statement = statement.where(Approval.requester_id == who.user_id, Approval.origin == ORIGIN)
    if (await session.execute(statement.where(Approval.state.in_(_OPEN)))).scalar_one() >= most:
        message = f"{most} requests of yours wait already: withdraw one, or let people decide first."
        raise TooMany(message, retry_after=30)


async def consume(
    work: Work, audit: AuditTrail, who: Principal, approval_id: str, digest: str, claim: str | None
) -> ApprovalView:
    """Give what was approved to whoever runs it, once; raises NotFound, Conflict, Expired, DigestMismatch.

    Under the same claim it is the same taking, for who lost the answer. The caller has seen that who consented may
    still do so.
    """
    row = await own(work.session, who, approval_id)
    _check_approved(row)
    if digest != row.digest:
        message = "This is not what was approved: look at it again; the arguments may have been changed."
        raise DigestMismatch(message)
    if row.consumed_at is not None and claim is not None and row.claim == claim:
        return await approvals.view_of(work.session, row)
    await _check_mode(work.session, row)
    if row.consumed_at is not None:
        message = "This consent was used before; it holds for one time."
        raise Conflict(message, reason="consumed", consumed_at=row.consumed_at.isoformat())
    row.consumed_at, row.claim = now(), claim
    await work.session.flush()
    await audit.record(work, row.workspace_id, who.user_id, "approval.consumed", row.id, digest=row.digest)
    return await approvals.view_of(work.session, row)


def _check_approved(row: Approval) -> None:
    if row.state == ApprovalState.EXPIRED:
        message = "Nobody decided in time; that is a refusal."
        raise Expired(message, state=row.state)
    if row.state != ApprovalState.APPROVED:
        message = f"It is not approved: {row.state}."
        raise Conflict(message, reason="not_approved", state=row.state)
    if row.consumed_at is None and row.decided_at is not None and now() >= row.decided_at + HOLDS:
        message = "It was approved more than a day ago, and nobody took it: ask again."
        raise Expired(message, state=row.state)


async def _check_mode(session: AsyncSession, row: Approval) -> None:
    workspace = await session.get_one(Workspace, row.workspace_id)
    if workspace.operation_mode == OperationMode.EMERGENCY:
        message = "The workspace is in emergency mode: nothing that has not begun may begin."
        raise Conflict(message, reason="emergency")


async def report(work: Work, audit: AuditTrail, who: Principal, approval_id: str, said: Report) -> ApprovalView:
    """Keep what the asker says came of it. Only `unknown` may be said anew. Raises NotFound, Conflict."""
    row = await own(work.session, who, approval_id)
    if row.consumed_at is None:
        message = "Nobody has taken this to run it, so nothing can have come of it."
        raise Conflict(message, reason="not_consumed", state=row.state)
    told = Report.model_validate({name: row.outcome[name] for name in ("state", "detail")}) if row.outcome else None
    if told == said:
        return await approvals.view_of(work.session, row)
    if told is not None and told.state != "unknown":
        message = f"It was told before: {told.state}."
        raise Conflict(message, reason="told", state=told.state)
    row.outcome = {**said.model_dump(mode="json"), "at": now().isoformat()}
    await work.session.flush()
    await audit.record(work, row.workspace_id, who.user_id, "approval.outcome", row.id, **said.model_dump())
    return await approvals.view_of(work.session, row)


async def own(session: AsyncSession, who: Principal, approval_id: str) -> Approval:
    """Lock an outside request of this asker; raises NotFound for anybody else's."""
    row = await approvals.lock(session, approval_id)
    if row.requester_id != who.user_id or row.workspace_id != who.workspace_id or row.origin != ORIGIN:
        message = "There is no such approval."
        raise NotFound(message)
    return row


def asked_of(row: Approval) -> Asked:
    """Give what else the program of an outside request sent."""
    return Asked.model_validate(row.asked)
