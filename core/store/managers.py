"""Whom people report to, in SQL: rules may ask "the manager of" whoever asks."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict, Invalid
from core.permissions import Principal, Role
from core.store import people
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.people import Membership
from core.views import PersonView

_LONGEST = 1000


async def set_manager(
    work: Work, audit: AuditTrail, who: Principal, user_id: str, manager_id: str | None
) -> PersonView:
    """Say whom a person reports to, None for nobody; owners and admins may, an admin not of an owner.

    What was asked before stays with the manager of then: whom rules ask becomes ids when it is asked.
    Raises NotAllowed, NotFound (either is not here), Invalid (the manager is a service), Conflict (a circle).
    """
    await people.lock_people(work.session)
    user, member = await people.load(work.session, who, user_id, lock=True)
    people.check_rank(who, Role(member.role))
    if manager_id is not None:
        manager, _ = await people.load(work.session, who, manager_id)
        if manager.kind != "person":
            message = "A service manages nobody."
            raise Invalid(message)
        await _check_no_circle(work.session, who, user_id, manager_id)
    member.manager_id = manager_id
    await work.session.flush()
    await audit.record(work, who.workspace_id, who.user_id, "person.manager", user_id, manager_id=manager_id)
    return people.view_of(user, member)


async def _check_no_circle(session: AsyncSession, who: Principal, user_id: str, manager_id: str) -> None:
    above: str | None = manager_id
    for _ in range(_LONGEST):
        if above is None:
            return
        if above == user_id:
            break
        statement = select(Membership.manager_id).where(
            Membership.workspace_id == who.workspace_id, Membership.user_id == above
        )
        above = (await session.execute(statement)).scalar_one_or_none()
    message = "People would report to each other in a circle."
    raise Conflict(message)
