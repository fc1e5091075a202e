"""Several users who are one person, in SQL: stated by owners and admins, so that quorums count them once."""

from contextlib import AbstractAsyncContextManager

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict, Invalid
from core.permissions import Principal, Role
from core.store import deciders, people, reconsidering
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.people import Membership, User
from core.views import PersonView


async def state_same(work: Work, audit: AuditTrail, who: Principal, user_id: str, other_id: str) -> PersonView:
    """State that a user is the same person as another of the workspace. Stating it again changes nothing.

    Raises NotAllowed, NotFound, Invalid (the same user, a service), Conflict (both are several accounts already).
    """
    await people.lock_people(work.session)
    async with await _around(work, who, user_id, other_id):
        user, member = await _managed(work.session, who, user_id)
        _, other = await _managed(work.session, who, other_id)
        if member.id == other.id:
            message = "That is one user."
            raise Invalid(message)
        if _root(member) == _root(other):
            return people.view_of(user, member)
        joining, root = await _who_joins(work.session, member, other)
        joining.person_id = root
    facts = {"same_person_as": other_id, "person_id": root}
    await audit.record(work, who.workspace_id, who.user_id, "person.same", user_id, **facts)
    return people.view_of(user, member)


async def take_back(work: Work, audit: AuditTrail, who: Principal, user_id: str) -> PersonView:
    """Take it back for a user; twice is once. Raises NotAllowed, NotFound, Conflict (take it back for the others)."""
    await people.lock_people(work.session)
    async with await _around(work, who, user_id):
        user, member = await _managed(work.session, who, user_id)
        if member.person_id is None:
            if await _has_others(work.session, member):
                message = "Others were stated to be this one: take it back for them."
                raise Conflict(message)
            return people.view_of(user, member)
        was, member.person_id = member.person_id, None
    await audit.record(work, who.workspace_id, who.user_id, "person.not_same", user_id, person_id=was)
    return people.view_of(user, member)


async def _around(work: Work, who: Principal, *user_ids: str) -> AbstractAsyncContextManager[None]:
    """Give what is around a change of which accounts these people have: who asks may not decide by another one."""
    who.must_be(Role.OWNER, Role.ADMIN)
    persons = await deciders.persons_of(work.session, who.workspace_id, user_ids)
    accounts = await deciders.accounts_of(work.session, who.workspace_id, set(persons.values()))
    return reconsidering.around(work, who.workspace_id, accounts)


async def _managed(session: AsyncSession, who: Principal, user_id: str) -> tuple[User, Membership]:
    user, member = await people.load(session, who, user_id, lock=True)
    people.check_rank(who, Role(member.role))
    if user.kind != "person":
        message = "A service is nobody's account."
        raise Invalid(message)
    return user, member


async def _who_joins(session: AsyncSession, one: Membership, other: Membership) -> tuple[Membership, str]:
    """Give which of the two gets the other's person: one that is a single account."""
    for joining, stays in ((one, other), (other, one)):
        if joining.person_id is None and not await _has_others(session, joining):
            return joining, _root(stays)
    message = "Both are several accounts already: take one of those back first."
    raise Conflict(message)


async def _has_others(session: AsyncSession, member: Membership) -> bool:
    theirs = (Membership.workspace_id == member.workspace_id) & (Membership.person_id == member.user_id)
    return (await session.execute(select(Membership.id).where(theirs).limit(1))).first() is not None


def _root(member: Membership) -> str:
    return member.person_id or member.user_id
