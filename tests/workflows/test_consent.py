"""Consent on a real Temporal server: approved, rejected, expired, withdrawn; other turns meanwhile."""

import asyncio

import pytest

from core.errors import AlreadyDecided, DigestMismatch, Expired, NotAllowed, NotFound
from core.messages import TurnStep
from core.permissions import Role
from core.store import turns
from core.store.work import change
from core.tables.consent import Approval, Decision
from core.tables.records import AuditRow
from core.tables.work import Turn
from core.values import ApprovalState, CallState, TurnState
from tests.workflows.script import call
from tests.workflows.stage import Stage, open_stage
from tests.world import eventually
from workers.llm.port import ToolAnswered
from workflows.handles import turn_workflow_id

pytestmark = pytest.mark.server


class TestApproval:
    async def test_approved_runs_once_and_the_turn_goes_on(self, stage: Stage):
        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()
        assert (await stage.until(sent.turn_id, TurnState.WAITING)).state == TurnState.WAITING

        decided = await stage.decide(approval)
        turn = await stage.ended(sent.turn_id)

        assert decided.state == "accepted"
        assert turn.state == TurnState.FINISHED
        assert await stage.reply(turn.id) == "Sent."
        assert stage.notes.sent == [("send", {"text": "hi"}, approval.tool_call_id)]
        row = await stage.get(Approval, approval.id)
        assert (row.state, row.decided_by) == (ApprovalState.APPROVED, stage.ana.user_id)
        assert row.consumed_at is not None
        assert sorted([one.kind for one in await stage.all(AuditRow)]) == [
            "approval.approved",
            "approval.requested",
            "approval.seen",
            "call.executed",
            "call.started",
            "decision.accepted",
            "decision.received",
        ]

    async def test_rejected_does_not_run_and_the_model_is_told_why(self, stage: Stage):
        sent = await stage.send("go", [call("send")], ["All right, not sent."])
        (approval,) = await stage.pending()

        await stage.decide(approval, "reject")
        turn = await stage.ended(sent.turn_id)

        assert turn.state == TurnState.FINISHED
        assert stage.notes.sent == []
        (told,) = [entry for entry in stage.model.requests[-1].entries if isinstance(entry, ToolAnswered)]
        assert told.status == CallState.REJECTED
        assert "because" in told.content

    async def test_withdrawn_by_a_stop_does_not_run(self, stage: Stage):
        sent = await stage.send("go", [call("send")], ["never said"])
        (approval,) = await stage.pending()

        await stage.intake.stop_turn(stage.ana, sent.turn_id)
        await stage.ended(sent.turn_id)

        assert (await stage.get(Approval, approval.id)).state == ApprovalState.WITHDRAWN
        assert [one.state for one in await stage.calls(sent.turn_id)] == [CallState.NOT_RUN]
        assert await stage.terminal_events(sent.turn_id) == ["turn.stopped"]
        with pytest.raises(AlreadyDecided):
            await stage.decide(approval)

    async def test_two_requests_of_one_round_are_decided_apart(self, stage: Stage):
        calls = [call("send", "a", "c1"), call("send", "b", "c2"), call("read", "c", "c3")]
        sent = await stage.send("go", calls, ["ok"])
        first, second = await stage.pending(2)

        await stage.decide(first, "reject")
        await stage.decide(second)
        turn = await stage.ended(sent.turn_id)

        assert turn.state == TurnState.FINISHED
        states = {one.arguments["text"]: one.state for one in await stage.calls(turn.id)}
        assert states == {
            first.arguments["text"]: CallState.REJECTED,
            second.arguments["text"]: CallState.DONE,
            "c": CallState.DONE,
        }


