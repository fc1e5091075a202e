"""Who decides is a person: whichever account they click with, they are who they are, and count once."""

from datetime import timedelta

import pytest

from core.clock import now
from core.consent import Assurance, ConsentPlan, Need, Party, Stage
from core.ids import new_id
from core.messages import DecisionMade
from core.permissions import Principal, Role
from core.store import approvals, decisions, identities, linking, persons, sessions
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.decisions import Answer
from core.store.identities import Account
from core.store.work import change
from core.tables.consent import Approval
from core.tables.people import Membership
from core.values import DecisionVerdict
from tests.world import World
from workflows import approval_rules
from workflows.approval_rules import Standing

DIGEST = "d" * 64
APPROVERS = Party(roles=("approver",))


class Room:
    """A request for consent, and people who click."""

    def __init__(self, world: World, audit: AuditTrail) -> None:
        self.world, self.audit = world, audit
        self.owner: Principal
        self.asker: Principal

    async def settle_in(self) -> None:
        self.owner = await self.world.person(role=Role.OWNER)
        self.asker = await self.world.person(self.owner.workspace_id, Role.APPROVER)

    async def approver(self) -> Principal:
        return await self.world.person(self.owner.workspace_id, Role.APPROVER)

    async def chat_of(self, who: Principal, channel: str = "telegram", external_id: str = "7") -> Account:
        account = Account(channel=channel, account="bot", external_id=external_id, shown_as="Ana", thread="7")
        async with change(self.world.database, self.world.rooms) as work:
            await linking.link(work, self.audit, who.user_id, who.workspace_id, account)
        return account

    async def behind(self, account: Account) -> Principal | None:
        async with self.world.database.reading() as session:
            return await identities.principal_of(session, account.channel, account.account, account.external_id)

    async def from_chat(self, who: Principal, channel: str = "telegram", external_id: str = "7") -> Principal:
        behind = await self.behind(await self.chat_of(who, channel, external_id))
        assert behind is not None
        return behind

    def ask(self, count: int = 1, party: Party = APPROVERS, **plan: object) -> Approval:
        need = Need(party=party, count=count)
        return Approval(
            id=new_id("apr"),
            workspace_id=self.owner.workspace_id,
            requester_id=self.asker.user_id,
            requester_person_id=self.asker.user_id,
            action="money.send",
            risk="money",
            title="Pay",
            arguments={},
            preview={"summary": ""},
            plan=ConsentPlan(stages=(Stage(needs=(need,)),), **plan).model_dump(mode="json"),  # type: ignore[arg-type]
            bound={},
            digest=DIGEST,
            state="pending",
            expires_at=now() + timedelta(hours=1),
            created_at=now(),
        )

    async def click(self, who: Principal, approval: Approval) -> DecisionMade | None:
        answer = Answer(
            door="telegram",
            approval_id=approval.id,
            update_id=new_id("upd"),
            verdict=DecisionVerdict.APPROVE,
            digest=DIGEST,
            comment=None,
        )
        async with self.world.database.reading() as session:
            return await decisions.resolve(session, who, approval, answer, new_id("dec"))

    async def vote(self, standing: Standing, who: Principal, approval: Approval) -> tuple[Standing, str | None]:
        """What comes of a click: where it stands then, and the refusal."""
        made = await self.click(who, approval)
        assert made is not None
        refusal = approval_rules.refusal(standing, made, now())
        return approval_rules.decide(standing, made, now()), refusal


def standing_of(approval: Approval) -> Standing:
    return approval_rules.begin(approvals.as_input(approval))


@pytest.fixture
async def room(sqlite_database: Database, audit: AuditTrail) -> Room:
    made = Room(World(sqlite_database), audit)
    await made.settle_in()
    return made


