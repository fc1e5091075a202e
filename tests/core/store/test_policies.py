"""A workspace's rules and mode in SQL, and how a rule's people become a plan."""

from datetime import UTC, datetime, timedelta

import pytest

from core.clock import now
from core.errors import NotAllowed, NotFound
from core.ids import new_id
from core.keys import KeyRing
from core.permissions import Principal, Role
from core.policy.document import PolicyDocument
from core.policy.evaluation import evaluate
from core.policy.ruling import CallFacts
from core.store import plans, policies, requesters, workspaces
from core.store.audit import AuditTrail
from core.store.plans import NobodyToAsk, Resolved
from core.store.work import change
from core.tables.consent import Policy
from core.tables.identity import Group, GroupMember
from core.tables.people import Membership, User
from core.tables.records import AuditRow, StoredEvent
from core.values import OperationMode
from tests.world import World

MONDAY = datetime(2026, 1, 5, 12, tzinfo=UTC)
EXPIRY = timedelta(hours=24)


@pytest.fixture
def audit(ring: KeyRing) -> AuditTrail:
    return AuditTrail(ring)


@pytest.fixture
async def owner(world: World) -> Principal:
    return await world.person(role=Role.OWNER)


@pytest.fixture
async def member(world: World, owner: Principal) -> Principal:
    return await world.person(owner.workspace_id)


@pytest.fixture
def save(world: World, audit: AuditTrail):
    async def save_rules(who: Principal, expected: int, *rules: dict, **more):
        document = PolicyDocument.model_validate({"rules": rules, **more})
        async with change(world.database, world.rooms) as work:
            return await policies.save(work, audit, who, document, expected=expected, source=None, note="why")

    return save_rules


@pytest.fixture
def resolve(world: World, member: Principal):
    """Resolve how one rule asks, for the member."""

    async def resolve_ask(ask: dict, at: datetime = MONDAY, **more) -> Resolved:
        rules = PolicyDocument.model_validate({"rules": [{"name": "a", "verdict": "ask", "ask": ask}], **more})
        asking = evaluate(CallFacts(action="x.y", risk="write", requester_role="member"), rules).asking
        assert asking is not None
        async with world.database.reading() as session:
            return await plans.resolve(session, asking, member.workspace_id, member.user_id, at, EXPIRY, rules)

    return resolve_ask


@pytest.fixture
def group(world: World):
    async def make(workspace_id: str, name: str, *people: Principal) -> str:
        row = Group(id=new_id("grp"), workspace_id=workspace_id, name=name, created_at=now())
        members = [GroupMember(group_id=row.id, user_id=one.user_id, added_by="x", added_at=now()) for one in people]
        await world.add(row, *members)
        return row.id

    return make


class TestVersions:
    async def test_the_newest_holds(self, world, owner, save):
        await save(owner, 0, {"name": "a", "verdict": "deny"})
        await save(owner, 1, {"name": "b", "verdict": "deny"})

        async with world.database.reading() as session:
            current = await policies.current(session, owner.workspace_id)
            page = await policies.page(session, owner, limit=1, before=None)
            second = await policies.page(session, owner, limit=5, before=page[1])
            one = await policies.one(session, owner, 1)
        assert current.document is not None
        assert one.body is not None
        assert (current.version, current.document.rules[0].name) == (2, "b")
        assert ([one.version for one in page[0]], page[1:], page[0][0].body) == ([2], (2, 2), None)
        assert ([one.version for one in second[0]], second[1]) == ([1], None)
        assert (one.body["rules"][0]["name"], one.created_by_name, one.note) == ("a", owner.name, "why")

    async def test_without_any_the_built_in_rules_hold(self, world, owner):
        async with world.database.reading() as session:
            assert (await policies.current(session, owner.workspace_id)).version == 0
            assert await policies.newest(session, owner) is None

    async def test_who_was_second_is_told(self, owner, save):
        await save(owner, 0)

        with pytest.raises(policies.OtherVersion) as caught:
            await save(owner, 0)
        assert caught.value.more == {"version": 1}

    @pytest.mark.parametrize("role", [Role.APPROVER, Role.MEMBER, Role.VIEWER])
    async def test_only_owners_and_admins_save(self, world, owner, save, role):
        other = await world.person(owner.workspace_id, role)

        with pytest.raises(NotAllowed):
            await save(other, 0)

    async def test_members_do_not_read_and_others_find_nothing(self, world, owner, member, save):
        await save(owner, 0)
        stranger = await world.person(role=Role.OWNER)

        async with world.database.reading() as session:
            for look in (policies.newest(session, member), policies.one(session, member, 1)):
                with pytest.raises(NotAllowed):
                    await look
            with pytest.raises(NotFound):
                await policies.one(session, stranger, 1)
            assert await policies.newest(session, stranger) is None

    async def test_saving_is_on_record(self, world, owner, save):
        saved = await save(owner, 0, {"name": "a", "verdict": "deny"})

        (row,) = await world.all(AuditRow, AuditRow.kind == "policy.saved", AuditRow.actor == owner.user_id)
        assert row.body == {"version": 1, "digest": saved.digest}

    async def test_what_cannot_be_read_is_an_error_and_can_be_replaced(self, world, owner, save):
        await save(owner, 0)
        (row,) = await world.all(Policy, Policy.workspace_id == owner.workspace_id)
        await world.alter(Policy, row.id, body={"rules": 5})

        async with world.database.reading() as session:
            with pytest.raises(policies.BrokenPolicy):
                await policies.current(session, owner.workspace_id)
        assert (await save(owner, 1)).version == 2