class TestExpiry:
    async def test_refuses_by_itself(self, idle_stage: Stage, tmp_path):
        async with (
            open_stage(
                tmp_path, idle_stage.database, idle_stage.client, idle_stage.ring, approval_expiry_seconds=1
            ) as stage,
            stage.working(),
        ):
            sent = await stage.send("go", [call("send")], ["Nobody answered."])

            turn = await stage.ended(sent.turn_id)

            assert turn.state == TurnState.FINISHED
            assert [one.state for one in await stage.calls(turn.id)] == [CallState.EXPIRED]
            (row,) = await stage.all(Approval)
            assert (row.state, row.decided_by) == (ApprovalState.EXPIRED, None)
            assert stage.notes.sent == []

    async def test_beats_a_decision_that_came_while_nobody_worked(self, idle_stage: Stage, tmp_path):
        async with open_stage(
            tmp_path, idle_stage.database, idle_stage.client, idle_stage.ring, approval_expiry_seconds=3
        ) as stage:
            async with stage.working():
                sent = await stage.send("go", [call("send")], ["Too late."])
                (approval,) = await stage.pending()
                await stage.until(sent.turn_id, TurnState.WAITING)
            # A decision is sent in time, but reaches Temporal while the workers are down, over the deadline.
            deciding = asyncio.create_task(stage.decide(approval))

            async def late() -> bool:
                return approval.expires_at < (await stage.now())

            await eventually(late)
            async with stage.working():
                with pytest.raises(Expired):
                    await deciding
                turn = await stage.ended(sent.turn_id)

            assert turn.state == TurnState.FINISHED
            assert stage.notes.sent == []
            (decision,) = await stage.all(Decision)
            assert (decision.state, decision.refusal) == ("refused", "expired")


class TestParked:
    async def test_others_talk_meanwhile_and_see_that_it_waits(self, stage: Stage):
        waiting = await stage.send("go", [call("send")], ["Sent."])
        (approval,) = await stage.pending()
        await stage.until(waiting.turn_id, TurnState.WAITING)

        other = await stage.send("meanwhile", ["Here."])
        other_turn = await stage.ended(other.turn_id)

        assert other_turn.state == TurnState.FINISHED
        (told,) = [entry for entry in stage.model.requests[-1].entries if isinstance(entry, ToolAnswered)]
        assert told.status == CallState.AWAITING
        await stage.decide(approval)
        assert (await stage.ended(waiting.turn_id)).state == TurnState.FINISHED
        assert await stage.reply(waiting.turn_id) == "Sent."

    async def test_is_woken_before_those_that_are_queued(self, stage: Stage):
        hold = asyncio.Event()
        parked = await stage.send("go", [call("send")], ["Sent."])
        (approval,) = await stage.pending()
        await stage.until(parked.turn_id, TurnState.WAITING)
        running = await stage.send("running", [hold, "R"])
        queued = await stage.send("queued")
        await stage.model.speaking.wait()

        await stage.decide(approval)
        await stage.until_sent(1)

        async def wants() -> bool:
            return (await stage.get(Turn, parked.turn_id)).wants_lease

        await eventually(wants)
        hold.set()
        for one in (running, parked, queued):
            assert (await stage.ended(one.turn_id)).state == TurnState.FINISHED

        events = await stage.events(stage.conversation_id)
        order = [row.body["turn"]["id"] for row in events if row.type == "turn.finished"]
        assert order == [running.turn_id, parked.turn_id, queued.turn_id]

    async def test_that_it_gave_the_conversation_back_is_not_forgotten_with_a_lost_task(self, stage: Stage):
        stage.notes.hold = asyncio.Event()
        sent = await stage.send("go", [call("send", "a", "c1"), call("read", "b", "c2")], ["Not sent."])
        (approval,) = await stage.pending()
        await stage.until_sent(1)
        await stage.decide(approval, "reject")

        async def heard() -> bool:
            history = await stage.history(turn_workflow_id(sent.turn_id))
            return any(one.HasField("child_workflow_execution_completed_event_attributes") for one in history.events)

        await eventually(heard)
        turn = await stage.get(Turn, sent.turn_id)
        async with change(stage.database, stage.rooms) as work:
            await turns.park(work, TurnStep(turn_id=turn.id, lease_epoch=turn.lease_epoch))
        stage.notes.hold.set()

        assert (await stage.ended(sent.turn_id)).state == TurnState.FINISHED
        assert await stage.reply(sent.turn_id) == "Not sent."

    async def test_two_parked_turns_resume_each(self, stage: Stage):
        first = await stage.send("one", [call("send", "1")], ["One."])
        await stage.pending(1)
        await stage.until(first.turn_id, TurnState.WAITING)
        second = await stage.send("two", [call("send", "2")], ["Two."])
        older, newer = await stage.pending(2)
        await stage.until(second.turn_id, TurnState.WAITING)

        await stage.decide(newer)
        await stage.decide(older)
        ends = [await stage.ended(one.turn_id) for one in (first, second)]

        assert [one.state for one in ends] == [TurnState.FINISHED, TurnState.FINISHED]
        assert [await stage.reply(one.turn_id) for one in (first, second)] == ["One.", "Two."]


