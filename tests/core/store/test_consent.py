"""Approvals and decisions: shown to whom it concerns, decided once, used once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from api.intake import Intake
from connectors.registry import Registry
from core.clock import now
from core.consent import Party, asks
from core.errors import AlreadyDecided, Conflict, DigestMismatch, Expired, NotAllowed, NotFound
from core.keys import KeyRing
from core.messages import ApprovalOutcome, TurnEnding
from core.permissions import Door, Principal, Role
from core.settings import Settings
from core.store import approvals, consents, decisions, outbox, turns
from core.store import audit as audit_store
from core.store.audit import AuditTrail
from core.store.work import change
from core.tables.consent import Approval, Decision
from core.tables.people import Membership
from core.tables.records import AuditRow
from core.tables.work import Outbox, ToolCall
from core.values import ACCEPTED, CLOSED, ApprovalState, CallState, DecisionVerdict
from tests.workers.acting.desk import Asked, Desk
from tests.world import World


class Judge:
    """Stands in for the approval's workflow: accepts the first update, refuses other ones."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.verdict: str | None = None
        self.meanwhile: Callable[[], Awaitable[bool]] | None = None

    async def decide(self, approval_id: str, decision: object, update_id: str) -> str:
        del approval_id, decision
        await (self.meanwhile() if self.meanwhile else asyncio.sleep(0))
        first = ACCEPTED if not self.answers else "already_decided"
        return self.verdict or self.answers.setdefault(update_id, first)


@pytest.fixture
async def desk(world: World, ring: KeyRing) -> Desk:
    desk = Desk(world, ring)
    await desk.settle_in()
    return desk


@pytest.fixture
async def asked(desk: Desk) -> Asked:
    """A call that waits; its approval is requested, not shown yet."""
    asked = await desk.approved("send")
    await desk.world.alter(
        Approval, asked.consent.approval_id, state=ApprovalState.REQUESTED, decided_at=None, decided_by=None
    )
    return asked


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def intake(world: World, desk: Desk, audit: AuditTrail, settings: Settings, judge: Judge) -> Intake:
    registry = Registry.load([desk.notes])
    return Intake(world.database, world.rooms, judge, audit, settings, registry)  # type: ignore[arg-type]


async def show(desk: Desk, asked: Asked) -> bool:
    async with change(desk.world.database, desk.world.rooms) as work:
        approval, first = await consents.show(work, asked.consent.approval_id)
        assert approval is not None
        return first


async def close(desk: Desk, outcome: ApprovalOutcome) -> bool:
    async with change(desk.world.database, desk.world.rooms) as work:
        return await consents.close(work, outcome) is not None


async def seen(desk: Desk, who: Principal, state: str | None = "pending") -> list[str]:
    async with desk.world.database.reading() as session:
        rows, _, total = await approvals.page(session, who, state=state, limit=10, cursor=None)
    assert total == len(rows)
    return [row.id for row in rows]


class TestShown:
    async def test_once_to_the_room_and_to_everyone_who_may_decide(self, desk: Desk, asked: Asked):
        other_owner = await desk.world.person(desk.asker.workspace_id, Role.OWNER)
        gone = await desk.world.person(desk.asker.workspace_id, Role.OWNER)
        await desk.world.alter(Membership, gone.membership_id, disabled_at=now())
        member = await desk.world.person(desk.asker.workspace_id)

        firsts = await asyncio.gather(*(show(desk, asked) for _ in range(5)))

        assert sorted(firsts) == [False, False, False, False, True]
        assert (await desk.world.told(desk.conversation_id)).count("approval.requested") == 1
        for who, count in ((desk.owner, 1), (other_owner, 1), (gone, 0), (member, 0), (desk.asker, 0)):
            assert len(await desk.world.told(who.membership_id)) == count

    async def test_to_deciders_and_participants_only(self, desk: Desk, asked: Asked):
        world = desk.world
        approval_id = asked.consent.approval_id
        other_owner = await world.person(desk.asker.workspace_id, Role.OWNER)
        member = await world.person(desk.asker.workspace_id)
        stranger = await world.person(role=Role.OWNER)
        assert await seen(desk, desk.owner) == []

        await show(desk, asked)

        for who in (desk.owner, desk.asker, other_owner):
            assert await seen(desk, who) == [approval_id]
        for who in (member, stranger):
            assert await seen(desk, who, None) == []
            async with world.database.reading() as session:
                with pytest.raises(NotFound):
                    await approvals.one(session, who, approval_id)

    async def test_to_a_requester_who_may_decide(self, desk: Desk, asked: Asked):
        mine = asks(Party(requester=True)).model_dump(mode="json")
        await desk.world.alter(Approval, asked.consent.approval_id, plan=mine)
        stranger = await desk.world.person(desk.asker.workspace_id, Role.OWNER)

        await show(desk, asked)

        assert await seen(desk, desk.asker) == [asked.consent.approval_id]
        assert await seen(desk, stranger) == []
        assert await desk.world.told(desk.asker.membership_id) == ["approval.requested"]

    async def test_never_when_the_turn_ended_before(self, desk: Desk, asked: Asked):
        async with change(desk.world.database, desk.world.rooms) as work:
            await turns.stop(work, desk.asker, asked.turn.id)
        async with change(desk.world.database, desk.world.rooms) as work:
            answer = await consents.show(work, asked.consent.approval_id)

        assert answer == (None, False)
        assert (await desk.world.get(Approval, asked.consent.approval_id)).state == ApprovalState.WITHDRAWN
        assert (await desk.world.get(ToolCall, asked.call.id)).state == CallState.NOT_RUN
        assert "approval.requested" not in await desk.world.told(desk.conversation_id)