class TestTheRequester:
    async def test_does_not_approve_from_another_account_what_excludes_them(self, room):
        approval = room.ask(exclude_requester=True)
        standing, refusal = await room.vote(standing_of(approval), await room.from_chat(room.asker), approval)

        assert refusal == "not_allowed"
        assert standing.is_open
        assert standing.votes == ()

    async def test_nor_from_another_user_that_is_stated_to_be_them(self, room):
        approval, second = room.ask(exclude_requester=True), await room.approver()
        async with change(room.world.database, room.world.rooms) as work:
            await persons.state_same(work, room.audit, room.owner, second.user_id, room.asker.user_id)
        standing, refusal = await room.vote(standing_of(approval), await room.from_chat(second), approval)

        assert refusal == "not_allowed"
        assert standing.is_open

    async def test_nor_once_they_are_stated_to_be_that_other_user(self, room):
        approval, second = room.ask(exclude_requester=True), await room.approver()
        async with change(room.world.database, room.world.rooms) as work:
            await persons.state_same(work, room.audit, room.owner, room.asker.user_id, second.user_id)
        standing, refusal = await room.vote(standing_of(approval), await room.from_chat(second), approval)

        assert refusal == "not_allowed"
        assert standing.is_open


class TestAQuorum:
    async def test_counts_a_person_once_over_all_their_accounts(self, room):
        approval, ana = room.ask(count=2), await room.approver()
        standing, first = await room.vote(standing_of(approval), ana, approval)
        refusals = []
        for channel in ("telegram", "slack"):
            standing, refusal = await room.vote(standing, await room.from_chat(ana, channel), approval)
            refusals.append(refusal)

        assert (first, refusals) == (None, ["already_voted"] * 2)
        assert len(standing.votes) == 1
        assert standing.is_open

    async def test_counts_two_users_who_are_one_person_once(self, room):
        approval, ana, twin = room.ask(count=2), await room.approver(), await room.approver()
        async with change(room.world.database, room.world.rooms) as work:
            await persons.state_same(work, room.audit, room.owner, twin.user_id, ana.user_id)
        standing, _ = await room.vote(standing_of(approval), ana, approval)
        standing, refusal = await room.vote(standing, await room.from_chat(twin), approval)

        assert refusal == "already_voted"
        assert standing.is_open

    async def test_of_two_people_is_met_from_two_chats(self, room):
        approval, ana, ben = room.ask(count=2), await room.approver(), await room.approver()
        standing, _ = await room.vote(standing_of(approval), await room.from_chat(ana), approval)
        standing, _ = await room.vote(standing, await room.from_chat(ben, external_id="8"), approval)

        assert standing.outcome is not None
        assert standing.outcome.state == "approved"


class TestASender:
    async def test_that_nobody_linked_is_nobody(self, room):
        await room.chat_of(room.asker)
        stranger = Account(channel="telegram", account="bot", external_id="666", shown_as="Ana", thread="7")

        assert await room.behind(stranger) is None

    async def test_is_known_by_id_and_never_by_name(self, room):
        account = await room.chat_of(room.asker)
        renamed = account.model_copy(update={"shown_as": "Somebody Else"})

        assert (await room.behind(renamed)).user_id == room.asker.user_id

    async def test_has_the_role_of_their_person_now(self, room):
        approval, ana = room.ask(), await room.approver()
        account = await room.chat_of(ana)
        await room.world.alter(Membership, ana.membership_id, role=Role.MEMBER)
        who = await room.behind(account)
        _, refusal = await room.vote(standing_of(approval), who, approval)

        assert who.role is Role.MEMBER
        assert refusal == "not_allowed"

    async def test_is_no_proof_for_what_needs_a_fresh_sign_in(self, room):
        approval, ana = room.ask(assurance=Assurance.L3), await room.from_chat(await room.approver())
        async with room.world.database.reading() as session:
            sure = await sessions.assurance_of(session, ana, timedelta(hours=1))
        made = (await room.click(ana, approval)).model_copy(update={"assurance": sure})

        assert approval_rules.refusal(standing_of(approval), made, now()) == "assurance_too_low"
