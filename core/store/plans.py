"""How a rule has people asked becomes a plan: names become ids, spans of time become instants."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.consent import ConsentPlan, Need, OnExpiry, Party, Stage
from core.errors import Conflict
from core.permissions import Role
from core.policy.asking import LONGEST
from core.policy.deciding import Seats, unfilled
from core.policy.document import PolicyDocument
from core.policy.ruling import AskedParty, Asking
from core.policy.times import Hours
from core.store import deciders
from core.tables.identity import Group, GroupMember
from core.tables.people import Membership, User
from core.values import Value

MORE_WANTED = "the rules ask for more consent now than was given"


class CannotAsk(Conflict):
    """The rules want more for a request than there is, so the call is denied."""

    code, title = "cannot_ask", "Nobody can be asked"


class ReasonMissing(CannotAsk):
    """The rules want a reason, and whoever asks gave none."""

    code, title = "reason_missing", "A reason is missing"


class NobodyToAsk(CannotAsk):
    """Too few people are here who could give the consent that a rule wants: the call is denied."""

    code, title = "nobody_to_ask", "Nobody can decide this"


class Resolved(Value):
    """A plan, and when the time to decide is over."""

    plan: ConsentPlan
    expires_at: datetime


def check_reason(asking: Asking | None, reason: str | None) -> None:
    """Raise ReasonMissing when a rule wants a reason and there is none."""
    if asking is not None and asking.reason_required and not (reason or "").strip():
        message = "The rules want a reason for this, and none was given: say why, and ask again."
        raise ReasonMissing(message)


async def resolve(
    session: AsyncSession,
    asking: Asking,
    workspace_id: str,
    requester_id: str,
    at: datetime,
    expiry: timedelta,
    document: PolicyDocument | None = None,
) -> Resolved:
    """Look up whom a rule asks, as things stand now. `expiry`: the time to decide where the rule names none.

    `document` has the rotas and business hours that the rule names. Raises NobodyToAsk.
    """
    lookup = _Lookup(session, document or PolicyDocument(), workspace_id, requester_id, at)
    stages = tuple(
        [await lookup.stage(stage.name, [(one.party, one.count) for one in stage.needs]) for stage in asking.stages]
    )
    other = await lookup.party(asking.escalate_to) if asking.escalate_to else None
    at_once = await lookup.must_escalate_at_once(stages, other, excluded=asking.exclude_requester)
    times = _Times(at, _hours(asking, document), asking, expiry)
    plan = ConsentPlan(
        stages=stages,
        exclude_requester=asking.exclude_requester,
        assurance=asking.assurance,
        comment_required=asking.comment_required,
        remind_at=times.remind_at(),
        escalate_at=at if at_once else times.escalate_at(),
        escalate_to=other,
        escalated_seconds=times.escalated_seconds() if other else 0,
        on_expiry=asking.on_expiry if other else OnExpiry.REFUSE,
        may_remember=asking.may_remember,
    )
    return Resolved(plan=plan, expires_at=times.expires_at)


def _hours(asking: Asking, document: PolicyDocument | None) -> Hours | None:
    """Give the hours in which time passes; raises NobodyToAsk where a rule names hours that are not there."""
    if asking.business_hours is None:
        return None
    found = document.hours.get(asking.business_hours) if document else None
    if found is None:
        message = f"The rules name hours that they do not have: {asking.business_hours}."
        raise NobodyToAsk(message)
    return found


class _Times:
    """The instants of one request. None of them is more than 14 days after the asking, whatever hours are kept."""

    def __init__(self, at: datetime, hours: Hours | None, asking: Asking, expiry: timedelta) -> None:
        self._at, self._hours, self._asking = at, hours, asking
        self._last = at + timedelta(seconds=LONGEST)
        self.expires_at = min(self._after(at, asking.expires_seconds or expiry.total_seconds()), self._last)

    def _after(self, at: datetime, seconds: float) -> datetime:
        return self._hours.after(at, seconds) if self._hours else at + timedelta(seconds=seconds)

    def remind_at(self) -> tuple[datetime, ...]:
        found = (self._after(self._at, seconds) for seconds in sorted(self._asking.remind_seconds))
        return tuple(one for one in found if one < self.expires_at)

    def escalate_at(self) -> datetime | None:
        if self._asking.escalate_seconds is None or self._asking.escalate_to is None:
            return None
        found = self._after(self._at, self._asking.escalate_seconds)
        return found if found < self.expires_at else None

    def escalated_seconds(self) -> float:
        until = min(self._after(self.expires_at, self._asking.escalated_seconds), self._last)
        return max(0.0, (until - self.expires_at).total_seconds())


@dataclass(frozen=True)
class _Lookup:
    """Finds the people of one workspace, for one requester at one time."""

    session: AsyncSession
    document: PolicyDocument
    workspace_id: str
    requester_id: str
    at: datetime

    async def stage(self, name: str, needs: Sequence[tuple[AskedParty, int]]) -> Stage:
        found = [Need(party=await self.party(party), count=count) for party, count in needs]
        return Stage(name=name, needs=tuple(found))

    async def party(self, asked: AskedParty) -> Party:
        """Give a party by ids; whoever is not found is nobody."""
        on_call = [rota.on_call(self.at) for name in asked.rotas if (rota := self.document.rotas.get(name))]
        users = await self._users([*asked.users, *(one for one in on_call if one is not None)])
        if asked.manager:
            users |= await self._users([await self._manager() or ""])
        return Party(
            requester=asked.requester,
            roles=asked.roles,
            groups=await self._groups(asked.groups),
            users=tuple(sorted(users)),
        )

    async def _groups(self, names: Sequence[str]) -> tuple[str, ...]:
        if not names:
            return ()
        statement = select(Group.id).where(Group.workspace_id == self.workspace_id, Group.name.in_(names))
        return tuple((await self.session.execute(statement.order_by(Group.id))).scalars())

    async def _users(self, names: Sequence[str]) -> set[str]:
        if not names:
            return set()
        called = or_(User.id.in_(names), User.email.in_([one.lower() for one in names]))
        statement = (
            select(User.id)
            .join(Membership, Membership.user_id == User.id)
            .where(Membership.workspace_id == self.workspace_id, User.kind == "person", called)
            .where(User.disabled_at.is_(None), Membership.disabled_at.is_(None))
        )
        return set((await self.session.execute(statement)).scalars())

    async def _manager(self) -> str | None:
        statement = select(Membership.manager_id).where(
            Membership.workspace_id == self.workspace_id, Membership.user_id == self.requester_id
        )
        return (await self.session.execute(statement)).scalar_one_or_none()

    async def must_escalate_at_once(self, stages: Sequence[Stage], other: Party | None, *, excluded: bool) -> bool:
        """Whether only those can decide to whom it would be escalated. Raises NobodyToAsk when even they cannot."""
        needs = [need for stage in stages for need in stage.needs]
        total = sum(need.count for need in needs)
        if not await self._unfilled(needs, None, total, excluded=excluded):
            return False
        short = await self._unfilled(needs, other, total, excluded=excluded) if other else total
        if other is None or short:
            message = (
                "Nobody is here who could decide this, so it is not done: the rules ask for people who are missing."
            )
            raise NobodyToAsk(message)
        return True

    async def _unfilled(self, needs: Sequence[Need], other: Party | None, total: int, *, excluded: bool) -> int:
        seats = [Seats(await self._people(need.party, other, total, excluded=excluded), need.count) for need in needs]
        return unfilled(seats)

    async def _people(self, party: Party, other: Party | None, most: int, *, excluded: bool) -> frozenset[str]:
        """Give persons of a party, `most` at most: with so many for each consent, nobody runs short."""
        plan = ConsentPlan(stages=(Stage(needs=(Need(party=party),)),), escalate_to=other)
        ways = deciders.ways(plan, 0, self.requester_id, escalated=other is not None)
        person = func.coalesce(Membership.person_id, User.id)
        named = {kind: [value for one, value in ways if one == kind] for kind in ("role", "group", "user")}
        in_groups = select(GroupMember.user_id).where(GroupMember.group_id.in_(named["group"]))
        statement = (
            select(person)
            .distinct()
            .select_from(User)
            .join(Membership, Membership.user_id == User.id)
            .where(Membership.workspace_id == self.workspace_id, User.kind == "person", Membership.role != Role.VIEWER)
            .where(User.disabled_at.is_(None), Membership.disabled_at.is_(None))
            .where(or_(Membership.role.in_(named["role"]), User.id.in_(named["user"]), User.id.in_(in_groups)))
            .limit(most)
        )
        if excluded:
            statement = statement.where(
                person != await deciders.person_of(self.session, self.workspace_id, self.requester_id)
            )
        return frozenset((await self.session.execute(statement)).scalars())
