"""Groups, managers and users who are one person, on both databases."""

import asyncio

import pytest

from core.clock import now
from core.consent import Party, asks
from core.errors import Conflict
from core.ids import new_id
from core.permissions import Principal, Role
from core.store import deciders, groups, managers, persons
from core.store.audit import AuditTrail
from core.store.groups import InUse
from core.store.work import change
from core.tables.consent import Approval, Policy
from core.tables.identity import Group
from core.tables.records import AuditRow
from tests.world import World


@pytest.fixture
async def owner(world: World) -> Principal:
    return await world.person(role=Role.OWNER)


@pytest.fixture
async def group_id(world: World, audit: AuditTrail, owner: Principal) -> str:
    async with change(world.database, world.rooms) as work:
        return (await groups.create(work, audit, owner, "finance", "")).id


def approval(owner: Principal, group_id: str, state: str) -> Approval:
    return Approval(
        id=new_id("apr"),
        workspace_id=owner.workspace_id,
        requester_id=owner.user_id,
        action="note.send",
        risk="write",
        title="Send",
        arguments={},
        preview={"summary": ""},
        plan=asks(Party(groups=(group_id,))).model_dump(mode="json"),
        bound={},
        digest="d" * 64,
        state=state,
        expires_at=now(),
        created_at=now(),
    )


class TestGroups:
    async def delete(self, world: World, audit: AuditTrail, owner: Principal, group_id: str) -> None:
        async with change(world.database, world.rooms) as work:
            await groups.delete(work, audit, owner, group_id)

    @pytest.mark.parametrize("state", ["requested", "pending"])
    async def test_one_that_an_open_request_asks_stays(self, world, audit, owner, group_id, state):
        await world.add(approval(owner, group_id, state))
        with pytest.raises(InUse):
            await self.delete(world, audit, owner, group_id)

    async def test_one_that_only_closed_requests_of_here_and_open_ones_elsewhere_asked_goes(
        self, world, audit, owner, group_id
    ):
        elsewhere = await world.person(role=Role.OWNER)
        await world.add(approval(owner, group_id, "approved"), approval(elsewhere, group_id, "pending"))
        await world.add(approval(owner, new_id("grp"), "pending"))

        await self.delete(world, audit, owner, group_id)

        assert await world.all(Group, Group.id == group_id) == []

    async def test_one_that_the_rules_of_now_name_stays(self, world, audit, owner, group_id):
        row = Policy(
            id=new_id("pol"),
            workspace_id=owner.workspace_id,
            version=3,
            body={"rules": [{"ask": {"all_of": [{"approvers": {"groups": ["finance"]}}]}}]},
            created_by=owner.user_id,
            created_at=now(),
        )
        await world.add(row)
        with pytest.raises(InUse):
            await self.delete(world, audit, owner, group_id)

    async def test_who_is_in_it_is_a_decider_of_it_and_everything_is_on_record(self, world, audit, owner, group_id):
        member = await world.person(owner.workspace_id)
        async with change(world.database, world.rooms) as work:
            await groups.add(work, audit, owner, group_id, member.user_id)
        async with world.database.reading() as session:
            inside = await deciders.decider_of(session, owner.workspace_id, member.user_id)
        async with change(world.database, world.rooms) as work:
            await groups.remove(work, audit, owner, group_id, member.user_id)
        async with world.database.reading() as session:
            outside = await deciders.decider_of(session, owner.workspace_id, member.user_id)
        await self.delete(world, audit, owner, group_id)
        kinds = [row.kind for row in await world.all(AuditRow)]

        assert inside is not None
        assert outside is not None
        assert (inside.groups, outside.groups) == ((group_id,), ())
        assert kinds == ["group.created", "group.joined", "group.left", "group.deleted"]


class TestManagers:
    async def test_two_who_are_made_each_others_manager_at_once_are_not(self, world, audit, owner):
        one, other = await world.person(owner.workspace_id), await world.person(owner.workspace_id)

        async def put(user: Principal, manager: Principal) -> None:
            async with change(world.database, world.rooms) as work:
                await managers.set_manager(work, audit, owner, user.user_id, manager.user_id)

        answers = await asyncio.gather(put(one, other), put(other, one), return_exceptions=True)

        assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "NoneType"]


class TestOnePerson:
    async def test_is_one_in_this_workspace_only(self, world, audit, owner):
        one, other = await world.person(owner.workspace_id), await world.person(owner.workspace_id)
        async with change(world.database, world.rooms) as work:
            await persons.state_same(work, audit, owner, one.user_id, other.user_id)
        async with world.database.reading() as session:
            here = [await deciders.person_of(session, owner.workspace_id, who.user_id) for who in (one, other)]
            elsewhere = await deciders.person_of(session, new_id("wks"), one.user_id)

        assert here == [other.user_id] * 2
        assert elsewhere == one.user_id

    async def test_is_never_a_chain_even_when_stated_at_once(self, world, audit, owner):
        people = [await world.person(owner.workspace_id) for _ in range(3)]

        async def state(one: Principal, other: Principal) -> None:
            async with change(world.database, world.rooms) as work:
                await persons.state_same(work, audit, owner, one.user_id, other.user_id)

        pairs = [(people[0], people[1]), (people[1], people[2]), (people[2], people[0])]
        answers = await asyncio.gather(*(state(*pair) for pair in pairs), return_exceptions=True)
        async with world.database.reading() as session:
            roots = {await deciders.person_of(session, owner.workspace_id, who.user_id) for who in people}

        assert [one for one in answers if one is not None and not isinstance(one, Conflict)] == []
        assert len(roots) == 1
