"""What the inbox and a decision ask of SQL does not grow with what waits beside it: SQLite's own plans say so."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from core.clock import now
from core.consent import Party, asks
from core.errors import NotFound
from core.ids import new_id
from core.permissions import Principal, Role
from core.store import approvals
from core.store.database import Database
from core.tables.consent import Approval, ApprovalParty, Delegation
from core.values import ApprovalState
from tests.world import World

Explain = Callable[[Callable[[Any], Awaitable[Any]]], Awaitable[list[str]]]


async def request_of(world: World, who: Principal) -> str:
    """A request of a program for which the owners are asked."""
    row = Approval(
        id=new_id("apr"),
        origin="service",
        workspace_id=who.workspace_id,
        requester_id=who.user_id,
        action="bank.pay",
        risk="money",
        title="Pay",
        arguments={},
        preview={"summary": "Pays"},
        plan=asks(Party(roles=(Role.OWNER,))).model_dump(mode="json"),
        bound={},
        digest="d",
        state=ApprovalState.PENDING,
        expires_at=now() + timedelta(days=1),
        created_at=now(),
    )
    await world.add(row, ApprovalParty(approval_id=row.id, kind="role", value=Role.OWNER))
    return row.id


@pytest.fixture
def small(sqlite_database: Database) -> World:
    """A world in SQLite, whose plans do not depend on statistics."""
    return World(sqlite_database)


@pytest.fixture
def explain(sqlite_database: Database) -> Explain:
    """SQLite's plan of each statement that a reading makes."""
    database = sqlite_database
    made: list[tuple[str, Any]] = []
    engine = database._reader.sync_engine

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            made.append((statement, parameters))

    async def steps(read: Callable[[Any], Awaitable[Any]]) -> list[str]:
        event.listen(engine, "before_cursor_execute", note)
        async with database.reading() as session:
            await read(session)
        event.remove(engine, "before_cursor_execute", note)
        async with database.reading() as session:
            connection = await session.connection()
            plans = [await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values) for text, values in made]
            return [str(row[-1]) for plan in plans for row in plan]

    return steps


class TestPlans:
    async def test_one_request_is_found_without_looking_at_others(self, small: World, explain: Explain):
        owner = await small.person(role=Role.OWNER)
        approval_id = await request_of(small, owner)
        steps = await explain(lambda session: approvals.one(session, owner, approval_id))

        assert steps
        assert [step for step in steps if "SCAN" in step or "kind_value" in step] == []

    async def test_the_inbox_is_read_in_the_order_of_its_index(self, small: World, explain: Explain):
        owner = await small.person(role=Role.OWNER)
        await request_of(small, owner)
        steps = await explain(
            lambda session: approvals.page(session, owner, state="pending", mine=True, limit=50, cursor=None)
        )

        assert any("ix_approvals_workspace_id_state_created_at_id" in step for step in steps)
        assert [step for step in steps if "TEMP B-TREE" in step or "kind_value" in step] == []


class TestKeptStatement:
    """It is made once for each role, so nothing of whom or when it was made for may stay in it."""

    async def test_each_person_of_a_role_sees_their_own(self, world: World):
        mine, theirs = await world.person(role=Role.OWNER), await world.person(role=Role.OWNER)
        approval_id = await request_of(world, mine)
        async with world.database.reading() as session:
            found = await approvals.one(session, mine, approval_id)
            with pytest.raises(NotFound):
                await approvals.one(session, theirs, approval_id)

        assert found.id == approval_id

    async def test_a_delegation_counts_only_while_it_lasts(self, world: World):
        owner = await world.person(role=Role.OWNER)
        deputy = await world.person(owner.workspace_id)
        approval_id = await request_of(world, owner)
        at = now()
        delegation = Delegation(
            id=new_id("dgn"),
            workspace_id=owner.workspace_id,
            from_user_id=owner.user_id,
            to_user_id=deputy.user_id,
            starts_at=at,
            ends_at=at + timedelta(days=1),
            created_by=owner.user_id,
            created_at=at,
        )
        await world.add(delegation)
        async with world.database.reading() as session:
            found = await approvals.one(session, deputy, approval_id)
        await world.alter(Delegation, delegation.id, ends_at=now())
        async with world.database.reading() as session:
            with pytest.raises(NotFound):
                await approvals.one(session, deputy, approval_id)

        assert found.id == approval_id
