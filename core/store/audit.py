"""The audit log in SQL: rows only ever added, each linked to the one before it, one chain for each workspace."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from core.audit import FIRST, Head, Link, Verdict, Verifier, mac_of
from core.clock import now
from core.keys import KeyRing
from core.store.work import Work
from core.tables.records import AuditHead, AuditPublished, AuditRow
from core.values import Value
from core.views import AuditView

_PAGE = 500


class AuditTrail:
    """Adds to the chains, and checks them."""

    def __init__(self, ring: KeyRing) -> None:
        """Take the ring that signs."""
        self._ring = ring

    async def record(self, work: Work, workspace_id: str, actor: str, kind: str, subject: str, **body: Any) -> None:
        """Add one row in this transaction. Call it last: it locks the chain's head. `body`: ids, hashes, verdicts."""
        head = await self._head(work.session, workspace_id)
        key_id, key = self._ring.active("audit")
        link = Link(
            workspace_id=workspace_id,
            number=head.number + 1,
            at=now(),
            actor=actor,
            kind=kind,
            subject=subject,
            body=body,
            key_id=key_id,
            previous=head.mac,
        )
        mac = mac_of(key, link)
        work.session.add(AuditRow(**dict(link), mac=mac))
        values = {"number": link.number, "mac": mac}
        await work.session.execute(update(AuditHead).where(AuditHead.workspace_id == workspace_id).values(**values))

    async def _head(self, session: AsyncSession, workspace_id: str) -> AuditHead:
        statement = (
            select(AuditHead)
            .where(AuditHead.workspace_id == workspace_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        head = (await session.execute(statement)).scalar_one_or_none()
        if head is not None:
            return head
        insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
        first = insert(AuditHead).values(workspace_id=workspace_id, number=0, mac=FIRST)
        await session.execute(first.on_conflict_do_nothing())
        return (await session.execute(statement)).scalar_one()

    async def verify(self, session: AsyncSession, workspace_id: str, published: Iterable[Head] = ()) -> Verdict:
        """Read the whole chain and say whether it is intact, or where it breaks.

        It is compared with the heads that were published, as SQL knows them and as `published` has them from outside.
        """
        known = [*published, *await published_heads(session, workspace_id)]
        of_it = (head for head in known if head.workspace_id == workspace_id)
        verifier = Verifier(lambda key_id: self._ring.get("audit", key_id), of_it)
        last = 0
        while rows := await _rows_after(session, workspace_id, last):
            verifier.feed((_link(row), row.mac) for row in rows)
            last = rows[-1].number
        statement = select(AuditHead.number, AuditHead.mac).where(AuditHead.workspace_id == workspace_id)
        head = (await session.execute(statement)).one_or_none()
        return verifier.verdict((head[0], head[1]) if head else (0, FIRST))


async def published_heads(session: AsyncSession, workspace_id: str) -> list[Head]:
    """Give the heads that SQL knows to be published."""
    statement = select(AuditPublished).where(AuditPublished.workspace_id == workspace_id)
    rows = (await session.execute(statement)).scalars()
    return [Head(workspace_id=row.workspace_id, number=row.number, mac=row.mac, at=row.at) for row in rows]


async def heads_to_publish(session: AsyncSession, target: str) -> list[Head]:
    """Give the heads of all chains that grew since they were published there."""
    before = (AuditPublished.workspace_id == AuditHead.workspace_id) & (AuditPublished.target == target)
    statement = (
        select(AuditHead)
        .outerjoin(AuditPublished, before)
        .where(AuditHead.number > func.coalesce(AuditPublished.number, 0))
        .order_by(AuditHead.workspace_id)
    )
    at = now()
    rows = (await session.execute(statement)).scalars()
    return [Head(workspace_id=row.workspace_id, number=row.number, mac=row.mac, at=at) for row in rows]


async def note_published(session: AsyncSession, target: str, heads: Iterable[Head]) -> None:
    """Write down what was published where."""
    for head in heads:
        await session.merge(AuditPublished(target=target, **head.model_dump()))


async def exported(session: AsyncSession, workspace_id: str, after: int) -> list[dict[str, Any]]:
    """Give the next rows of a chain, oldest first, with all that their HMACs cover."""
    return [row.model_dump(mode="json") for row in await _rows_after(session, workspace_id, after)]


async def _rows_after(session: AsyncSession, workspace_id: str, number: int) -> list[AuditRow]:
    statement = (
        select(AuditRow)
        .where(AuditRow.workspace_id == workspace_id, AuditRow.number > number)
        .order_by(AuditRow.number)
        .limit(_PAGE)
    )
    return list((await session.execute(statement)).scalars())


def _link(row: AuditRow) -> Link:
    return Link.model_validate(row.model_dump(exclude={"mac"}))


async def about(session: AsyncSession, workspace_id: str, subjects: set[str]) -> list[AuditRow]:
    """Give the rows about these subjects, oldest first."""
    statement = (
        select(AuditRow)
        .where(AuditRow.workspace_id == workspace_id, AuditRow.subject.in_(subjects))
        .order_by(AuditRow.number)
        .limit(_PAGE)
    )
    return list((await session.execute(statement)).scalars())


class Only(Value):
    """Which rows are asked for: `kind` and what begins with it and a dot, whose, about what, within which time."""

    kind: str | None = None
    actor: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = Only()


def _conditions(only: Only) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if only.kind is not None:
        found.append(or_(AuditRow.kind == only.kind, AuditRow.kind.startswith(f"{only.kind}.", autoescape=True)))
    if only.actor is not None:
        found.append(AuditRow.actor == only.actor)
    if only.subject is not None:
        found.append(AuditRow.subject == only.subject)
    if only.since is not None:
        found.append(AuditRow.at >= only.since)
    if only.until is not None:
        found.append(AuditRow.at < only.until)
    return found


async def page(
    session: AsyncSession, workspace_id: str, *, limit: int, before: int | None, only: Only = EVERYTHING
) -> tuple[list[AuditView], int | None, int]:
    """Give the newest rows before a number, newest first; the next cursor; the total. The caller checks who asks."""
    of_it = and_(AuditRow.workspace_id == workspace_id, *_conditions(only))
    statement = select(AuditRow).where(of_it).order_by(AuditRow.number.desc()).limit(limit + 1)
    if before is not None:
        statement = statement.where(AuditRow.number < before)
    rows = list((await session.execute(statement)).scalars())
    total = (await session.execute(select(func.count()).select_from(AuditRow).where(of_it))).scalar_one()
    shown = [AuditView.model_validate(row.model_dump(include=set(AuditView.model_fields))) for row in rows[:limit]]
    return shown, shown[-1].number if len(rows) > limit else None, total
