"""Requests follow each change of who may decide them: they name the right people, and whom it concerns hears of it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from core.clock import now
from core.consent import ConsentPlan, Party, asks
from core.ids import new_id
from core.permissions import Principal, Role
from core.store import consents, delegations, groups, people, persons
from core.store.audit import AuditTrail
from core.store.deciders import SHOWN
from core.store.reconsidering import PAGE
from core.store.work import Work, change
from core.tables.connect import Delivery
from core.tables.consent import Approval
from core.tables.identity import Identity
from core.tables.people import User
from core.values import ApprovalState
from tests.core.store.test_around_consent import asked
from tests.world import World

OWNERS = Party(roles=(Role.OWNER,))


class Desk:
    """Does what the doors do, each in a transaction of its own."""

    def __init__(self, world: World, audit: AuditTrail) -> None:
        self.world, self.audit = world, audit

    async def do(self, change_it: Callable[[Work], Awaitable[Any]]) -> Any:
        async with change(self.world.database, self.world.rooms) as work:
            return await change_it(work)

    async def role(self, who: Principal, of: Principal, role: Role) -> None:
        await self.do(lambda work: people.change_role(work, self.audit, who, of.user_id, role))

    async def asked(self, who: Principal, plan: ConsentPlan) -> Approval:
        """A pending request under this plan."""
        row = await asked(self.world, who)
        await self.world.alter(Approval, row.id, plan=plan.model_dump(mode="json"))

        async def write(work: Work) -> None:
            await consents.write_parties(work.session, await work.session.get_one(Approval, row.id))

        await self.do(write)
        return row

    async def outside(self, who: Principal, count: int) -> list[str]:
        """So many pending requests of a program, which owners decide."""
        rows = [outside(who) for _ in range(count)]

        async def write(work: Work) -> None:
            work.session.add_all(rows)
            await work.session.flush()
            for row in rows:
                await consents.write_parties(work.session, row)

        await self.do(write)
        return [row.id for row in rows]

    async def named(self, approval_id: str) -> set[str]:
        """Whom a request names as those who may decide."""
        return {one["user_id"] for one in (await self.world.get(Approval, approval_id)).deciders}

    async def heard(self, who: Principal) -> list[list[str]]:
        """Whom each word about a request in this person's inbox names."""
        found = [row for row in await self.world.events(who.membership_id) if row.type == "approval.updated"]
        return [sorted(one["user_id"] for one in row.body["approval"]["deciders"]) for row in found]


def outside(who: Principal, **more: Any) -> Approval:
    values: dict[str, Any] = {
        "id": new_id("apr"),
        "origin": "service",
        "workspace_id": who.workspace_id,
        "requester_id": who.user_id,
        "action": "bank.pay",
        "risk": "money",
        "title": "Pay",
        "arguments": {},
        "preview": {"summary": "Pays"},
        "plan": asks(OWNERS).model_dump(mode="json"),
        "bound": {},
        "digest": "d" * 64,
        "state": ApprovalState.PENDING,
        "expires_at": now() + timedelta(days=1),
        "created_at": now(),
    }
    return Approval(**(values | more))


def ids(*who: Principal) -> list[str]:
    return sorted(one.user_id for one in who)


@pytest.fixture
def desk(world: World, audit: AuditTrail) -> Desk:
    return Desk(world, audit)


@pytest.fixture
async def zoe(world: World) -> Principal:
    return await world.person(role=Role.OWNER)


@pytest.fixture
async def ana(world: World, zoe: Principal) -> Principal:
    return await world.person(zoe.workspace_id)


@pytest.fixture
async def bo(world: World, zoe: Principal) -> Principal:
    return await world.person(zoe.workspace_id)


