"""What waits for consent, brought up to date within each change of who may decide it: roles, groups, delegations."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.events import ApprovalUpdated
from core.store import approvals, consents, deciders, prompting
from core.store.deciders import Way
from core.store.work import Work
from core.tables.consent import Approval, ApprovalParty, Delegation
from core.tables.identity import GroupMember
from core.tables.people import Membership
from core.tables.talk import Conversation
from core.values import ApprovalState

PAGE = 200


@dataclass
class _Near:
    """Whose standing changes: all ways that ever entitle each of them, and what was handed to or by them."""

    ways: dict[str, set[Way]]
    handed: dict[str, Delegation]

    def concerned(self, approval: Approval) -> set[str]:
        """Give those of them who may decide a request, or could before the change."""
        entitled = deciders.ways_of(approval)
        own = {user for user, ways in self.ways.items() if ways & entitled}
        given = [one for one in self.handed.values() if deciders.covers(one, approval.action, approval.risk)]
        return own | {one.to_user_id for one in given if one.from_user_id in own}


@asynccontextmanager
async def around(
    work: Work, workspace_id: str, user_ids: Collection[str], *coming: Way, handed: Sequence[Delegation] = ()
) -> AsyncIterator[None]:
    """Change what these people may decide; every pending request that it concerns follows, in the same transaction.

    It names who may decide it now; they, and whoever may no more, hear of it in their inboxes, and prompts follow.
    `coming`: ways in which the change entitles them; `handed`: delegations that began or ended. Requests are locked
    before anything else changes, in the order of locks, so that nobody waits in a circle.
    """
    near = await _near(work.session, workspace_id, user_ids, coming)
    near.handed |= {one.id: one for one in handed}
    ids = await _lock(work.session, workspace_id, near)
    yield
    await work.session.flush()
    if not ids:
        return
    near.handed |= await _handed(work.session, workspace_id, user_ids)
    for start in range(0, len(ids), PAGE):
        wanted = select(Approval).where(Approval.id.in_(ids[start : start + PAGE]), _PENDING).order_by(Approval.id)
        found = await work.session.execute(wanted.execution_options(populate_existing=True))
        for approval in list(found.scalars()):
            await _follow(work, approval, near)


_PENDING = Approval.state == ApprovalState.PENDING


async def again(work: Work, workspace_id: str, user_ids: Collection[str], *handed: Delegation) -> None:
    """Bring up to date what these people may decide, since time alone began or ended these delegations."""
    async with around(work, workspace_id, user_ids, handed=handed):
        pass


async def _near(session: AsyncSession, workspace_id: str, user_ids: Collection[str], coming: Collection[Way]) -> _Near:
    handed = await _handed(session, workspace_id, user_ids)
    ways: dict[str, set[Way]] = {one: {("user", one), *coming} for one in user_ids}
    for one in handed.values():
        ways.setdefault(one.from_user_id, {("user", one.from_user_id)})
    roles = select(Membership.user_id, Membership.role)
    for user, role in await session.execute(
        roles.where(Membership.workspace_id == workspace_id, Membership.user_id.in_(ways))
    ):
        ways[user].add(("role", role))
    groups = select(GroupMember.user_id, GroupMember.group_id).where(GroupMember.user_id.in_(ways))
    for user, group in await session.execute(groups):
        ways[user].add(("group", group))
    return _Near(ways, handed)


async def _handed(session: AsyncSession, workspace_id: str, user_ids: Collection[str]) -> dict[str, Delegation]:
    theirs = or_(Delegation.from_user_id.in_(user_ids), Delegation.to_user_id.in_(user_ids))
    statement = select(Delegation).where(Delegation.workspace_id == workspace_id, theirs, deciders.holds(now()))
    return {one.id: one for one in (await session.execute(statement)).scalars()}


async def _lock(session: AsyncSession, workspace_id: str, near: _Near) -> list[str]:
    """Lock what waits for any of them, page by page: conversations before requests; gives the requests' ids."""
    talk = func.coalesce(Approval.conversation_id, "")
    wanted = select(Approval.id, talk).where(Approval.workspace_id == workspace_id, _PENDING, _names(near))
    found: list[str] = []
    following = wanted
    while True:
        page = (await session.execute(following.order_by(talk, Approval.id).limit(PAGE))).all()
        ids = [row[0] for row in page]
        talks = select(Conversation.id).where(Conversation.id.in_({row[1] for row in page}))
        await session.execute(talks.order_by(Conversation.id).with_for_update())
        await session.execute(select(Approval.id).where(Approval.id.in_(ids)).order_by(Approval.id).with_for_update())
        found += ids
        if len(page) < PAGE:
            return found
        last_id, last_talk = page[-1]
        following = wanted.where(or_(talk > last_talk, and_(talk == last_talk, Approval.id > last_id)))


def _names(near: _Near) -> ColumnElement[bool]:
    """Whether the parties of a request name any of them."""
    by_kind: dict[str, set[str]] = {}
    for kind, value in set().union(*near.ways.values()):
        by_kind.setdefault(kind, set()).add(value)
    named = [and_(ApprovalParty.kind == kind, ApprovalParty.value.in_(values)) for kind, values in by_kind.items()]
    return exists(select(1).where(ApprovalParty.approval_id == Approval.id, or_(false(), *named)))


async def _follow(work: Work, approval: Approval, near: _Near) -> None:
    """Write who may decide a request now and tell it; where that is no news to anybody, nothing is told.

    Of very many deciders a request names only some: then those near the change are told whether or not it names them.
    """
    before = approval.deciders
    people = await consents.write_deciders(work.session, approval)
    await work.session.flush()
    is_news, is_cut = approval.deciders != before, max(len(before), len(people)) >= deciders.SHOWN
    if not is_news and not is_cut:
        return
    lost = {one["user_id"] for one in before} if is_news else set()
    more = await _members(work.session, approval.workspace_id, lost | (near.concerned(approval) if is_cut else set()))
    told = sorted({*more, *(people if is_news else [])})
    await approvals.tell(
        work, approval, ApprovalUpdated(approval=await approvals.view_of(work.session, approval)), told
    )
    await prompting.refresh(work, approval)


async def _members(session: AsyncSession, workspace_id: str, user_ids: Collection[str]) -> Sequence[str]:
    statement = select(Membership.id).where(Membership.workspace_id == workspace_id, Membership.user_id.in_(user_ids))
    return (await session.execute(statement)).scalars().all()
