"""Who may decide in SQL: people as they stand now, the ways in which a plan entitles them, and their delegations."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, String, and_, bindparam, cast, exists, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.consent import ConsentPlan, Decider, Party
from core.permissions import Principal, Role
from core.tables.base import UtcDateTime
from core.tables.consent import Approval, ApprovalParty, Delegation
from core.tables.identity import Group, GroupMember
from core.tables.people import Membership, User
from core.views import DeciderView

SHOWN = 50
Way = tuple[str, str]
"""One way to be entitled: role, group or user, and which."""
_CLOCK = bindparam("now", callable_=now, type_=UtcDateTime())
"""The time at which a statement runs, not at which it was made: `core.store.approvals` keeps one."""


def ways(plan: ConsentPlan, stage: int, requester_id: str, *, escalated: bool) -> set[Way]:
    """Give the ways in which the running stage, and whom it was escalated to, entitle people."""
    parties = [need.party for need in plan.stages[min(stage, len(plan.stages) - 1)].needs]
    if escalated and plan.escalate_to is not None:
        parties.append(plan.escalate_to)
    return {way for party in parties for way in _ways_of(party, requester_id)}


def ways_of(approval: Approval) -> set[Way]:
    """Give the ways in which a request entitles people as it stands now."""
    plan = ConsentPlan.model_validate(approval.plan)
    return ways(plan, approval.stage, approval.requester_id, escalated=approval.escalated_at is not None)


def _ways_of(party: Party, requester_id: str) -> Iterable[Way]:
    yield from (("role", role) for role in party.roles)
    yield from (("group", group) for group in party.groups)
    yield from (("user", user) for user in party.users)
    if party.requester:
        yield "user", requester_id


async def wished(
    session: AsyncSession, workspace_id: str, plan: ConsentPlan, requester_id: str, people: set[str]
) -> set[str]:
    """Give those of these people (user ids) whose consents count, where an outside program wished for some only."""
    if plan.only is None:
        return people
    meant = await people_for(session, workspace_id, set(_ways_of(plan.only, requester_id)))
    return people & {view.user_id for _, view in meant}


async def deciding(session: AsyncSession, approval: Approval, entitled: set[Way]) -> list[tuple[str, DeciderView]]:
    """Give the membership ids and names of all who may decide an approval now, as its workflow would judge them.

    First those whose consents count in their own right, then who stands in for them; never an account of the requester,
    nor anybody in their place, where the plan leaves the requester out.
    """
    plan = ConsentPlan.model_validate(approval.plan)
    people = await people_for(session, approval.workspace_id, entitled)
    out = await _accounts_of_requester(session, approval) if plan.exclude_requester else set()
    asked = {view.user_id for _, view in people} - out
    meant = await wished(session, approval.workspace_id, plan, approval.requester_id, asked)
    people = [one for one in people if one[1].user_id in meant]
    return people + [one for one in await deputies(session, approval, people) if one[1].user_id not in out]


async def _accounts_of_requester(session: AsyncSession, approval: Approval) -> set[str]:
    """Give every account that is the requester's, as was known at the asking and as is known now."""
    now_known = await person_of(session, approval.workspace_id, approval.requester_id)
    persons = {now_known, approval.requester_person_id or approval.requester_id}
    return {approval.requester_id, *await accounts_of(session, approval.workspace_id, persons)}


async def accounts_of(session: AsyncSession, workspace_id: str, persons: Collection[str]) -> set[str]:
    """Give the user ids of all accounts of these people, who are named by what their accounts share."""
    statement = select(Membership.user_id).where(
        Membership.workspace_id == workspace_id,
        or_(Membership.user_id.in_(persons), Membership.person_id.in_(persons)),
    )
    return set((await session.execute(statement)).scalars())


async def decider_of(session: AsyncSession, workspace_id: str, user_id: str) -> Decider | None:
    """Give somebody who decides, as they stand now; None for who is not here any more, a program, or a viewer."""
    person = await standing_of(session, workspace_id, user_id)
    return person if person is not None and person.role != Role.VIEWER else None


