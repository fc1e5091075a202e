"""What people hear on their linked chats without asking: emergencies, new accounts of theirs, delegations by others."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from core.clock import now
from core.ids import new_id
from core.permissions import Principal, Role
from core.store import delegations, linking, workspaces
from core.store.audit import AuditTrail
from core.store.identities import Account
from core.store.work import Work, change
from core.tables.connect import Delivery
from core.tables.identity import Identity
from core.tables.people import Membership
from core.values import OperationMode
from tests.world import World

Do = Callable[[Callable[[Work], Awaitable[Any]]], Awaitable[Any]]


@pytest.fixture
def do(world: World) -> Do:
    async def run(change_it: Callable[[Work], Awaitable[Any]]) -> Any:
        async with change(world.database, world.rooms) as work:
            return await change_it(work)

    return run


@pytest.fixture
async def zoe(world: World) -> Principal:
    return await world.person(role=Role.OWNER)


@pytest.fixture
async def bo(world: World, zoe: Principal) -> Principal:
    return await world.person(zoe.workspace_id)


async def chat(world: World, who: Principal, thread: str) -> str:
    """A linked chat of that person; gives its identity."""
    row = Identity(
        id=new_id("idn"),
        user_id=who.user_id,
        workspace_id=who.workspace_id,
        channel="telegram",
        account="bot",
        external_id=f"{who.user_id}{thread}",
        thread=thread,
        linked_at=now(),
    )
    await world.add(row)
    return row.id


async def heard(world: World, who: Principal) -> list[tuple[str, str]]:
    """What goes to chats in that person's workspace: the thread, and what is said."""
    rows = await world.all(Delivery, Delivery.workspace_id == who.workspace_id, Delivery.kind == "notice")
    said = [(row.thread, row.body["message"]["parts"][0]["text"]) for row in sorted(rows, key=lambda row: row.id)]
    return sorted(said, key=lambda one: one[0])


class TestEmergency:
    async def test_everybody_with_a_chat_hears_of_it_and_of_its_end(
        self, world: World, audit: AuditTrail, do: Do, zoe: Principal, bo: Principal
    ):
        await chat(world, zoe, "zoe")
        await chat(world, bo, "bo")
        await chat(world, bo, "bo2")
        await chat(world, await world.person(role=Role.OWNER), "elsewhere")
        await do(lambda work: workspaces.change_mode(work, audit, zoe, OperationMode.EMERGENCY))
        first = await heard(world, zoe)
        await do(lambda work: workspaces.change_mode(work, audit, zoe, OperationMode.MANUAL))
        both = await heard(world, zoe)

        assert [thread for thread, _ in first] == ["bo", "bo2", "zoe"]
        assert {text for _, text in first} == {
            f"EMERGENCY: {zoe.name} stopped everything. Nothing with an effect begins, approved or not."
        }
        assert [text for thread, text in both if thread == "bo"][1:] == [
            f"The emergency is over: {zoe.name} put the workspace into the mode manual."
        ]

    async def test_the_chat_that_said_so_is_not_told_twice_and_other_modes_are_no_emergency(
        self, world: World, audit: AuditTrail, do: Do, zoe: Principal
    ):
        here = await chat(world, zoe, "here")
        await chat(world, zoe, "there")
        speaking = zoe.model_copy(update={"session_id": here})
        await do(lambda work: workspaces.change_mode(work, audit, speaking, OperationMode.MANUAL))
        before = await heard(world, zoe)
        await do(lambda work: workspaces.change_mode(work, audit, speaking, OperationMode.EMERGENCY))

        assert before == []
        assert [thread for thread, _ in await heard(world, zoe)] == ["there"]

    async def test_who_is_shut_out_hears_nothing(
        self, world: World, audit: AuditTrail, do: Do, zoe: Principal, bo: Principal
    ):
        await chat(world, bo, "bo")
        await world.alter(Membership, bo.membership_id, disabled_at=now())
        await do(lambda work: workspaces.change_mode(work, audit, zoe, OperationMode.EMERGENCY))

        assert await heard(world, zoe) == []


class TestLinking:
    async def test_the_persons_other_chats_hear_of_a_new_account(
        self, world: World, audit: AuditTrail, do: Do, zoe: Principal, bo: Principal
    ):
        also_bo = await world.person(zoe.workspace_id)
        await world.alter(Membership, also_bo.membership_id, person_id=bo.user_id)
        for who, thread in ((zoe, "zoe"), (bo, "old"), (also_bo, "older")):
            await chat(world, who, thread)
        new = Account(channel="telegram", account="bot", external_id="666", shown_as="Eve", thread="new")
        await do(lambda work: linking.link(work, audit, bo.user_id, bo.workspace_id, new))
        await do(lambda work: linking.link(work, audit, bo.user_id, bo.workspace_id, new))
        told = await heard(world, bo)

        assert [thread for thread, _ in told] == ["old", "older"]
        assert "Another account can speak and decide as you now: Telegram Eve, 666." in told[0][1]
        assert (await world.told(bo.membership_id))[0] == "identity.changed"


class TestDelegation:
    async def test_in_whose_place_another_puts_somebody_hears_of_it(
        self, world: World, audit: AuditTrail, do: Do, zoe: Principal, bo: Principal
    ):
        cy = await world.person(zoe.workspace_id)
        for who, thread in ((zoe, "zoe"), (bo, "bo"), (cy, "cy")):
            await chat(world, who, thread)
        wish = delegations.Wish(from_user_id=bo.user_id, to_user_id=cy.user_id, ends_at=now() + timedelta(days=1))
        await do(lambda work: delegations.create(work, audit, zoe, wish))
        ((thread, text),) = await heard(world, zoe)

        assert thread == "bo"
        assert text.startswith(f"{zoe.name} lets {cy.name} decide in your place until ")
        assert await world.told(bo.membership_id) == ["delegation.changed"]

    async def test_who_hands_over_themselves_is_told_nothing_new(
        self, world: World, audit: AuditTrail, do: Do, zoe: Principal, bo: Principal
    ):
        await chat(world, zoe, "zoe")
        wish = delegations.Wish(from_user_id=zoe.user_id, to_user_id=bo.user_id, ends_at=now() + timedelta(days=1))
        await do(lambda work: delegations.create(work, audit, zoe, wish))

        assert await heard(world, zoe) == []
