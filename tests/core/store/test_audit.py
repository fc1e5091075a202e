"""The audit chain: whatever is changed in it is found, and where."""

import asyncio

import pytest
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import DBAPIError

from core.audit import FIRST, Head, Verdict
from core.keys import KeyRing
from core.store import audit as store
from core.store.audit import AuditTrail
from core.store.work import change
from core.tables.records import AuditHead, AuditRow
from tests.world import World

ROWS = 7


@pytest.fixture
async def workspace_id(world: World, audit: AuditTrail) -> str:
    """A chain of seven rows."""
    workspace_id = await world.workspace()
    for number in range(ROWS):
        async with change(world.database, world.rooms) as work:
            await audit.record(work, workspace_id, "ana", "test.kind", f"subject {number}", number=number)
    return workspace_id


TRIGGERS = {
    "sqlite": ("audit_not_changed", "audit_not_removed", "audit_not_replaced"),
    "postgresql": ("audit_not_changed ON audit", "audit_not_emptied ON audit"),
}


async def tamper(world: World, *statements: object) -> None:
    """As whoever owns the database can: what guards the rows is taken away first."""
    async with world.database.writing() as session:
        for name in TRIGGERS[session.get_bind().dialect.name]:
            await session.execute(text(f"DROP TRIGGER {name}"))
        for one in statements:
            await session.execute(one)  # type: ignore[call-overload]


async def verify(world: World, audit: AuditTrail, workspace_id: str) -> Verdict:
    async with world.database.reading() as session:
        return await audit.verify(session, workspace_id)


def row(workspace_id: str, number: int):
    return (AuditRow.workspace_id == workspace_id) & (AuditRow.number == number)


class TestChain:
    async def test_is_intact_as_written(self, world: World, audit: AuditTrail, workspace_id: str):
        assert await verify(world, audit, workspace_id) == Verdict(rows=ROWS, intact=True)

    async def test_is_intact_when_empty(self, world: World, audit: AuditTrail):
        assert await verify(world, audit, await world.workspace()) == Verdict(rows=0, intact=True)

    @pytest.mark.parametrize(
        "values", [{"actor": "eve"}, {"kind": "other"}, {"subject": "x"}, {"body": {"number": 4}}, {"mac": FIRST}]
    )
    async def test_shows_a_changed_row(self, world: World, audit: AuditTrail, workspace_id: str, values: dict):
        await tamper(world, update(AuditRow).where(row(workspace_id, 3)).values(**values))

        verdict = await verify(world, audit, workspace_id)

        assert (verdict.intact, verdict.broken_at) == (False, 3)

    @pytest.mark.parametrize("number", [1, 4, ROWS])
    async def test_shows_a_missing_row(self, world: World, audit: AuditTrail, workspace_id: str, number: int):
        await tamper(world, delete(AuditRow).where(row(workspace_id, number)))

        verdict = await verify(world, audit, workspace_id)

        assert (verdict.intact, verdict.broken_at) == (False, number)

    async def test_shows_a_gap_that_was_closed(self, world: World, audit: AuditTrail, workspace_id: str):
        await tamper(
            world,
            delete(AuditRow).where(row(workspace_id, 4)),
            *(update(AuditRow).where(row(workspace_id, one)).values(number=one - 1) for one in range(5, ROWS + 1)),
        )

        verdict = await verify(world, audit, workspace_id)

        assert (verdict.intact, verdict.broken_at) == (False, 4)

    async def test_shows_swapped_rows(self, world: World, audit: AuditTrail, workspace_id: str):
        await tamper(
            world,
            update(AuditRow).where(row(workspace_id, 3)).values(number=100),
            update(AuditRow).where(row(workspace_id, 4)).values(number=3),
            update(AuditRow).where(row(workspace_id, 100)).values(number=4),
        )

        verdict = await verify(world, audit, workspace_id)

        assert (verdict.intact, verdict.broken_at) == (False, 3)

    async def test_shows_a_cut_off_end(self, world: World, audit: AuditTrail, workspace_id: str):
        await tamper(world, delete(AuditRow).where(AuditRow.workspace_id == workspace_id, AuditRow.number > 5))

        verdict = await verify(world, audit, workspace_id)

        assert (verdict.intact, verdict.broken_at) == (False, 6)

    async def test_shows_a_chain_that_was_wiped(self, world: World, audit: AuditTrail, workspace_id: str):
        await tamper(world, delete(AuditRow).where(AuditRow.workspace_id == workspace_id))

        assert not (await verify(world, audit, workspace_id)).intact

    async def test_shows_rows_written_with_another_key(self, world: World, audit: AuditTrail, workspace_id: str):
        other = AuditTrail(KeyRing({"test": b"x" * 32}))
        async with change(world.database, world.rooms) as work:
            await other.record(work, workspace_id, "eve", "test.kind", "forged")

        verdict = await verify(world, audit, workspace_id)

        assert (verdict.intact, verdict.broken_at) == (False, ROWS + 1)

    async def test_of_another_workspace_is_its_own(self, world: World, audit: AuditTrail, workspace_id: str):
        other = await world.workspace()
        await tamper(world, update(AuditRow).where(row(workspace_id, 3)).values(actor="eve"))

        assert (await verify(world, audit, other)).intact
        async with world.database.reading() as session:
            assert await store.page(session, other, limit=5, before=None) == ([], None, 0)


