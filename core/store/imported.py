"""Imported connectors in SQL: kept with what they were made of, used once somebody has reviewed them.

`source` has, beside what its kind needs: `address`, `warnings`, `left_out` ({name, why}) and, once it was read again,
`changes`. Only owners and admins see and change any of it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.digest import canonical
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from core.permissions import Principal, Role
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.connect import Connection, Imported
from core.tables.people import Workspace
from core.values import Value
from core.views.imported import ImportedView

REVIEW, READY, CHANGED, REMOVED = "review", "ready", "changed", "removed"
MAX_IMPORTED = 50
MAX_ENABLED = 100
MAX_ENABLED_BYTES = 131_072
"""Of one connector: each enabled action goes into every prompt."""
_RISKS = frozenset({"read", "write", "external_comms", "money", "destructive", "admin"})


class Draft(Value):
    """What was read of a document or a server: `manifest` has every action it offers."""

    kind: str
    name: str
    manifest: dict[str, Any]
    source: dict[str, Any]
    digest: str


async def ready(session: AsyncSession) -> list[Imported]:
    """Give every connector that may be used, of all workspaces, in a fixed order."""
    statement = select(Imported).where(Imported.state == READY).order_by(Imported.workspace_id, Imported.id)
    return [row for row in (await session.execute(statement)).scalars() if row.enabled]


async def mark(session: AsyncSession) -> tuple[tuple[str, datetime], ...]:
    """Give what changes whenever an imported connector does: each with its last change."""
    statement = select(Imported.id, Imported.updated_at).where(Imported.state != REMOVED).order_by(Imported.id)
    return tuple((row[0], row[1]) for row in (await session.execute(statement)).all())


async def add(work: Work, audit: AuditTrail, who: Principal, draft: Draft) -> Imported:
    """Keep what was read, for review: nothing of it may be used yet. Raises NotAllowed, Conflict."""
    who.must_be(Role.OWNER, Role.ADMIN)
    await work.session.execute(select(Workspace.id).where(Workspace.id == who.workspace_id).with_for_update())
    names = (await work.session.execute(select(Imported.name).where(_there(who)))).scalars().all()
    if draft.name in names:
        message = "There is an imported connector of this name already: remove it, or choose another name."
        raise Conflict(message)
    if len(names) >= MAX_IMPORTED:
        message = f"There are {MAX_IMPORTED} imported connectors already: remove one."
        raise Conflict(message)
    row = Imported(
        id=new_id("imp"),
        workspace_id=who.workspace_id,
        enabled=[],
        risks={},
        state=REVIEW,
        created_by=who.user_id,
        created_at=now(),
        updated_at=now(),
        **draft.model_dump(),
    )
    work.session.add(row)
    await work.session.flush()
    facts = {"source": row.kind, "name": row.name, "digest": row.digest, "address": row.source.get("address")}
    await audit.record(work, who.workspace_id, who.user_id, "connector.imported", row.id, **facts)
    return row


async def page(
    session: AsyncSession, who: Principal, *, limit: int, cursor: str | None
) -> tuple[list[ImportedView], str | None, int]:
    """Give the workspace's imported connectors, newest first; next cursor; total. Raises NotAllowed."""
    who.must_be(Role.OWNER, Role.ADMIN)
    total = (await session.execute(select(func.count()).select_from(Imported).where(_there(who)))).scalar_one()
    statement = select(Imported).where(_there(who)).order_by(Imported.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Imported.id < cursor)
    rows = list((await session.execute(statement)).scalars())
    views = [await view(session, row) for row in rows[:limit]]
    return views, rows[limit - 1].id if len(rows) > limit else None, total


