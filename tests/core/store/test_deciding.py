"""Who is asked now: the same people at the inbox, in the view and in chats, and those whose consents would count."""

from datetime import timedelta

import pytest

from core.clock import now
from core.consent import ConsentPlan, Party, asks
from core.permissions import Principal, Role
from core.store import approvals, consents, delegations, prompting
from core.store.audit import AuditTrail
from core.store.work import change
from core.tables.consent import Approval
from core.tables.people import Membership
from tests.core.store.test_around_consent import asked
from tests.world import World

OWNERS = Party(roles=(Role.OWNER,))


async def deciders_of(world: World, row: Approval, plan: ConsentPlan) -> set[str]:
    """Everybody who is asked under this plan; the inbox, the view and the chats have to agree."""
    await world.alter(Approval, row.id, plan=plan.model_dump(mode="json"))
    async with change(world.database, world.rooms) as work:
        locked = await approvals.lock(work.session, row.id)
        members = await consents.write_parties(work.session, locked)
        await work.session.flush()
        chats = await prompting.eligible(work.session, locked)
        inboxes = {(await work.session.get_one(Membership, one)).user_id for one in members}
        shown = {one["user_id"] for one in locked.deciders}
    assert inboxes == shown == chats
    return shown


class TestDeciding:
    @pytest.fixture
    async def zoe(self, world: World) -> Principal:
        return await world.person(role=Role.OWNER)

    async def test_leaves_out_every_account_of_an_excluded_requester(self, world: World, zoe: Principal):
        ana, also_ana = [await world.person(zoe.workspace_id, Role.OWNER) for _ in range(2)]
        row = await asked(world, ana)
        await world.alter(Membership, also_ana.membership_id, person_id=ana.user_id)

        found = await deciders_of(world, row, asks(OWNERS).model_copy(update={"exclude_requester": True}))

        assert found == {zoe.user_id}

    async def test_keeps_who_stands_in_for_somebody_whose_consent_is_wished(
        self, world: World, audit: AuditTrail, zoe: Principal
    ):
        olu = await world.person(zoe.workspace_id, Role.OWNER)
        ana, ben = await world.person(zoe.workspace_id), await world.person(zoe.workspace_id)
        row = await asked(world, ana)
        wish = delegations.Wish(from_user_id=zoe.user_id, to_user_id=ben.user_id, ends_at=now() + timedelta(days=1))
        async with change(world.database, world.rooms) as work:
            await delegations.create(work, audit, zoe, wish)

        found = await deciders_of(world, row, asks(OWNERS).model_copy(update={"only": Party(users=(zoe.user_id,))}))

        assert found == {zoe.user_id, ben.user_id}
        assert olu.user_id not in found

    async def test_nobody_stands_in_for_an_excluded_requester(self, world: World, audit: AuditTrail, zoe: Principal):
        olu, ben = await world.person(zoe.workspace_id, Role.OWNER), await world.person(zoe.workspace_id)
        row = await asked(world, zoe)
        wish = delegations.Wish(from_user_id=zoe.user_id, to_user_id=ben.user_id, ends_at=now() + timedelta(days=1))
        async with change(world.database, world.rooms) as work:
            await delegations.create(work, audit, zoe, wish)

        found = await deciders_of(world, row, asks(OWNERS).model_copy(update={"exclude_requester": True}))

        assert found == {olu.user_id}
