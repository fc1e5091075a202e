"""The audit log in SQL: rows only ever added, each linked to the one before it, one chain for each workspace."""

from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from core.audit import FIRST, Link, Verdict, Verifier, mac_of
from core.clock import now
from core.keys import KeyRing
from core.store.work import Work
from core.tables.records import AuditHead, AuditRow
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

    async def verify(self, session: AsyncSession, workspace_id: str) -> Verdict:
        """Read the whole chain and say whether it is intact, or where it breaks."""
        verifier = Verifier(lambda key_id: self._ring.get("audit", key_id))
        last = 0
        while rows := await _rows_after(session, workspace_id, last):
            verifier.feed((_link(row), row.mac) for row in rows)
            last = rows[-1].number
        statement = select(AuditHead.number, AuditHead.mac).where(AuditHead.workspace_id == workspace_id)
        head = (await session.execute(statement)).one_or_none()
        return verifier.verdict((head[0], head[1]) if head else (0, FIRST))


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


async def page(
    session: AsyncSession, workspace_id: str, *, limit: int, before: int | None
) -> tuple[list[AuditView], int | None, int]:
    """Give the newest rows before a number, newest first; the next cursor; the total. The caller checks who asks."""
    of_it = AuditRow.workspace_id == workspace_id
    statement = select(AuditRow).where(of_it).order_by(AuditRow.number.desc()).limit(limit + 1)
    if before is not None:
        statement = statement.where(AuditRow.number < before)
    rows = list((await session.execute(statement)).scalars())
    total = (await session.execute(select(func.count()).select_from(AuditRow).where(of_it))).scalar_one()
    shown = [AuditView.model_validate(row.model_dump(include=set(AuditView.model_fields))) for row in rows[:limit]]
    return shown, shown[-1].number if len(rows) > limit else None, total