async def one(session: AsyncSession, who: Principal, imported_id: str, *, lock: bool = False) -> Imported:
    """Give an imported connector of the workspace; raises NotAllowed, NotFound."""
    who.must_be(Role.OWNER, Role.ADMIN)
    statement = select(Imported).where(_there(who), Imported.id == imported_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        message = "There is no such imported connector."
        raise NotFound(message)
    return row


async def review(
    work: Work,
    audit: AuditTrail,
    who: Principal,
    imported_id: str,
    *,
    digest: str,
    enable: Sequence[str],
    risks: Mapping[str, str],
) -> Imported:
    """Say which actions may be used from now on, and no others, and what risk they are. Raises Conflict, Invalid.

    `digest` is of what was looked at: what has changed since is not enabled by somebody who did not see it. A risk that
    is not named stays as it was said before.
    """
    row = await one(work.session, who, imported_id, lock=True)
    if digest != row.digest:
        message = "It has changed since you looked at it: look at it again."
        raise Conflict(message)
    known = {action["name"] for action in row.manifest["actions"]}
    _check(known, enable, risks)
    _check_size(row, set(enable))
    before = {"enabled": row.enabled, "risks": row.risks}
    row.risks = {name: risk for name, risk in {**row.risks, **risks}.items() if name in known}
    row.enabled = [action["name"] for action in row.manifest["actions"] if action["name"] in set(enable)]
    row.state, row.detail = READY, None
    row.source = {name: value for name, value in row.source.items() if name != "changes"}
    await _touch(work, row)
    facts = {"digest": digest, "enabled": row.enabled, "risks": row.risks, "before": before}
    await audit.record(work, who.workspace_id, who.user_id, "connector.reviewed", row.id, name=row.name, **facts)
    return row


def _check(known: set[str], enable: Sequence[str], risks: Mapping[str, str]) -> None:
    unknown = sorted((set(enable) | set(risks)) - known)
    if unknown:
        raise Invalid(f"It has no action {unknown[0][:60]}.")
    if len(set(enable)) > MAX_ENABLED:
        raise Invalid(f"At most {MAX_ENABLED} actions of a connector can be enabled: choose those you need.")
    wrong = sorted(set(risks.values()) - _RISKS)
    if wrong:
        raise Invalid(f"{wrong[0][:60]} is no risk: {', '.join(sorted(_RISKS))} are.")


def _check_size(row: Imported, enable: set[str]) -> None:
    size = sum(len(canonical(action)) for action in row.manifest["actions"] if action["name"] in enable)
    if size > MAX_ENABLED_BYTES:
        message = (
            f"Together they have {size} bytes; what is enabled goes into every prompt, and {MAX_ENABLED_BYTES} may."
        )
        raise Invalid(message)


async def read_again(
    work: Work, audit: AuditTrail, who: Principal, imported_id: str, draft: Draft, was: str
) -> Imported:
    """Keep what was read anew. When it is another than before, nothing of it may be used until it is reviewed.

    `was` is the digest when the reading began; raises Conflict when somebody else read it anew meanwhile.
    """
    row = await one(work.session, who, imported_id, lock=True)
    if row.digest != was:
        message = "Somebody else read it anew just now: look at it again."
        raise Conflict(message)
    if draft.digest == row.digest:
        return row
    changes = [*row.source.get("changes", []), *changes_of(row.manifest, draft.manifest)]
    row.source = {**draft.source, "changes": list(dict.fromkeys(changes))[:200]}
    row.manifest, row.digest = draft.manifest, draft.digest
    names = {action["name"] for action in draft.manifest["actions"]}
    row.enabled = [name for name in row.enabled if name in names]
    if row.state != REVIEW:
        row.state, row.detail = CHANGED, "It is another than was reviewed."
    await _touch(work, row)
    facts = {"name": row.name, "what": "document", "before": was, "digest": row.digest, "state": row.state}
    await audit.record(work, who.workspace_id, who.user_id, "connector.changed", row.id, **facts)
    return row


def changes_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Say which actions are new, gone, or other than they were."""
    old = {action["name"]: action for action in before["actions"]}
    new = {action["name"]: action for action in after["actions"]}
    found = [f"new: {name}" for name in new if name not in old]
    found += [f"gone: {name}" for name in old if name not in new]
    found += [f"changed: {name}" for name in new if name in old and new[name] != old[name]]
    return found or ["changed: how its calls are made"]


async def note_changed(session: AsyncSession, imported_id: str, digest: str, why: str) -> None:
    """Let nothing of it be used until somebody has reviewed what it became; `digest` is of what was reviewed."""
    row = await session.get(Imported, imported_id, with_for_update=True, populate_existing=True)
    if row is not None and row.state == READY and row.digest == digest:
        row.state, row.detail, row.updated_at = CHANGED, why, now()


async def remove(work: Work, audit: AuditTrail, who: Principal, imported_id: str) -> None:
    """Take it away for good, with its credential. Raises NotAllowed, NotFound."""
    row = await one(work.session, who, imported_id, lock=True)
    row.state, row.detail, row.enabled = REMOVED, "removed by a person", []
    await _remove_connection(work.session, row.connection_id)
    await _touch(work, row)
    await audit.record(work, who.workspace_id, who.user_id, "connector.removed", row.id, name=row.name)


async def _remove_connection(session: AsyncSession, connection_id: str | None) -> None:
    if connection_id is not None:
        connection = await session.get_one(Connection, connection_id)
        connection.state, connection.removed_at = REMOVED, now()
        connection.key_id = connection.ciphertext = None


async def connect(work: Work, audit: AuditTrail, who: Principal, row: Imported, connection: Connection | None) -> None:
    """Have its calls sign in with this from now on, or with nothing; the credential before it is forgotten."""
    await _remove_connection(work.session, row.connection_id)
    if connection is not None:
        work.session.add(connection)
        await work.session.flush()
    row.connection_id = connection.id if connection else None
    await _touch(work, row)
    facts = {"name": row.name, "what": "credential", "credential": (connection.settings or {}) if connection else None}
    await audit.record(work, who.workspace_id, who.user_id, "connector.changed", row.id, **facts)


async def _touch(work: Work, row: Imported) -> None:
    row.updated_at = now()
    work.session.add(row)
    await work.session.flush()


async def view(session: AsyncSession, row: Imported) -> ImportedView:
    """Give what is shown of it in a list."""
    connection = await session.get(Connection, row.connection_id) if row.connection_id else None
    fields = row.model_dump(include=set(ImportedView.model_fields) - {"enabled"})
    return ImportedView(
        **fields,
        title=row.manifest["title"],
        address=row.source.get("address"),
        actions=len(row.manifest["actions"]),
        enabled=len(row.enabled),
        credential=(connection.settings or {}).get("kind") if connection else None,
    )


def _there(who: Principal) -> Any:
    return (Imported.workspace_id == who.workspace_id) & (Imported.state != REMOVED)
