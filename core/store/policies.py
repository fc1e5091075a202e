"""A workspace's rules in SQL: every version that there was, the newest of which holds; saved one after the other."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import String, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, Misconfigured, NotFound
from core.ids import new_id
from core.permissions import Principal, Role
from core.policy.document import PolicyDocument
from core.policy.known import Known, KnownAction, KnownPerson
from core.policy.ruling import BUILT_IN_VERSION
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.consent import Policy
from core.tables.identity import Group, GroupMember
from core.tables.people import Membership, User, Workspace
from core.values import OperationMode, Value
from core.views import PolicyView

MOST_KEPT = 500
READERS = (Role.OWNER, Role.ADMIN, Role.APPROVER)
WRITERS = (Role.OWNER, Role.ADMIN)

_VERSION = select(func.max(Policy.version)).where(Policy.workspace_id == Workspace.id).scalar_subquery()
_HOLDING = select(Workspace.operation_mode, func.coalesce(_VERSION, BUILT_IN_VERSION)).where(
    Workspace.id == bindparam("workspace_id", type_=String())
)


class OtherVersion(Conflict):
    """Somebody saved another version meanwhile; `version` is the newest."""

    code, title = "other_version", "Changed meanwhile"


class BrokenPolicy(Misconfigured):
    """The stored rules cannot be read, so nothing is allowed."""

    code, title = "broken_policy", "The rules cannot be read"


class Current(Value):
    """The rules that hold: version 0 without a document are the built-in ones alone."""

    document: PolicyDocument | None = None
    version: int = BUILT_IN_VERSION


class Documents:
    """Reads the rules that hold, and keeps the newest of each workspace: a version never changes."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: dict[str, tuple[str, Current]] = {}

    async def current(self, session: AsyncSession, workspace_id: str) -> Current:
        """Give the rules that hold now. Raises BrokenPolicy: whoever asks must then let nothing pass."""
        statement = select(Policy.id).where(Policy.workspace_id == workspace_id)
        newest = (await session.execute(statement.order_by(Policy.version.desc()).limit(1))).scalar_one_or_none()
        if newest is None:
            return Current()
        known = self._kept.get(workspace_id)
        if known is None or known[0] != newest:
            known = (newest, _current_of(await session.get_one(Policy, newest)))
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[workspace_id] = known
        return known[1]


async def holding(session: AsyncSession, workspace_id: str) -> tuple[OperationMode, int]:
    """Give the operation mode and the version of the rules that hold now, in one look: each decision asks it."""
    mode, version = (await session.execute(_HOLDING, {"workspace_id": workspace_id})).one()
    return OperationMode(mode), version


def _current_of(row: Policy) -> Current:
    try:
        return Current(document=PolicyDocument.model_validate(row.body), version=row.version)
    except ValidationError as error:
        message = f"Version {row.version} of this workspace's rules cannot be read, so nothing is allowed."
        raise BrokenPolicy(message) from error


async def current(session: AsyncSession, workspace_id: str) -> Current:
    """Give the rules that hold now, read afresh. Raises BrokenPolicy."""
    return await Documents().current(session, workspace_id)


async def newest(session: AsyncSession, who: Principal) -> PolicyView | None:
    """Give the version that holds; None when none was ever saved. Raises NotAllowed."""
    _check_reader(who)
    row = await _newest(session, who.workspace_id)
    return await _shown(session, row) if row else None


async def _newest(session: AsyncSession, workspace_id: str) -> Policy | None:
    statement = select(Policy).where(Policy.workspace_id == workspace_id).order_by(Policy.version.desc()).limit(1)
    return (await session.execute(statement)).scalar_one_or_none()


async def one(session: AsyncSession, who: Principal, version: int) -> PolicyView:
    """Give one version. Raises NotAllowed, NotFound."""
    _check_reader(who)
    statement = select(Policy).where(Policy.workspace_id == who.workspace_id, Policy.version == version)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        message = "There is no such version of the rules."
        raise NotFound(message)
    return await _shown(session, row)


