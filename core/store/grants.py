"""What "always allow" gave, in SQL: given with the consent that it followed from, used one call at a time, revoked."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.consent import ConsentPlan
from core.errors import NotFound
from core.events import GrantChanged
from core.ids import derived_id
from core.masking import ANY
from core.permissions import Principal, Role
from core.policy import grants as patterns_of
from core.store import streams
from core.store.audit import AuditTrail
from core.store.decisions import GrantWish
from core.store.work import Work
from core.tables.consent import Approval, Decision, Grant
from core.tables.people import Membership, User, Workspace
from core.tables.work import ToolCall
from core.values import ApprovalState, DecisionVerdict, OperationMode
from core.views import GrantView

_MODES = (OperationMode.ASSISTED, OperationMode.AUTONOMOUS)
NOT_OFFERED, NOT_MATCHING, NOT_YOURS = "remember_not_offered", "remember_not_matching", "remember_not_yours"


def may_remember(approval: Approval) -> bool:
    """Whether "always allow" may be offered: its rule says so, one consent is all it takes, and it is of a turn."""
    plan = ConsentPlan.model_validate(approval.plan)
    alone = sum(need.count for stage in plan.stages for need in stage.needs) == 1
    secret_names = {path[0] if path else ANY for path in approval.secrets or ()}
    is_safe = approval.risk != "admin" and ANY not in secret_names
    return plan.may_remember and alone and is_safe and approval.tool_call_id is not None


async def is_offered(session: AsyncSession, who: Principal, approval_id: str) -> bool:
    """Whether this person could always allow the like of a request that waits."""
    row = await session.get(Approval, approval_id)
    return row is not None and row.state == ApprovalState.PENDING and may_remember(row) and not who.is_program


def refusal_of_wish(
    approval: Approval, wish: GrantWish, verdict: DecisionVerdict, arguments: dict[str, Any] | None
) -> str | None:
    """Give the code of why a decision cannot be remembered so; None when it can. `arguments`: as they were edited."""
    if verdict is not DecisionVerdict.APPROVE or not may_remember(approval):
        return NOT_OFFERED
    covered = _covers(approval, wish, approval.arguments if arguments is None else arguments)
    return None if covered else NOT_MATCHING


def _covers(approval: Approval, wish: GrantWish, arguments: dict[str, Any]) -> bool:
    try:
        known = patterns_of.read(wish.patterns)
    except ValueError:
        return False
    secret = {path[0] for path in approval.secrets or () if path}
    written = [name for name, one in known.items() if name in secret and not isinstance(one, patterns_of.AnyValue)]
    return not written and patterns_of.fits(wish.patterns, arguments)


async def give(work: Work, approval: Approval) -> Grant | None:
    """Make what the decision that approved this asked for, in the transaction that closes it; None when it did not.

    Nothing is given to who decided in somebody's place, or when an edit since has made it another call.
    """
    decision = await work.session.get(Decision, approval.decision_id) if approval.decision_id else None
    if decision is None or decision.remember is None or approval.tool_call_id is None:
        return None
    wish = GrantWish.model_validate(decision.remember)
    if refusal_of_wish(approval, wish, DecisionVerdict(decision.verdict), None) is not None:
        return None
    if any(vote["decision_id"] == decision.id and vote["in_place_of"] for vote in approval.votes):
        return None
    call = await work.session.get_one(ToolCall, approval.tool_call_id)
    at = approval.decided_at or now()
    row = Grant(
        id=derived_id("grt", decision.id),
        workspace_id=approval.workspace_id,
        user_id=approval.requester_id,
        action=approval.action,
        schema_digest=call.schema_digest,
        patterns=wish.patterns,
        approval_id=approval.id,
        granted_by=decision.user_id,
        uses_left=wish.uses,
        created_at=at,
        expires_at=at + timedelta(seconds=wish.seconds),
    )
    work.session.add(row)
    await work.session.flush()
    await _tell(work, row)
    return row


def facts_of(grant: Grant) -> dict[str, Any]:
    """Give what the audit trail keeps of a grant."""
    return {
        "of": grant.user_id,
        "action": grant.action,
        "approval_id": grant.approval_id,
        "kinds": {name: pattern["kind"] for name, pattern in grant.patterns.items()},
        "expires_at": grant.expires_at.isoformat(),
        "uses": grant.uses_left,
    }


def _holds(at: datetime) -> ColumnElement[bool]:
    has_uses = or_(Grant.uses_left.is_(None), Grant.uses_left > 0)
    return and_(Grant.revoked_at.is_(None), Grant.expires_at > at, has_uses)


async def covering(session: AsyncSession, call: ToolCall) -> list[Grant]:
    """Give the grants that cover a call as it stands, the one that ends last first; none in a mode that asks always.

    With `grant_id` set, that one alone is looked at.
    """
    statement = (
        select(Grant)
        .join(Workspace, Workspace.id == Grant.workspace_id)
        .where(Grant.workspace_id == call.workspace_id, Grant.user_id == call.user_id, Grant.action == call.action)
        .where(Grant.schema_digest == call.schema_digest, Workspace.operation_mode.in_(_MODES), _holds(now()))
        .order_by(Grant.expires_at.desc(), Grant.id)
        .execution_options(populate_existing=True)
    )
    if call.grant_id is not None:
        statement = statement.where(Grant.id == call.grant_id)
    rows = (await session.execute(statement)).scalars()
    return [row for row in rows if patterns_of.fits(row.patterns, call.arguments)]


async def use(work: Work, grant_id: str) -> bool:
    """Count one use, in the transaction that makes the call; False when it holds no more. Its people are told."""
    statement = (
        update(Grant)
        .where(Grant.id == grant_id, _holds(now()))
        .values(uses=Grant.uses + 1, uses_left=Grant.uses_left - 1, last_used_at=now())
        .returning(Grant.id)
    )
    if (await work.session.execute(statement)).scalar_one_or_none() is None:
        return False
    row = await work.session.get_one(Grant, grant_id, populate_existing=True)
    if row.uses_left == 0:
        await _tell(work, row)
    return True


async def page(
    session: AsyncSession, who: Principal, *, everybody: bool, limit: int, cursor: str | None
) -> tuple[list[GrantView], str | None, int]:
    """Give the grants that let the person's calls pass or that the person gave, newest first.

    `everybody`: the whole workspace's, for owners and admins. Raises NotAllowed.
    """
    if everybody:
        who.must_be(Role.OWNER, Role.ADMIN)
    shown = Grant.workspace_id == who.workspace_id
    if not everybody:
        shown = and_(shown, or_(Grant.user_id == who.user_id, Grant.granted_by == who.user_id))
    statement = select(Grant).where(shown).order_by(Grant.created_at.desc(), Grant.id.desc()).limit(limit + 1)
    at = await session.get(Grant, cursor) if cursor is not None else None
    if at is not None and at.workspace_id == who.workspace_id:
        before = or_(Grant.created_at < at.created_at, and_(Grant.created_at == at.created_at, Grant.id < at.id))
        statement = statement.where(before)
    rows = list((await session.execute(statement)).scalars())
    total = (await session.execute(select(func.count()).select_from(Grant).where(shown))).scalar_one()
    views = [await view_of(session, row) for row in rows[:limit]]
    return views, rows[limit - 1].id if len(rows) > limit else None, total


async def revoke(work: Work, audit: AuditTrail, who: Principal, grant_id: str) -> GrantView:
    """End a grant at once: by whose calls it lets pass, who gave it, an owner or admin. Twice is once.

    Raises NotFound.
    """
    statement = select(Grant).where(Grant.id == grant_id, Grant.workspace_id == who.workspace_id)
    row = (await work.session.execute(statement.with_for_update())).scalar_one_or_none()
    if row is None or not (who.user_id in {row.user_id, row.granted_by} or who.role in {Role.OWNER, Role.ADMIN}):
        message = "There is no such grant."
        raise NotFound(message)
    if row.revoked_at is None:
        row.revoked_at, row.revoked_by = now(), who.user_id
        await work.session.flush()
        await _tell(work, row)
        await audit.record(work, who.workspace_id, who.user_id, "grant.revoked", row.id, of=row.user_id)
    return await view_of(work.session, row)


async def view_of(session: AsyncSession, row: Grant) -> GrantView:
    """Show a grant, with what its patterns say in words."""
    names = select(User.id, User.name).where(User.id.in_([row.user_id, row.granted_by]))
    name_of = {row[0]: row[1] for row in await session.execute(names)}
    known = row.model_dump(include=set(GrantView.model_fields))
    says = {name: patterns_of.says(one) for name, one in patterns_of.read(row.patterns).items()}
    told = {"user_name": name_of.get(row.user_id, ""), "granted_by_name": name_of.get(row.granted_by, "")}
    return GrantView.model_validate({**known, **told, "says": says})


async def _tell(work: Work, row: Grant) -> None:
    """Tell whose calls it lets pass, and who gave it."""
    view = await view_of(work.session, row)
    statement = select(Membership.id).where(
        Membership.workspace_id == row.workspace_id, Membership.user_id.in_([row.user_id, row.granted_by])
    )
    for membership_id in (await work.session.execute(statement.order_by(Membership.id))).scalars():
        await streams.notify(work, membership_id, GrantChanged(grant=view))
