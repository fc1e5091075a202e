"""How calls to services go: one row for each host that a connector calls, shared by all workers and shown at the doors.

A host that begins with `#` stands for one that a person chose, by its hash: these are shown as one, and never by name.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.events import ServiceUpdated
from core.permissions import Role
from core.store import streams
from core.store.work import Work
from core.tables.connect import ServiceHealth
from core.tables.people import Membership
from core.views import ServiceView

CHOSEN = "#"
_APART = " "
_FORGOTTEN_AFTER = timedelta(days=1)


def of_workspace(connector: str, workspace_id: str) -> str:
    """Give what a connector is called here that only one workspace has: two workspaces may have one of a name."""
    return f"{connector}{_APART}{workspace_id}"


async def find(session: AsyncSession, connector: str, host: str) -> ServiceHealth | None:
    """Give what is known of a service; None when nobody has called it yet."""
    return await session.get(ServiceHealth, (connector, host))


async def _row(work: Work, connector: str, host: str) -> ServiceHealth:
    row = await find(work.session, connector, host)
    if row is None:
        row = ServiceHealth(connector=connector, host=host, updated_at=now())
        work.session.add(row)
        if host.startswith(CHOSEN):
            await _forget_chosen(work.session)
    return row


async def _forget_chosen(session: AsyncSession) -> None:
    """Drop the hosts that people chose once, and that nothing is wrong with."""
    old = (ServiceHealth.updated_at < now() - _FORGOTTEN_AFTER, ServiceHealth.breaker == "closed")
    await session.execute(delete(ServiceHealth).where(ServiceHealth.host.startswith(CHOSEN), *old))


async def note(
    work: Work,
    connector: str,
    host: str,
    *,
    ok: bool,
    failures: int = 0,
    detail: str | None = None,
    breaker: str | None = None,
    open_until: datetime | None = None,
) -> None:
    """Write what came of a call, with the breaker's state where that changed; people are told of a change."""
    row = await _row(work, connector, host)
    row.updated_at = now()
    row.failures = failures
    if ok:
        row.last_ok_at = row.updated_at
    else:
        row.last_failure_at, row.detail = row.updated_at, detail
    if breaker is not None:
        row.breaker, row.open_until = breaker, open_until
        await tell(work, connector)


async def note_check(work: Work, connector: str, host: str, *, ok: bool, detail: str) -> None:
    """Write what a service said when somebody asked it; a good answer ends its rest, a bad one begins none."""
    row = await _row(work, connector, host)
    ends = ok and row.breaker != "closed"
    await note(work, connector, host, ok=ok, failures=0 if ok else row.failures, detail=detail)
    if ends:
        row.breaker, row.open_until = "closed", None
    await tell(work, connector)


async def claim(work: Work, connector: str, host: str, seen: tuple[str, datetime | None], until: datetime) -> bool:
    """Take the one try after a rest, which is over at `until`; False when another worker was first."""
    state, open_until = seen
    statement = (
        update(ServiceHealth)
        .where(ServiceHealth.connector == connector, ServiceHealth.host == host)
        .where(ServiceHealth.breaker == state, ServiceHealth.open_until.is_not_distinct_from(open_until))
        .values(breaker="half_open", open_until=until, updated_at=now())
    )
    result = await work.session.execute(statement)
    taken = isinstance(result, CursorResult) and result.rowcount == 1
    if taken:
        await tell(work, connector)
    return taken


async def give_back(work: Work, connector: str, host: str, until: datetime) -> None:
    """End a try that told nothing: from `until` on, the next call tries."""
    row = await _row(work, connector, host)
    if row.breaker == "half_open":
        row.breaker, row.open_until, row.updated_at = "open", until, now()
        await tell(work, connector)


async def pause(work: Work, connector: str, host: str, until: datetime, detail: str) -> None:
    """Keep calls back until then: the service wants fewer."""
    row = await _row(work, connector, host)
    row.paused_until, row.detail, row.updated_at = until, detail, now()
    await tell(work, connector)


async def listed(session: AsyncSession, workspace_id: str = "") -> list[ServiceView]:
    """Give every service that was called, by name; those that people chose as one for each connector.

    Those that a workspace imported are for that workspace only.
    """
    rows = (
        await session.execute(select(ServiceHealth).order_by(ServiceHealth.connector, ServiceHealth.host))
    ).scalars()
    fixed: list[ServiceView] = []
    chosen: dict[str, list[ServiceHealth]] = {}
    for row in rows:
        if _home(row.connector) not in {"", workspace_id}:
            continue
        if row.host.startswith(CHOSEN):
            chosen.setdefault(row.connector, []).append(row)
        else:
            fixed.append(_view(row))
    folded = [_folded(connector, found) for connector, found in chosen.items()]
    return sorted([*fixed, *folded], key=lambda view: (view.connector, view.host))


def _view(row: ServiceHealth) -> ServiceView:
    fields = row.model_dump(exclude={"updated_at"}) | {"connector": _name(row.connector)}
    return ServiceView.model_validate(fields)


def _name(connector: str) -> str:
    return connector.partition(_APART)[0]


def _home(connector: str) -> str:
    return connector.partition(_APART)[2]


def _folded(connector: str, rows: list[ServiceHealth]) -> ServiceView:
    """Say how all the hosts are that people chose: `half_open` while some, `open` when all of them rest."""
    resting = sum(row.breaker != "closed" for row in rows)
    return ServiceView(
        connector=_name(connector),
        host="",
        breaker="closed" if not resting else "open" if resting == len(rows) else "half_open",
        failures=sum(row.failures for row in rows),
        open_until=_latest(row.open_until for row in rows),
        paused_until=_latest(row.paused_until for row in rows),
        last_ok_at=_latest(row.last_ok_at for row in rows),
        last_failure_at=_latest(row.last_failure_at for row in rows),
        detail=f"{resting} of {len(rows)} hosts rest" if resting else None,
    )


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((one for one in times if one is not None), default=None)


async def tell(work: Work, connector: str) -> None:
    """Tell owners and admins how a connector's services are now, as a fresh look would."""
    await work.session.flush()
    name, home = _name(connector), _home(connector)
    views = [view for view in await listed(work.session, home) if view.connector == name]
    statement = select(Membership.id).where(Membership.role.in_([Role.OWNER, Role.ADMIN])).order_by(Membership.id)
    if home:
        statement = statement.where(Membership.workspace_id == home)
    for membership_id in (await work.session.execute(statement)).scalars().all():
        await streams.notify(work, membership_id, *(ServiceUpdated(service=view) for view in views))