async def page(
    session: AsyncSession, who: Principal, *, limit: int, before: int | None
) -> tuple[list[PolicyView], int | None, int]:
    """Give the versions, newest first, without what is in them; the next cursor; the total. Raises NotAllowed."""
    _check_reader(who)
    theirs = Policy.workspace_id == who.workspace_id
    statement = select(Policy, User.name).join(User, User.id == Policy.created_by).where(theirs)
    statement = statement.order_by(Policy.version.desc()).limit(limit + 1)
    if before is not None:
        statement = statement.where(Policy.version < before)
    rows = (await session.execute(statement)).all()
    total = (await session.execute(select(func.count()).select_from(Policy).where(theirs))).scalar_one()
    shown = [_view(row, name, whole=False) for row, name in rows[:limit]]
    return shown, shown[-1].version if len(rows) > limit else None, total


async def save(
    work: Work,
    audit: AuditTrail,
    who: Principal,
    document: PolicyDocument,
    *,
    expected: int,
    source: str | None,
    note: str | None,
) -> PolicyView:
    """Save the next version; the caller has checked what is in it. Raises NotAllowed, OtherVersion.

    `expected`: the version that it was written after; 0 when there was none.
    """
    who.must_be(*WRITERS)
    locked = select(Workspace.id).where(Workspace.id == who.workspace_id).with_for_update()
    await work.session.execute(locked)
    before = await _newest(work.session, who.workspace_id)
    version = before.version if before else BUILT_IN_VERSION
    if version != expected:
        message = f"The rules were changed meanwhile: version {version} is the newest, not {expected}."
        raise OtherVersion(message, version=version)
    row = Policy(
        id=new_id("pol"),
        workspace_id=who.workspace_id,
        version=version + 1,
        body=document.body(),
        source=source,
        note=note,
        created_by=who.user_id,
        created_at=now(),
    )
    work.session.add(row)
    await work.session.flush()
    facts = {"version": row.version, "digest": digest_of(row.body)}
    await audit.record(work, who.workspace_id, who.user_id, "policy.saved", row.id, **facts)
    return await _shown(work.session, row)


def digest_of(body: Mapping[str, Any]) -> str:
    """Give the SHA-256, in hex, of a document as JSON."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


async def known(
    session: AsyncSession, workspace_id: str, actions: tuple[KnownAction, ...], channels: frozenset[str]
) -> Known:
    """Give what a policy of this workspace can name. The caller checks who asks."""
    statement = (
        select(User, Membership)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == workspace_id)
        .where(User.disabled_at.is_(None), Membership.disabled_at.is_(None))
        .order_by(Membership.id)
    )
    groups = await _groups(session, workspace_id)
    people = [
        (user.kind, _known_person(user, member, frozenset(groups.get(user.id, ()))))
        for user, member in (await session.execute(statement)).all()
    ]
    names = select(Group.name).where(Group.workspace_id == workspace_id)
    return Known(
        people=tuple(one for kind, one in people if kind == "person"),
        programs=tuple(one for kind, one in people if kind != "person"),
        groups=frozenset((await session.execute(names)).scalars()),
        actions=actions,
        channels=channels,
    )


async def _groups(session: AsyncSession, workspace_id: str) -> dict[str, set[str]]:
    statement = select(GroupMember.user_id, Group.name).join(Group, Group.id == GroupMember.group_id)
    found: dict[str, set[str]] = {}
    for user_id, name in await session.execute(statement.where(Group.workspace_id == workspace_id)):
        found.setdefault(user_id, set()).add(name)
    return found


def _known_person(user: User, member: Membership, groups: frozenset[str]) -> KnownPerson:
    return KnownPerson(
        id=user.id,
        email=user.email,
        name=user.name,
        role=member.role,
        person_id=member.person_id or user.id,
        manager_id=member.manager_id,
        groups=groups,
    )


def _check_reader(who: Principal) -> None:
    """Raise NotAllowed for who may not read rules; a program may with the scope that its reading needs anyway."""
    if who.role not in READERS:
        who.must_be(*READERS)


async def _shown(session: AsyncSession, row: Policy) -> PolicyView:
    writer = await session.get(User, row.created_by)
    return _view(row, writer.name if writer else "", whole=True)


def _view(row: Policy, writer: str, *, whole: bool) -> PolicyView:
    return PolicyView(
        version=row.version,
        body=row.body if whole else None,
        source=row.source if whole else None,
        note=row.note,
        digest=digest_of(row.body),
        created_by=row.created_by,
        created_by_name=writer,
        created_at=row.created_at,
    )
