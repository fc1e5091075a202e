"""Several people, one after the other, reminded, escalated: on a real Temporal server, with timers of a second."""

import asyncio

import pytest

from core.errors import Conflict, NotAllowed, NotFound
from core.permissions import Principal, Role
from core.tables.consent import Approval
from core.tables.people import Membership
from core.tables.records import AuditRow
from core.values import ApprovalState, CallState, TurnState
from core.views import ApprovalView
from tests.workflows.script import call
from tests.workflows.stage import Stage
from tests.world import eventually

pytestmark = pytest.mark.server


async def noted(stage: Stage, approval: ApprovalView, **wanted: object) -> Approval:
    """Wait until the row says so."""

    async def says() -> bool:
        row = await stage.get(Approval, approval.id)
        return all(getattr(row, name) == value for name, value in wanted.items())

    await eventually(says)
    return await stage.get(Approval, approval.id)


class TestQuorum:
    async def test_of_two_waits_for_the_second_person(self, stage: Stage):
        bo, _ = await stage.owners()
        await stage.rule("note.send", approvers={"role": "owner"}, quorum=2)
        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()

        first = await stage.decide(approval)
        second = await stage.decide(approval, who=bo)
        turn = await stage.ended(sent.turn_id)

        assert (first.approval.state, second.state, turn.state) == ("pending", "accepted", TurnState.FINISHED)
        assert [vote.user_id for vote in first.approval.votes] == [stage.ana.user_id]
        row = await stage.get(Approval, approval.id)
        assert [vote["user_id"] for vote in row.votes] == [stage.ana.user_id, bo.user_id]
        assert len(stage.notes.sent) == 1

    async def test_counts_a_person_once_whatever_accounts_they_use(self, stage: Stage):
        other, bo = await stage.owners()
        await stage.alter(Membership, other.membership_id, person_id=stage.ana.user_id)
        await stage.rule("note.send", approvers={"role": "owner"}, quorum=2)
        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()
        await stage.decide(approval)

        with pytest.raises(Conflict, match="answered"):
            await stage.decide(approval)
        with pytest.raises(Conflict, match="answered"):
            await stage.decide(approval, who=other)

        assert stage.notes.sent == []
        await stage.decide(approval, who=bo)
        assert (await stage.ended(sent.turn_id)).state == TurnState.FINISHED

    async def test_is_no_consent_when_the_time_is_over(self, stage: Stage):
        await stage.owners()
        await stage.rule("note.send", approvers={"role": "owner"}, quorum=2, expires="2s")
        sent = await stage.send("go", [call("send", "hi")], ["Nobody."])
        (approval,) = await stage.pending()

        await stage.decide(approval)
        turn = await stage.ended(sent.turn_id)

        assert [one.state for one in await stage.calls(turn.id)] == [CallState.EXPIRED]
        assert stage.notes.sent == []

    async def test_is_ended_by_one_rejection(self, stage: Stage):
        bo, _ = await stage.owners()
        await stage.rule("note.send", approvers={"role": "owner"}, quorum=2)
        sent = await stage.send("go", [call("send", "hi")], ["No."])
        (approval,) = await stage.pending()
        await stage.decide(approval)

        await stage.decide(approval, "reject", who=bo)
        await stage.ended(sent.turn_id)

        assert (await stage.get(Approval, approval.id)).state == ApprovalState.REJECTED
        assert stage.notes.sent == []

    async def test_of_many_at_once_is_filled_by_as_many_and_no_more(self, stage: Stage):
        people = [stage.ana, *await stage.owners(5)]
        await stage.rule("note.send", approvers={"role": "owner"}, quorum=3)
        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()

        await asyncio.gather(
            *(stage.decide(approval, who=one) for one in people for _ in range(2)), return_exceptions=True
        )
        await stage.ended(sent.turn_id)

        row = await stage.get(Approval, approval.id)
        assert len({vote["user_id"] for vote in row.votes}) == len(row.votes) == 3
        assert len(stage.notes.sent) == 1


class TestStages:
    async def test_come_one_after_the_other(self, stage: Stage):
        (bo,) = await stage.owners(1)
        admin = await stage.person(stage.ana.workspace_id, Role.ADMIN)
        stages = [{"name": "desk", "approvers": {"role": "admin"}}, {"name": "board", "approvers": {"role": "owner"}}]
        await stage.rule("note.send", stages=stages)
        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()

        with pytest.raises(NotFound):
            await stage.decide(approval, who=bo)
        between = await stage.decide(approval, who=admin)
        await stage.decide(approval, who=bo)

        assert (between.approval.state, between.approval.stage) == ("pending", 1)
        assert bo.user_id in {one.user_id for one in between.approval.deciders}
        assert (await stage.ended(sent.turn_id)).state == TurnState.FINISHED
        assert len(stage.notes.sent) == 1