class TestClosed:
    @pytest.mark.parametrize(
        ("state", "call_state"),
        [
            (ApprovalState.APPROVED, CallState.AWAITING),
            (ApprovalState.REJECTED, CallState.REJECTED),
            (ApprovalState.EXPIRED, CallState.EXPIRED),
            (ApprovalState.WITHDRAWN, CallState.NOT_RUN),
        ],
    )
    async def test_once_and_the_first_stands(
        self, desk: Desk, asked: Asked, state: ApprovalState, call_state: CallState
    ):
        await show(desk, asked)
        outcome = asked.consent.model_copy(update={"state": state, "decision_id": None})
        other = outcome.model_copy(update={"state": ApprovalState.APPROVED})

        stored = [await close(desk, one) for one in (outcome, outcome, other)]

        assert stored == [True, False, False]
        assert (await desk.world.get(Approval, asked.consent.approval_id)).state == state
        assert (await desk.world.get(ToolCall, asked.call.id)).state == call_state
        assert (await desk.world.told(desk.conversation_id)).count("approval.closed") == 1
        assert await desk.world.told(desk.owner.membership_id) == ["approval.requested", "approval.closed"]

    async def test_by_whom_it_was_escalated_to_before_any_timer_told(self, desk: Desk, asked: Asked):
        await show(desk, asked)
        until = now() + timedelta(days=2)
        await close(desk, asked.consent.model_copy(update={"escalated_until": until}))

        row = await desk.world.get(Approval, asked.consent.approval_id)
        assert row.escalated_at is not None
        assert row.expires_at == until

    async def test_by_the_relay_when_the_turn_failed(self, desk: Desk, asked: Asked):
        await show(desk, asked)

        async with change(desk.world.database, desk.world.rooms) as work:
            await turns.fail(work, TurnEnding(turn_id=asked.turn.id, error_code="lost", error_detail="Lost."))

        rows = [one for one in await desk.world.all(Outbox) if one.kind == outbox.STOP_TURN]
        assert [one.body["approval_ids"] for one in rows] == [[asked.consent.approval_id]]


class TestConsume:
    async def test_by_twenty_at_once_works_for_one(self, desk: Desk):
        asked = await desk.approved("send")

        async def consume() -> bool:
            async with desk.world.database.writing() as session:
                return await consents.consume(session, asked.consent.approval_id)

        used = await asyncio.gather(*(consume() for _ in range(20)))

        assert used.count(True) == 1

    @pytest.mark.parametrize("state", [ApprovalState.PENDING, ApprovalState.REJECTED, ApprovalState.WITHDRAWN])
    async def test_of_what_was_not_approved_fails(self, desk: Desk, state: ApprovalState):
        asked = await desk.approved("send")
        await desk.world.alter(Approval, asked.consent.approval_id, state=state)

        async with desk.world.database.writing() as session:
            assert not await consents.consume(session, asked.consent.approval_id)


