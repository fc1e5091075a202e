"""A delegation that begins or ends by time alone: its requests come to the delegate's inbox, and leave it."""

from datetime import timedelta

import pytest

from core.clock import now
from core.permissions import Principal, Role
from core.rooms import LocalRooms
from core.store import delegations
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.work import change
from core.tables.consent import Approval, Delegation
from tests.core.store.test_around_consent import asked
from tests.world import World
from workers.records.handovers import Handovers


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def handovers(world: World) -> Handovers:
    return Handovers(world.database, LocalRooms())


@pytest.fixture
async def zoe(world: World) -> Principal:
    return await world.person(role=Role.OWNER)


@pytest.fixture
async def bo(world: World, zoe: Principal) -> Principal:
    return await world.person(zoe.workspace_id)


@pytest.fixture
async def request_id(world: World, zoe: Principal) -> str:
    return (await asked(world, await world.person(zoe.workspace_id))).id


@pytest.fixture
async def later(world: World, audit: AuditTrail, zoe: Principal, bo: Principal, request_id: str) -> str:
    """A delegation that begins tomorrow, made while a request waits."""
    at = now()
    wish = delegations.Wish(
        from_user_id=zoe.user_id,
        to_user_id=bo.user_id,
        starts_at=at + timedelta(days=1),
        ends_at=at + timedelta(days=2),
    )
    async with change(world.database, world.rooms) as work:
        return (await delegations.create(work, audit, zoe, wish)).id


async def pass_time(world: World, delegation_id: str, days: float) -> None:
    """Let a delegation have been made so much earlier."""
    row = await world.get(Delegation, delegation_id)
    by = timedelta(days=days)
    moved = {name: getattr(row, name) - by for name in ("created_at", "starts_at", "ends_at")}
    await world.alter(Delegation, delegation_id, **moved)


async def named(world: World, approval_id: str) -> set[str]:
    return {one["user_id"] for one in (await world.get(Approval, approval_id)).deciders}


async def test_it_begins_and_ends_by_itself(
    world: World, handovers: Handovers, zoe: Principal, bo: Principal, request_id: str, later: str
):
    before = (await handovers.sweep(), await named(world, request_id))
    await pass_time(world, later, 1)
    begun = (await handovers.sweep(), await named(world, request_id))
    await pass_time(world, later, 1)
    ended = (await handovers.sweep(), await named(world, request_id))

    assert before == (0, {zoe.user_id})
    assert begun == (1, {zoe.user_id, bo.user_id})
    assert ended == (1, {zoe.user_id})
    assert await world.told(bo.membership_id) == ["delegation.changed", "approval.updated", "approval.updated"]


async def test_what_was_seen_to_is_told_once(world: World, handovers: Handovers, bo: Principal, later: str):
    await pass_time(world, later, 1)
    await handovers.sweep()
    await handovers.sweep()
    await Handovers(world.database, LocalRooms()).sweep()

    assert await world.told(bo.membership_id) == ["delegation.changed", "approval.updated"]


async def test_what_passed_while_nobody_looked_is_seen_to(
    world: World, zoe: Principal, bo: Principal, request_id: str, later: str
):
    await pass_time(world, later, 1.5)
    await Handovers(world.database, LocalRooms()).sweep()

    assert await named(world, request_id) == {zoe.user_id, bo.user_id}
