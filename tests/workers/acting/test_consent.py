"""Consent is looked at again when it is used: people as they stand then."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from core.clock import now
from core.consent import Assurance, ConsentPlan, Decider, Need, Party, Stage, Vote
from core.ids import new_id
from core.messages import ApprovalOutcome
from core.permissions import Principal, Role
from core.store import groups, persons
from core.store.audit import AuditTrail
from core.store.work import change
from core.tables.consent import Approval
from core.tables.people import Membership, User
from core.values import ApprovalState, DecisionVerdict
from tests.world import World
from workers.acting.consent import is_still_given


class Request:
    """Something that two approvers, or the members of a group, consented to."""

    def __init__(self, world: World, audit: AuditTrail) -> None:
        self.world, self.audit = world, audit
        self.owner: Principal
        self.asker: Principal
        self.approvers: list[Principal]

    async def settle_in(self) -> None:
        self.owner = await self.world.person(role=Role.OWNER)
        here = self.owner.workspace_id
        self.asker = await self.world.person(here)
        self.approvers = [await self.world.person(here, Role.APPROVER) for _ in range(2)]

    async def holds(self, voters: Sequence[Principal], party: Party, **plan: object) -> bool:
        need = Need(party=party, count=len(voters))
        approval = self.approval(ConsentPlan(stages=(Stage(needs=(need,)),), **plan))  # type: ignore[arg-type]
        outcome = ApprovalOutcome(
            approval_id=approval.id,
            state=ApprovalState.APPROVED,
            digest=approval.digest,
            at=now(),
            votes=tuple(map(self.vote, voters)),
        )
        async with self.world.database.reading() as session:
            return await is_still_given(session, approval, outcome)

    def approval(self, plan: ConsentPlan) -> Approval:
        return Approval(
            id=new_id("apr"),
            workspace_id=self.owner.workspace_id,
            requester_id=self.asker.user_id,
            requester_person_id=self.asker.user_id,
            action="note.send",
            risk="write",
            title="Send",
            arguments={},
            preview={"summary": ""},
            plan=plan.model_dump(mode="json"),
            bound={},
            digest="d" * 64,
            state=ApprovalState.APPROVED,
            expires_at=now() + timedelta(hours=1),
            created_at=now(),
        )

    def vote(self, who: Principal) -> Vote:
        """A vote as it was cast: each account a person of its own then, with the role of then."""
        return Vote(
            decision_id=new_id("dec"),
            voter=Decider(user_id=who.user_id, person_id=who.user_id, role="approver"),
            verdict=DecisionVerdict.APPROVE,
            assurance=Assurance.L2,
            stage=0,
            at=now(),
        )

    async def state_same(self, one: Principal, other: Principal) -> None:
        async with change(self.world.database, self.world.rooms) as work:
            await persons.state_same(work, self.audit, self.owner, one.user_id, other.user_id)


@pytest.fixture
async def request_(world: World, audit: AuditTrail) -> Request:
    made = Request(world, audit)
    await made.settle_in()
    return made


APPROVERS = Party(roles=("approver",))


class TestConsent:
    async def test_of_two_people_holds(self, request_):
        assert await request_.holds(request_.approvers, APPROVERS)

    @pytest.mark.parametrize("swapped", [False, True])
    async def test_of_two_accounts_known_since_to_be_one_person_does_not(self, request_, swapped):
        one, other = request_.approvers[::-1] if swapped else request_.approvers
        await request_.state_same(one, other)

        assert not await request_.holds(request_.approvers, APPROVERS)
        assert await request_.holds([one], APPROVERS)

    @pytest.mark.parametrize("swapped", [False, True])
    async def test_of_who_is_known_since_to_be_the_requester_does_not(self, request_, swapped):
        pair = [request_.approvers[0], request_.asker]
        await request_.state_same(*(pair[::-1] if swapped else pair))

        assert not await request_.holds(request_.approvers[:1], APPROVERS, exclude_requester=True)
        assert await request_.holds(request_.approvers[1:], APPROVERS, exclude_requester=True)

    async def test_of_who_lost_the_role_left_or_was_disabled_does_not(self, request_, world):
        changes: list[dict[str, Any]] = [{"role": Role.MEMBER}, {"disabled_at": now()}]
        for one, change_ in zip(request_.approvers, changes, strict=True):
            await world.alter(Membership, one.membership_id, **change_)

            assert not await request_.holds([one], APPROVERS)

    async def test_of_a_service_never_holds(self, request_, world):
        await world.alter(User, request_.approvers[0].user_id, kind="service")

        assert not await request_.holds(request_.approvers[:1], APPROVERS)

    async def test_of_who_was_taken_out_of_the_group_does_not(self, request_, world):
        owner, member = request_.owner, request_.approvers[0]
        async with change(world.database, world.rooms) as work:
            group = await groups.create(work, request_.audit, owner, "finance", "")
            await groups.add(work, request_.audit, owner, group.id, member.user_id)
        before = await request_.holds([member], Party(groups=(group.id,)))
        async with change(world.database, world.rooms) as work:
            await groups.remove(work, request_.audit, owner, group.id, member.user_id)

        assert before
        assert not await request_.holds([member], Party(groups=(group.id,)))