class TestDecision:
    async def test_sent_twice_is_one_decision(self, stage: Stage):
        sent = await stage.send("go", [call("send")], ["Sent."])
        (approval,) = await stage.pending()

        first = await stage.decide(approval, decision_id="click")
        second = await stage.decide(approval, decision_id="click")
        await stage.ended(sent.turn_id)

        assert (first.state, second.state) == ("accepted", "accepted")
        assert len(await stage.all(Decision)) == 1
        assert len(stage.notes.sent) == 1

    async def test_of_another_person_under_the_same_id_is_judged_by_itself(self, stage: Stage):
        bo = await stage.person(stage.ana.workspace_id, Role.OWNER)
        await stage.send("go", [call("send")], ["Sent."])
        (approval,) = await stage.pending()

        await stage.decide(approval, decision_id="click")
        with pytest.raises(AlreadyDecided, match=stage.ana.name):
            await stage.decide(approval, "reject", decision_id="click", who=bo)

        assert len(await stage.all(Decision)) == 2

    async def test_that_quotes_another_digest_is_refused_and_it_stays_open(self, stage: Stage):
        await stage.send("go", [call("send")], ["Sent."])
        (approval,) = await stage.pending()

        with pytest.raises(DigestMismatch):
            await stage.decide(approval.model_copy(update={"digest": "0" * 64}))

        assert (await stage.get(Approval, approval.id)).state == ApprovalState.PENDING

    async def test_of_somebody_not_entitled_is_refused_and_it_stays_open(self, stage: Stage):
        bo = await stage.person(stage.ana.workspace_id)
        eve = await stage.person(role=Role.OWNER)
        stage.conversation_id = await stage.conversation(stage.ana, bo)
        await stage.send("go", [call("drop")], ["Sent."])
        (approval,) = await stage.pending()

        with pytest.raises(NotAllowed):
            await stage.decide(approval, who=bo)
        with pytest.raises(NotFound):
            await stage.decide(approval, who=eve)

        assert (await stage.get(Approval, approval.id)).state == ApprovalState.PENDING

    async def test_racing_ones_have_one_winner(self, stage: Stage):
        bo = await stage.person(stage.ana.workspace_id, Role.OWNER)
        sent = await stage.send("go", [call("drop")], ["ok"])
        (approval,) = await stage.pending()

        answers = await asyncio.gather(
            stage.decide(approval, "approve"), stage.decide(approval, "reject", who=bo), return_exceptions=True
        )
        await stage.ended(sent.turn_id)

        lost = [one for one in answers if isinstance(one, AlreadyDecided)]
        assert len(lost) == 1
        assert "decided before" in lost[0].detail
        (audit,) = [one for one in await stage.all(AuditRow) if one.kind in {"approval.approved", "approval.rejected"}]
        assert len(stage.notes.sent) == (audit.kind == "approval.approved")

    async def test_many_at_once_are_one_accepted_and_the_others_refused(self, stage: Stage):
        sent = await stage.send("go", [call("drop")], ["ok"])
        (approval,) = await stage.pending()
        verdicts = ["approve", "reject"] * 12

        answers = await asyncio.gather(*(stage.decide(approval, one) for one in verdicts), return_exceptions=True)
        await stage.ended(sent.turn_id)

        (won,) = [number for number, one in enumerate(answers) if not isinstance(one, AlreadyDecided)]
        decided = await stage.get(Approval, approval.id)
        assert decided.state == {"approve": "approved", "reject": "rejected"}[verdicts[won]]
        (accepted,) = [one for one in await stage.all(Decision) if one.state == "accepted"]
        assert accepted.id == decided.decision_id
        assert len(stage.notes.sent) == (verdicts[won] == "approve")
        assert all("decided before" in one.detail for one in answers if isinstance(one, AlreadyDecided))