class TestRole:
    async def test_who_gets_it_and_who_loses_it_are_told_whom_it_waits_for(
        self, world: World, desk: Desk, zoe: Principal, ana: Principal, bo: Principal
    ):
        olu, cy = await world.person(zoe.workspace_id, Role.OWNER), await world.person(zoe.workspace_id)
        row = await asked(world, ana)
        await desk.role(zoe, bo, Role.OWNER)
        await desk.role(zoe, olu, Role.MEMBER)

        assert await desk.named(row.id) == {zoe.user_id, bo.user_id}
        assert await desk.heard(bo) == [ids(zoe, olu, bo), ids(zoe, bo)]
        assert await desk.heard(olu) == await desk.heard(zoe) == await desk.heard(bo)
        assert await desk.heard(cy) == []

    async def test_what_it_does_not_concern_is_not_told(
        self, world: World, desk: Desk, zoe: Principal, ana: Principal, bo: Principal
    ):
        await asked(world, ana)
        await desk.role(zoe, bo, Role.APPROVER)

        assert await desk.heard(zoe) == []

    async def test_who_is_shut_out_leaves_and_comes_back_when_let_in(
        self, world: World, desk: Desk, audit: AuditTrail, zoe: Principal, ana: Principal
    ):
        olu = await world.person(zoe.workspace_id, Role.OWNER)
        row = await asked(world, ana)
        await desk.do(lambda work: people.disable(work, audit, zoe, olu.user_id))
        out = await desk.named(row.id)
        await desk.do(lambda work: people.enable(work, audit, zoe, olu.user_id))

        assert out == {zoe.user_id}
        assert await desk.heard(zoe) == [ids(zoe), ids(zoe, olu)]

    async def test_who_joins_may_decide_what_waits(
        self, world: World, desk: Desk, audit: AuditTrail, zoe: Principal, ana: Principal
    ):
        row = await asked(world, ana)
        user = User(id=new_id("usr"), email=f"{new_id('eml')}@x.test", name="New", created_at=now())
        await world.add(user)

        async def join(work: Work) -> None:
            known = await work.session.get_one(User, user.id)
            await people.join(work, audit, known, zoe.workspace_id, Role.OWNER, actor=zoe.user_id)

        await desk.do(join)

        assert await desk.named(row.id) == {zoe.user_id, user.id}
        assert await desk.heard(zoe) == [sorted([zoe.user_id, user.id])]

    async def test_who_stands_in_for_who_loses_it_loses_it_too(
        self, world: World, desk: Desk, audit: AuditTrail, zoe: Principal, ana: Principal, bo: Principal
    ):
        olu = await world.person(zoe.workspace_id, Role.OWNER)
        row = await asked(world, ana)
        wish = delegations.Wish(from_user_id=olu.user_id, to_user_id=bo.user_id, ends_at=now() + timedelta(days=1))
        await desk.do(lambda work: delegations.create(work, audit, olu, wish))
        await desk.role(zoe, olu, Role.MEMBER)

        assert await desk.named(row.id) == {zoe.user_id}
        assert await desk.heard(bo) == [ids(zoe, olu, bo), ids(zoe)]

    async def test_who_looks_only_stands_in_for_nobody(
        self, world: World, desk: Desk, audit: AuditTrail, zoe: Principal, ana: Principal, bo: Principal
    ):
        row = await asked(world, ana)
        wish = delegations.Wish(from_user_id=zoe.user_id, to_user_id=bo.user_id, ends_at=now() + timedelta(days=1))
        await desk.do(lambda work: delegations.create(work, audit, zoe, wish))
        await desk.role(zoe, bo, Role.VIEWER)

        assert await desk.named(row.id) == {zoe.user_id}
        assert await desk.heard(bo) == [ids(zoe, bo), ids(zoe)]


class TestGroup:
    async def test_who_joins_it_and_who_leaves_it_are_told(
        self, desk: Desk, audit: AuditTrail, zoe: Principal, ana: Principal, bo: Principal
    ):
        group = await desk.do(lambda work: groups.create(work, audit, zoe, "finance", ""))
        row = await desk.asked(ana, asks(Party(groups=(group.id,))))
        await desk.do(lambda work: groups.add(work, audit, zoe, group.id, bo.user_id))
        within = await desk.named(row.id)
        await desk.do(lambda work: groups.remove(work, audit, zoe, group.id, bo.user_id))

        assert (within, await desk.named(row.id)) == ({bo.user_id}, set())
        assert await desk.heard(bo) == [ids(bo), []]


class TestOnePerson:
    async def test_another_account_of_an_excluded_requester_is_asked_no_more(
        self, world: World, desk: Desk, audit: AuditTrail, zoe: Principal, ana: Principal
    ):
        also_ana = await world.person(zoe.workspace_id, Role.OWNER)
        row = await desk.asked(ana, asks(OWNERS).model_copy(update={"exclude_requester": True}))
        await desk.do(lambda work: persons.state_same(work, audit, zoe, also_ana.user_id, ana.user_id))
        alone = await desk.named(row.id)
        await desk.do(lambda work: persons.take_back(work, audit, zoe, also_ana.user_id))

        assert (alone, await desk.named(row.id)) == ({zoe.user_id}, {zoe.user_id, also_ana.user_id})
        assert await desk.heard(also_ana) == [ids(zoe), ids(zoe, also_ana)]


class TestMany:
    async def test_each_of_many_follows_and_prompts(
        self, world: World, desk: Desk, zoe: Principal, ana: Principal, bo: Principal
    ):
        made = await desk.outside(ana, PAGE + 1)
        chat = Identity(
            id=new_id("idn"),
            user_id=bo.user_id,
            workspace_id=bo.workspace_id,
            channel="telegram",
            account="7",
            external_id=bo.user_id,
            thread="chat",
            linked_at=now(),
        )
        await world.add(chat)
        await desk.role(zoe, bo, Role.OWNER)
        rows = await world.all(Approval, Approval.workspace_id == zoe.workspace_id)
        prompts = await world.all(Delivery, Delivery.user_id == bo.user_id, Delivery.kind == "prompt")

        assert {bo.user_id in [one["user_id"] for one in row.deciders] for row in rows} == {True}
        assert len(await desk.heard(bo)) == len(made)
        assert {row.approval_id for row in prompts} == set(made)

    async def test_of_very_many_who_decide_the_new_one_is_told_though_not_named(
        self, world: World, desk: Desk, zoe: Principal, ana: Principal
    ):
        for _ in range(SHOWN):
            await world.person(zoe.workspace_id, Role.OWNER)
        late = await world.person(zoe.workspace_id)
        (approval_id,) = await desk.outside(ana, 1)
        await desk.role(zoe, late, Role.OWNER)
        await desk.role(zoe, late, Role.MEMBER)

        assert late.user_id not in await desk.named(approval_id)
        assert len(await desk.heard(late)) == 2
        assert await desk.heard(zoe) == []