async def standing_of(session: AsyncSession, workspace_id: str, user_id: str) -> Decider | None:
    """Give a person as they stand now, whatever they may; None when they are not here any more, or are a program."""
    statement = (
        select(Membership.person_id, Membership.role)
        .join(User, User.id == Membership.user_id)
        .where(User.id == user_id, Membership.workspace_id == workspace_id, User.kind == "person")
        .where(User.disabled_at.is_(None), Membership.disabled_at.is_(None))
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        return None
    groups = select(GroupMember.group_id).join(Group, Group.id == GroupMember.group_id)
    groups = groups.where(GroupMember.user_id == user_id, Group.workspace_id == workspace_id).order_by(Group.id)
    found = tuple((await session.execute(groups)).scalars())
    return Decider(user_id=user_id, person_id=row[0] or user_id, role=row[1], groups=found)


async def person_of(session: AsyncSession, workspace_id: str, user_id: str) -> str:
    """Give the id that all accounts of one person share in a workspace."""
    return (await persons_of(session, workspace_id, {user_id}))[user_id]


async def persons_of(session: AsyncSession, workspace_id: str, user_ids: Collection[str]) -> dict[str, str]:
    """Give that id of each of these users; of one who is not here, their own."""
    statement = select(Membership.user_id, func.coalesce(Membership.person_id, Membership.user_id)).where(
        Membership.workspace_id == workspace_id, Membership.user_id.in_(user_ids)
    )
    return {one: one for one in user_ids} | {row[0]: row[1] for row in await session.execute(statement)}


async def delegators_of(session: AsyncSession, approval: Approval, user_id: str, at: datetime) -> list[Decider]:
    """Give, as they stand now, the people in whose place this one may decide that approval. A viewer: in nobody's."""
    if await decider_of(session, approval.workspace_id, user_id) is None:
        return []
    statement = select(Delegation).where(holds(at), Delegation.to_user_id == user_id)
    statement = statement.where(Delegation.workspace_id == approval.workspace_id).order_by(Delegation.id)
    found: list[Decider] = []
    for row in (await session.execute(statement)).scalars():
        if not covers(row, approval.action, approval.risk):
            continue
        decider = await decider_of(session, approval.workspace_id, row.from_user_id)
        if decider is not None:
            found.append(decider)
    return found


def covers(delegation: Delegation, action: str, risk: str) -> bool:
    """Whether a delegation is for such a call."""
    return (delegation.risks is None or risk in delegation.risks) and (
        delegation.actions is None or action in delegation.actions
    )


def holds(at: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Whether a delegation lets somebody decide at a time."""
    return and_(Delegation.revoked_at.is_(None), Delegation.starts_at <= at, Delegation.ends_at > at)


def entitles(who: Principal) -> ColumnElement[bool]:
    """Whether an approval's parties let this person decide, in their own right or in place of somebody else."""
    mine = or_(
        and_(ApprovalParty.kind == "role", ApprovalParty.value == who.role),
        and_(ApprovalParty.kind == "user", ApprovalParty.value == who.user_id),
        and_(
            ApprovalParty.kind == "group",
            ApprovalParty.value.in_(select(GroupMember.group_id).where(GroupMember.user_id == who.user_id)),
        ),
    )
    own = select(1).where(ApprovalParty.approval_id == Approval.id, mine)
    is_person = exists(select(1).where(User.id == who.user_id, User.kind == "person"))
    looks_only = literal(who.role == Role.VIEWER)
    return and_(~looks_only, is_person, or_(exists(own.correlate(Approval)), exists(_by_delegation(who))))


def _by_delegation(who: Principal) -> Any:
    """Give whether somebody who delegated to this person may decide the approval, within what they handed over.

    Asked of each approval by itself, as `entitles` is: a list of all that somebody may decide grows with the years.
    """
    groups = select(GroupMember.group_id).where(GroupMember.user_id == Delegation.from_user_id)
    theirs = or_(
        and_(ApprovalParty.kind == "role", ApprovalParty.value == Membership.role),
        and_(ApprovalParty.kind == "user", ApprovalParty.value == Delegation.from_user_id),
        and_(ApprovalParty.kind == "group", ApprovalParty.value.in_(groups)),
    )
    return (
        select(1)
        .select_from(Delegation)
        .join(
            Membership,
            (Membership.user_id == Delegation.from_user_id) & (Membership.workspace_id == Delegation.workspace_id),
        )
        .join(User, User.id == Delegation.from_user_id)
        .join(ApprovalParty, ApprovalParty.approval_id == Approval.id)
        .where(holds(_CLOCK), Delegation.to_user_id == who.user_id, Delegation.workspace_id == who.workspace_id)
        .where(Membership.role != Role.VIEWER)
        .where(Delegation.workspace_id == Approval.workspace_id)
        .where(User.disabled_at.is_(None), Membership.disabled_at.is_(None))
        .where(_names(Delegation.risks, Approval.risk), _names(Delegation.actions, Approval.action), theirs)
        .correlate(Approval)
    )


def _names(named: Any, one: Any) -> ColumnElement[bool]:
    """Whether a list of words, kept as JSON, is not there or has this one (letters, digits, dots, underscores)."""
    text = cast(named, String)
    word = func.replace(one, "_", "\\_")
    return or_(text.is_(None), text == "null", text.like(literal('%"') + word + literal('"%'), escape="\\"))


async def deputies(
    session: AsyncSession, approval: Approval, people: Sequence[tuple[str, DeciderView]]
) -> list[tuple[str, DeciderView]]:
    """Give who may decide an approval in place of one of these people, and is none of them, in a fixed order."""
    names = {view.user_id: view.name for _, view in people}
    statement = (
        select(Delegation, Membership.id, User.name)
        .join(User, User.id == Delegation.to_user_id)
        .join(Membership, (Membership.user_id == User.id) & (Membership.workspace_id == Delegation.workspace_id))
        .where(holds(now()), Delegation.workspace_id == approval.workspace_id, User.kind == "person")
        .where(Membership.role != Role.VIEWER)
        .where(User.disabled_at.is_(None), Membership.disabled_at.is_(None))
        .order_by(Delegation.id)
    )
    found: dict[str, DeciderView] = {}
    for row, member, name in await session.execute(statement):
        stands_in = row.from_user_id in names and row.to_user_id not in names
        if stands_in and covers(row, approval.action, approval.risk):
            view = DeciderView(user_id=row.to_user_id, name=name, in_place_of=names[row.from_user_id])
            found.setdefault(member, view)
    return list(found.items())


async def people_for(session: AsyncSession, workspace_id: str, entitled: set[Way]) -> list[tuple[str, DeciderView]]:
    """Give the membership ids and names of all whom these ways entitle, in a fixed order."""
    by_kind = {kind: [value for one, value in entitled if one == kind] for kind in ("role", "group", "user")}
    in_groups = select(GroupMember.user_id).where(GroupMember.group_id.in_(by_kind["group"]))
    statement = (
        select(Membership.id, User.id, User.name)
        .join(User, User.id == Membership.user_id)
        .where(Membership.workspace_id == workspace_id, User.kind == "person", Membership.role != Role.VIEWER)
        .where(User.disabled_at.is_(None), Membership.disabled_at.is_(None))
        .where(
            or_(
                Membership.role.in_(by_kind["role"]),
                Membership.user_id.in_(by_kind["user"]),
                Membership.user_id.in_(in_groups),
            )
        )
        .order_by(Membership.id)
    )
    rows = await session.execute(statement)
    return [(member, DeciderView(user_id=user, name=name)) for member, user, name in rows]
