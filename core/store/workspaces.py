"""A workspace in SQL: how much it leaves to its assistant, and who may say so."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import NotAllowed
from core.events import WorkspaceUpdated
from core.outgoing import plain
from core.permissions import Principal, Role
from core.store import prompting, streams
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.people import Membership, User, Workspace
from core.text import reveal
from core.values import OperationMode
from core.views import WorkspaceView

_MANAGERS = (Role.OWNER, Role.ADMIN)


async def view(session: AsyncSession, who: Principal) -> WorkspaceView:
    """Give the person's workspace."""
    return await _shown(session, await session.get_one(Workspace, who.workspace_id))


async def change_mode(work: Work, audit: AuditTrail, who: Principal, mode: OperationMode) -> WorkspaceView:
    """Run the workspace in another mode, and tell everybody in it; the same mode again changes nothing.

    An emergency and its end are told on all linked chats too, but the one in which it was said.
    Owners and admins may; approvers may stop everything (emergency), and not start it again. Raises NotAllowed.
    """
    _check_may(who, mode)
    statement = select(Workspace).where(Workspace.id == who.workspace_id).with_for_update()
    row = (await work.session.execute(statement.execution_options(populate_existing=True))).scalar_one()
    before = row.operation_mode
    if before == mode:
        return await _shown(work.session, row)
    row.operation_mode, row.mode_changed_at, row.mode_changed_by = mode, now(), who.user_id
    await work.session.flush()
    shown = await _shown(work.session, row)
    members = select(Membership.id).where(Membership.workspace_id == row.id, Membership.disabled_at.is_(None))
    for membership_id in (await work.session.execute(members.order_by(Membership.id))).scalars().all():
        await streams.notify(work, membership_id, WorkspaceUpdated(workspace=shown))
    if OperationMode.EMERGENCY in {mode, before}:
        ref = f"mode:{row.id}:{row.mode_changed_at.isoformat()}"
        await prompting.notify(work, row.id, None, ref, plain(_said(who, mode)), but=who.session_id)
    await audit.record(work, row.id, who.user_id, "workspace.mode", row.id, mode=mode, before=before)
    return shown


def _said(who: Principal, mode: OperationMode) -> str:
    if mode is OperationMode.EMERGENCY:
        return f"EMERGENCY: {reveal(who.name)} stopped everything. Nothing with an effect begins, approved or not."
    return f"The emergency is over: {reveal(who.name)} put the workspace into the mode {mode}."


def _check_may(who: Principal, mode: OperationMode) -> None:
    if who.role is Role.APPROVER and mode is not OperationMode.EMERGENCY:
        message = "An approver may stop everything (emergency); only an owner or an admin may choose another mode."
        raise NotAllowed(message)
    who.must_be(*_MANAGERS, Role.APPROVER)


async def _shown(session: AsyncSession, row: Workspace) -> WorkspaceView:
    changer = await session.get(User, row.mode_changed_by) if row.mode_changed_by else None
    return WorkspaceView(
        id=row.id,
        name=row.name,
        operation_mode=row.operation_mode,
        mode_changed_at=row.mode_changed_at,
        mode_changed_by=row.mode_changed_by,
        mode_changed_by_name=changer.name if changer else None,
    )