class TestTime:
    async def test_reminds_whoever_is_missing(self, stage: Stage):
        await stage.rule("note.send", approvers={"role": "owner"}, remind=["1s"])
        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()

        async def reminded() -> bool:
            rows = await stage.all(AuditRow, AuditRow.kind == "approval.updated")
            return any(row.body.get("reminded") for row in rows)

        await eventually(reminded)
        await stage.decide(approval)
        assert (await stage.ended(sent.turn_id)).state == TurnState.FINISHED

    async def test_escalates_to_others_who_may_decide_from_then_on(self, stage: Stage):
        admin = await stage.person(stage.ana.workspace_id, Role.ADMIN)
        escalate = {"after": "2s", "to": {"role": "admin"}, "for": "60s"}
        await stage.rule("note.send", approvers={"role": "owner"}, expires="30s", escalate=escalate)
        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()

        with pytest.raises(NotFound):
            await stage.decide(approval, who=admin)
        row = await noted(stage, approval, state=ApprovalState.PENDING)
        await _escalated(stage, approval)
        later = await stage.get(Approval, approval.id)
        await stage.decide(approval, who=admin)

        assert (later.expires_at - row.expires_at).total_seconds() == 60
        assert (await stage.ended(sent.turn_id)).state == TurnState.FINISHED
        assert len(stage.notes.sent) == 1

    async def test_that_is_over_escalates_once_then_refuses(self, stage: Stage):
        await stage.person(stage.ana.workspace_id, Role.ADMIN)
        escalate = {"to": {"role": "admin"}, "for": "2s"}
        await stage.rule(
            "note.send", approvers={"role": "owner"}, expires="2s", escalate=escalate, on_expiry="escalate"
        )
        sent = await stage.send("go", [call("send", "hi")], ["Nobody."])
        (approval,) = await stage.pending()

        await _escalated(stage, approval)
        turn = await stage.ended(sent.turn_id)

        assert [one.state for one in await stage.calls(turn.id)] == [CallState.EXPIRED]
        assert stage.notes.sent == []


async def _escalated(stage: Stage, approval: ApprovalView) -> None:
    async def has() -> bool:
        return (await stage.get(Approval, approval.id)).escalated_at is not None

    await eventually(has)


async def demote(stage: Stage, who: Principal) -> None:
    await stage.alter(Membership, who.membership_id, role=Role.MEMBER)


class TestAskedAgain:
    async def test_when_a_vote_counts_no_more_and_the_turn_waits_on(self, stage: Stage):
        bo, cy = await stage.owners()
        await stage.rule("note.send", approvers={"role": "owner"}, quorum=2)
        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()
        await stage.decide(approval, who=bo)
        await demote(stage, bo)
        await stage.decide(approval, who=cy)

        await noted(stage, approval, state=ApprovalState.VOID)
        (again,) = await stage.pending()
        waiting = await stage.until(sent.turn_id, TurnState.WAITING)
        meanwhile = await stage.send("meanwhile", ["Here."])
        assert (await stage.ended(meanwhile.turn_id)).state == TurnState.FINISHED
        with pytest.raises(NotAllowed):
            await stage.decide(again, who=bo)
        await stage.decide(again)
        await stage.decide(again, who=cy)
        turn = await stage.ended(sent.turn_id)

        assert waiting.state == TurnState.WAITING
        assert (again.generation, again.tool_call_id) == (1, approval.tool_call_id)
        assert "Asked again" in again.preview.warnings[0]
        assert turn.state == TurnState.FINISHED
        assert await stage.reply(turn.id) == "Sent."
        assert stage.notes.sent == [("send", {"text": "hi"}, approval.tool_call_id)]

    async def test_can_be_stopped(self, stage: Stage):
        bo, cy = await stage.owners()
        await stage.rule("note.send", approvers={"role": "owner"}, quorum=2)
        sent = await stage.send("go", [call("send", "hi")], ["never"])
        (approval,) = await stage.pending()
        await stage.decide(approval, who=bo)
        await demote(stage, bo)
        await stage.decide(approval, who=cy)
        await noted(stage, approval, state=ApprovalState.VOID)
        (again,) = await stage.pending()

        await stage.intake.stop_turn(stage.ana, sent.turn_id)
        await stage.ended(sent.turn_id)

        await noted(stage, again, state=ApprovalState.WITHDRAWN)
        assert [one.state for one in await stage.calls(sent.turn_id)] == [CallState.NOT_RUN]
        assert stage.notes.sent == []