class TestDecision:
    async def decide(self, intake: Intake, who: Principal, asked: Asked, **other: str):
        facts = {"verdict": "approve", "digest": asked.consent.digest, "decision_id": "click"} | other
        return await intake.submit_decision(
            who,
            Door.REST,
            asked.consent.approval_id,
            DecisionVerdict(facts["verdict"]),
            facts["digest"],
            facts["decision_id"],
            None,
        )

    async def test_sent_twenty_times_at_once_is_one(self, desk: Desk, asked: Asked, intake: Intake):
        await show(desk, asked)

        answers = await asyncio.gather(*(self.decide(intake, desk.owner, asked) for _ in range(20)))

        assert {one.state for one in answers} == {"accepted"}
        (row,) = await desk.world.all(Decision)
        assert row.state == decisions.ACCEPTED
        assert sorted(await desk.audited()) == ["approval.seen", "decision.accepted", "decision.received"]

    async def test_of_another_person_under_the_same_id_is_another(self, desk: Desk, asked: Asked, intake: Intake):
        other = await desk.world.person(desk.asker.workspace_id, Role.OWNER)
        await show(desk, asked)

        await self.decide(intake, desk.owner, asked)
        with pytest.raises(AlreadyDecided):
            await self.decide(intake, other, asked)

        rows = await desk.world.all(Decision)
        assert len({row.update_id for row in rows}) == 2
        assert {row.user_id: row.state for row in rows} == {
            desk.owner.user_id: decisions.ACCEPTED,
            other.user_id: decisions.REFUSED,
        }

    async def test_refused_at_the_door_is_on_record_and_never_reaches_the_workflow(
        self, desk: Desk, asked: Asked, intake: Intake, judge: Judge
    ):
        await show(desk, asked)

        with pytest.raises(NotAllowed):
            await self.decide(intake, desk.asker, asked)
        with pytest.raises(DigestMismatch):
            await self.decide(intake, desk.owner, asked, digest="0" * 64, decision_id="a")
        await desk.world.alter(Approval, asked.consent.approval_id, expires_at=now() - timedelta(seconds=1))
        with pytest.raises(Expired):
            await self.decide(intake, desk.owner, asked, decision_id="b")

        assert judge.answers == {}
        refusals = {row.refusal for row in await desk.world.all(Decision)}
        assert refusals == {"not_allowed", "digest_mismatch", "expired"}
        assert (await desk.audited()).count("decision.refused") == 3

    async def test_whose_workflow_is_lost_is_refused_and_the_request_is_withdrawn(
        self, desk: Desk, asked: Asked, intake: Intake, judge: Judge
    ):
        judge.verdict = CLOSED
        await show(desk, asked)

        with pytest.raises(Conflict, match="The request was lost; ask again"):
            await self.decide(intake, desk.owner, asked)

        approval = await desk.world.get(Approval, asked.consent.approval_id)
        assert (approval.state, approval.decided_by, approval.decision_id) == (ApprovalState.WITHDRAWN, None, None)
        assert await desk.state(asked) == (CallState.NOT_RUN, "The request was lost before anybody decided")
        assert (await desk.world.told(desk.conversation_id))[-2:] == ["approval.closed", "tool.failed"]
        assert await desk.audited() == ["approval.seen", "decision.received", "approval.withdrawn", "decision.refused"]

    async def test_whose_workflow_is_closed_is_judged_by_what_sql_keeps(
        self, desk: Desk, asked: Asked, intake: Intake, judge: Judge
    ):
        await show(desk, asked)
        judge.verdict, judge.meanwhile = CLOSED, lambda: close(desk, asked.consent)
        with pytest.raises(AlreadyDecided):
            await self.decide(intake, desk.owner, asked)

    async def test_is_not_there_for_strangers(self, desk: Desk, asked: Asked, intake: Intake):
        stranger = await desk.world.person(role=Role.OWNER)
        await show(desk, asked)

        with pytest.raises(NotFound):
            await self.decide(intake, stranger, asked)

        assert await desk.world.all(Decision) == []
        assert await desk.world.all(AuditRow) == []

    async def test_keeps_the_audit_chain_whole(self, desk: Desk, asked: Asked, intake: Intake, audit: AuditTrail):
        await show(desk, asked)
        await self.decide(intake, desk.owner, asked)

        async with desk.world.database.reading() as session:
            verdict = await audit.verify(session, desk.asker.workspace_id)
            rows, _, total = await audit_store.page(session, desk.asker.workspace_id, limit=1, before=None)

        assert verdict.intact
        assert (rows[0].kind, total) == ("decision.accepted", 3)