class TestGuard:
    """The database itself refuses what would change or remove a row."""

    async def refused(self, world: World, statement: object) -> str:
        with pytest.raises(DBAPIError) as refusal:
            async with world.database.writing() as session:
                await session.execute(statement)  # type: ignore[call-overload]
        return str(refusal.value)

    async def test_a_row_is_not_changed(self, world: World, audit: AuditTrail, workspace_id: str):
        said = await self.refused(world, update(AuditRow).where(row(workspace_id, 3)).values(actor="eve"))

        assert "the audit trail is only added to" in said
        assert await verify(world, audit, workspace_id) == Verdict(rows=ROWS, intact=True)

    async def test_a_row_is_not_removed(self, world: World, audit: AuditTrail, workspace_id: str):
        said = await self.refused(world, delete(AuditRow).where(row(workspace_id, ROWS)))

        assert "the audit trail is only added to" in said
        assert await verify(world, audit, workspace_id) == Verdict(rows=ROWS, intact=True)

    async def test_a_row_is_not_replaced(self, world: World, audit: AuditTrail, workspace_id: str):
        values = (await world.get(AuditRow, (workspace_id, 3))).model_dump() | {"actor": "eve"}
        await self.refused(world, insert(AuditRow).prefix_with("OR REPLACE", dialect="sqlite").values(**values))

        assert await verify(world, audit, workspace_id) == Verdict(rows=ROWS, intact=True)

    async def test_the_table_is_not_emptied(self, world: World, audit: AuditTrail, workspace_id: str):
        async with world.database.reading() as session:
            is_sqlite = session.get_bind().dialect.name == "sqlite"
        said = await self.refused(world, text("DELETE FROM audit" if is_sqlite else "TRUNCATE audit"))

        assert "the audit trail is only added to" in said
        assert await verify(world, audit, workspace_id) == Verdict(rows=ROWS, intact=True)


class TestRecord:
    async def test_by_twenty_at_once_is_one_chain_from_its_first_row(self, world: World, audit: AuditTrail):
        workspace_id = await world.workspace()

        async def record(number: int) -> None:
            async with change(world.database, world.rooms) as work:
                await audit.record(work, workspace_id, "ana", "test.kind", f"{number}")

        await asyncio.gather(*(record(number) for number in range(20)))

        assert await verify(world, audit, workspace_id) == Verdict(rows=20, intact=True)
        assert (await world.get(AuditHead, workspace_id)).number == 20

    async def test_of_a_change_that_fails_leaves_no_trace(self, world: World, audit: AuditTrail, workspace_id: str):
        with pytest.raises(RuntimeError):  # noqa: PT012 - the change fails at its end
            async with change(world.database, world.rooms) as work:
                await audit.record(work, workspace_id, "ana", "test.kind", "undone")
                raise RuntimeError

        assert await verify(world, audit, workspace_id) == Verdict(rows=ROWS, intact=True)


class TestPublished:
    """What was published shows a chain that was cut off, though its end was made to fit."""

    @pytest.fixture
    async def heads(self, world: World, workspace_id: str) -> list[Head]:
        async with world.database.reading() as session:
            return [one for one in await store.heads_to_publish(session, "file:x") if one.workspace_id == workspace_id]

    async def test_heads_are_the_ends_of_chains_that_grew(self, world: World, audit: AuditTrail, workspace_id, heads):
        async with world.database.writing() as session:
            await store.note_published(session, "file:x", heads)
        async with world.database.reading() as session:
            again = await store.heads_to_publish(session, "file:x")
            elsewhere = await store.heads_to_publish(session, "url:y")

        assert [head.number for head in heads] == [ROWS]
        assert workspace_id not in {head.workspace_id for head in again}
        assert workspace_id in {head.workspace_id for head in elsewhere}
        assert (await verify(world, audit, workspace_id)).intact

    @pytest.mark.parametrize("known_to_sql", [True, False])
    async def test_a_chain_cut_off_with_its_end_is_found(
        self, world: World, audit: AuditTrail, workspace_id: str, heads: list[Head], known_to_sql: bool
    ):
        if known_to_sql:
            async with world.database.writing() as session:
                await store.note_published(session, "file:x", heads)
        fifth = await world.get(AuditRow, (workspace_id, 5))
        await tamper(
            world,
            delete(AuditRow).where(AuditRow.workspace_id == workspace_id, AuditRow.number > 5),
            update(AuditHead).where(AuditHead.workspace_id == workspace_id).values(number=5, mac=fifth.mac),
        )

        async with world.database.reading() as session:
            verdict = await audit.verify(session, workspace_id, () if known_to_sql else heads)

        assert (verdict.intact, verdict.broken_at) == (False, 6)
        assert verdict.reason == "the chain is cut off here: 7 rows were published"

    async def test_a_chain_written_anew_with_the_key_is_found(
        self, world: World, audit: AuditTrail, workspace_id: str, heads: list[Head]
    ):
        await tamper(
            world,
            delete(AuditRow).where(AuditRow.workspace_id == workspace_id),
            delete(AuditHead).where(AuditHead.workspace_id == workspace_id),
        )
        for number in range(ROWS):
            async with change(world.database, world.rooms) as work:
                await audit.record(work, workspace_id, "eve", "test.kind", f"subject {number}", number=number)

        async with world.database.reading() as session:
            verdict = await audit.verify(session, workspace_id, heads)

        assert (verdict.intact, verdict.broken_at) == (False, ROWS)
        assert verdict.reason == "another row was published under this number"