class TestPlans:
    async def test_names_become_ids(self, world, owner, member, resolve, group):
        manager = await world.person(owner.workspace_id)
        await world.alter(Membership, member.membership_id, manager_id=manager.user_id)
        address = (await world.get(User, owner.user_id)).email
        finance = await group(owner.workspace_id, "finance", owner, manager)

        found = await resolve(
            {"stages": [{"approvers": [{"user": address.upper()}, "manager"]}, {"approvers": {"group": "finance"}}]}
        )

        first, second = (stage.needs[0].party for stage in found.plan.stages)
        assert set(first.users) == {owner.user_id, manager.user_id}
        assert second.groups == (finance,)

    async def test_only_people_of_the_workspace_who_are_not_disabled(self, world, owner, resolve, group):
        stranger = await world.person(role=Role.OWNER)
        await group(stranger.workspace_id, "finance", stranger)
        gone = await world.person(owner.workspace_id)
        await world.alter(Membership, gone.membership_id, disabled_at=now())
        service = await world.person(owner.workspace_id)
        await world.alter(User, service.user_id, kind="service")

        found = await resolve(
            {
                "approvers": [
                    {"role": "owner"},
                    {"group": "finance"},
                    {"user": [stranger.user_id, gone.user_id, service.user_id]},
                ]
            }
        )

        assert found.plan.stages[0].needs[0].party.model_dump(exclude_defaults=True) == {"roles": ("owner",)}

    async def test_a_rota_gives_who_is_on_call(self, world, owner, resolve):
        other = await world.person(owner.workspace_id)
        rota = {"zone": "UTC", "starts": "2026-01-04", "shift": "1d", "people": [owner.user_id, other.user_id]}

        found = await resolve({"approvers": {"rota": "nights"}}, rotas={"nights": rota})

        assert found.plan.stages[0].needs[0].party.users == (other.user_id,)

    @pytest.mark.parametrize(
        "ask",
        [
            {"approvers": {"group": "gone"}},
            {"approvers": "manager"},
            {"approvers": {"role": "owner"}, "quorum": 2},
            {"approvers": "requester", "exclude_requester": True},
            {"all_of": [{"role": "owner"}, {"role": "owner"}]},
            {"stages": [{"approvers": {"role": "owner"}}, {"approvers": {"role": "owner"}}]},
            {"approvers": {"rota": "later"}},
            {"approvers": "manager", "escalate": {"after": "1h", "to": {"group": "gone"}}},
        ],
    )
    async def test_what_nobody_could_decide_is_not_asked(self, resolve, owner, ask):
        rota = {"zone": "UTC", "starts": "2027-01-04", "shift": "1d", "people": [owner.user_id]}

        with pytest.raises(NobodyToAsk):
            await resolve(ask, rotas={"later": rota})

    async def test_two_accounts_of_one_person_are_one(self, world, owner, resolve):
        other = await world.person(owner.workspace_id, Role.OWNER)
        await world.alter(Membership, other.membership_id, person_id=owner.user_id)

        with pytest.raises(NobodyToAsk):
            await resolve({"approvers": {"role": "owner"}, "quorum": 2})

    async def test_the_requester_is_out_whatever_account_they_use(self, world, owner, member, resolve):
        await world.alter(Membership, member.membership_id, person_id=owner.user_id)

        with pytest.raises(NobodyToAsk):
            await resolve({"approvers": {"role": "owner"}, "exclude_requester": True})

    async def test_where_only_others_can_decide_it_escalates_at_once(self, resolve, owner):
        found = await resolve({"approvers": "manager", "escalate": {"after": "1h", "to": {"role": "owner"}}})

        assert found.plan.escalate_at == MONDAY
        assert found.plan.escalate_to.roles == ("owner",)

    async def test_instants(self, resolve, owner):
        found = await resolve(
            {
                "expires": "8h",
                "remind": ["4h", "1h"],
                "escalate": {"after": "6h", "to": {"role": "owner"}, "for": "2h"},
                "on_expiry": "escalate",
            }
        )

        assert found.expires_at == MONDAY + timedelta(hours=8)
        assert found.plan.remind_at == (MONDAY + timedelta(hours=1), MONDAY + timedelta(hours=4))
        assert found.plan.escalate_at == MONDAY + timedelta(hours=6)
        assert (found.plan.escalated_seconds, found.plan.on_expiry) == (7_200, "escalate")

    async def test_in_business_hours_time_passes_in_them(self, resolve, owner):
        hours = {"office": {"zone": "UTC", "days": "mon-fri", "from": "09:00", "to": "17:00"}}

        found = await resolve({"expires": "8h", "remind": ["6h"], "business_hours": "office"}, hours=hours)

        assert found.expires_at == datetime(2026, 1, 6, 12, tzinfo=UTC)
        assert found.plan.remind_at == (datetime(2026, 1, 6, 10, tzinfo=UTC),)

    async def test_nobody_is_asked_for_longer_than_14_days(self, resolve, owner):
        hours = {"rare": {"zone": "UTC", "days": "mon", "from": "09:00", "to": "10:00"}}
        escalate = {"to": {"role": "owner"}, "for": "4d"}

        found = await resolve(
            {"expires": "10d", "business_hours": "rare", "escalate": escalate, "on_expiry": "escalate"}, hours=hours
        )

        assert (found.expires_at, found.plan.escalated_seconds) == (MONDAY + timedelta(days=14), 0)

    async def test_without_a_time_the_setting_holds(self, resolve, owner):
        assert (await resolve({"approvers": "requester"})).expires_at == MONDAY + EXPIRY

    async def test_hours_that_are_gone_ask_nobody(self, resolve, owner):
        with pytest.raises(NobodyToAsk):
            await resolve({"business_hours": "gone"})


