"""Who was shown which request for consent, when and where: noted once for each person, and in the audit trail."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.permissions import Principal
from core.store import approvals
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.consent import Approval, Seen
from core.tables.people import User
from core.values import ApprovalState
from core.views import SeenView


async def is_news(session: AsyncSession, who: Principal, approval_id: str) -> bool:
    """Whether the person was not shown this request before, and it still waits."""
    row = await session.get(Approval, approval_id)
    waits = row is not None and row.state == ApprovalState.PENDING
    return waits and await session.get(Seen, (approval_id, who.user_id)) is None


async def note(work: Work, audit: AuditTrail, who: Principal, approval_id: str, door: str) -> bool:
    """Note that the person is shown a request; False when that was noted before. Raises NotFound."""
    await approvals.one(work.session, who, approval_id)
    await approvals.lock(work.session, approval_id)
    return await note_seen(work, audit, who, approval_id, door)


async def note_seen(work: Work, audit: AuditTrail, who: Principal, approval_id: str, door: str) -> bool:
    """Note it of a request that the person is known to see, and that this transaction has locked."""
    if not await is_news(work.session, who, approval_id):
        return False
    work.session.add(Seen(approval_id=approval_id, user_id=who.user_id, door=door, at=now()))
    await work.session.flush()
    await audit.record(work, who.workspace_id, who.user_id, "approval.seen", approval_id, door=door)
    return True


async def of_approval(session: AsyncSession, who: Principal, approval_id: str) -> list[SeenView]:
    """Give who was shown a request that the person sees, the first first. Raises NotFound."""
    await approvals.one(session, who, approval_id)
    statement = (
        select(Seen, User.name)
        .join(User, User.id == Seen.user_id)
        .where(Seen.approval_id == approval_id)
        .order_by(Seen.at, Seen.user_id)
        .limit(500)
    )
    rows = (await session.execute(statement)).all()
    return [SeenView(user_id=row.user_id, name=name, door=row.door, at=row.at) for row, name in rows]