class TestRequester:
    async def test_as_policy_looks_at_them(self, world, owner, member, group):
        await group(owner.workspace_id, "support", member)

        async with world.database.reading() as session:
            found = await requesters.requester_of(session, member.workspace_id, member.user_id)
            none = await requesters.requester_of(session, (await world.workspace()), member.user_id)
        assert found is not None
        assert (found.role, found.groups, found.mode) == ("member", ("support",), OperationMode.ASSISTED)
        assert none is None


class TestOperationMode:
    @pytest.fixture
    def switch(self, world, audit):
        async def switch_to(who: Principal, mode: OperationMode):
            async with change(world.database, world.rooms) as work:
                return await workspaces.change_mode(work, audit, who, mode)

        return switch_to

    async def test_everybody_is_told_and_it_is_on_record(self, world, owner, member, switch):
        shown = await switch(owner, OperationMode.EMERGENCY)

        assert (shown.operation_mode, shown.mode_changed_by_name) == ("emergency", owner.name)
        for one in (owner, member):
            (told,) = await world.all(StoredEvent, StoredEvent.stream_id == one.membership_id)
            assert told.body["workspace"] == shown.model_dump(mode="json")
        (row,) = await world.all(AuditRow, AuditRow.kind == "workspace.mode", AuditRow.actor == owner.user_id)
        assert row.body == {"mode": "emergency", "before": "assisted"}

    async def test_the_same_again_changes_nothing(self, world, owner, switch):
        await switch(owner, OperationMode.ASSISTED)

        assert await world.all(StoredEvent, StoredEvent.stream_id == owner.membership_id) == []

    @pytest.mark.parametrize(
        ("role", "mode", "may"),
        [
            (Role.ADMIN, OperationMode.AUTONOMOUS, True),
            (Role.APPROVER, OperationMode.EMERGENCY, True),
            (Role.APPROVER, OperationMode.ASSISTED, False),
            (Role.APPROVER, OperationMode.MANUAL, False),
            (Role.MEMBER, OperationMode.EMERGENCY, False),
            (Role.VIEWER, OperationMode.EMERGENCY, False),
        ],
    )
    async def test_who_may(self, world, owner, switch, role, mode, may):
        other = await world.person(owner.workspace_id, role)

        if may:
            assert (await switch(other, mode)).operation_mode == mode
        else:
            with pytest.raises(NotAllowed):
                await switch(other, mode)
