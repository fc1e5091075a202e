"""A person changes the arguments: what runs is what was shown last, and the model is told."""

import asyncio

import pytest

from core.errors import AlreadyDecided, DigestMismatch, Invalid
from core.tables.consent import Approval, Decision
from core.tables.records import AuditRow
from core.values import ApprovalState, TurnState
from tests.workflows.script import call
from tests.workflows.stage import Stage
from tests.world import eventually
from workers.llm.port import AssistantSaid, ToolAnswered

pytestmark = pytest.mark.server


class TestEdit:
    async def test_runs_as_the_person_made_it_and_the_model_is_told(self, stage: Stage):
        sent = await stage.send("go", [call("send", "1000 EUR")], ["Sent less."])
        (approval,) = await stage.pending()

        decided = await stage.decide(approval, arguments={"text": "10 EUR"})
        turn = await stage.ended(sent.turn_id)

        assert (decided.state, turn.state) == ("accepted", TurnState.FINISHED)
        assert stage.notes.sent == [("send", {"text": "10 EUR"}, approval.tool_call_id)]
        view = decided.approval
        assert (view.state, view.revision, view.edited_by_name) == ("approved", 1, stage.ana.name)
        assert view.digest != approval.digest
        assert view.preview.summary == "send 10 EUR"
        entries = stage.model.requests[-1].entries
        (said,) = [one for one in entries if isinstance(one, AssistantSaid) and one.calls]
        (told,) = [one for one in entries if isinstance(one, ToolAnswered)]
        assert said.calls[0].arguments == {"text": "10 EUR"}
        assert told.edited
        (row,) = await stage.all(AuditRow, AuditRow.subject == approval.id, AuditRow.kind == "approval.edited")
        (asked,) = await stage.all(AuditRow, AuditRow.subject == approval.id, AuditRow.kind == "approval.requested")
        assert (row.actor, row.body["digest"]) == (stage.ana.user_id, view.digest)
        for one in (asked, row):
            assert one.body["policy_version"] == approval.policy_version
            assert one.body["rule"] == approval.rule
        assert asked.body["digest"] == approval.digest

    @pytest.mark.parametrize("wrong", [{"text": 7}, {"text": "x", "more": 1}, {}])
    async def test_that_does_not_fit_is_refused_and_it_stays_open(self, stage: Stage, wrong: dict):
        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()

        with pytest.raises(Invalid, match=r"text|more"):
            await stage.decide(approval, arguments=wrong)

        assert (await stage.get(Approval, approval.id)).state == ApprovalState.PENDING
        await stage.decide(approval)
        await stage.ended(sent.turn_id)
        assert stage.notes.sent == [("send", {"text": "hi"}, approval.tool_call_id)]

    async def test_voids_earlier_votes(self, stage: Stage):
        bo, cy = await stage.owners()
        await stage.rule("note.send", approvers={"role": "owner"}, quorum=2)
        sent = await stage.send("go", [call("send", "a lot")], ["Sent."])
        (approval,) = await stage.pending()
        await stage.decide(approval, who=bo)

        edited = await stage.decide(approval, who=cy, arguments={"text": "a little"})
        with pytest.raises(DigestMismatch):
            await stage.decide(approval)
        assert stage.notes.sent == []
        await stage.decide(edited.approval, who=bo)
        await stage.ended(sent.turn_id)

        assert edited.approval.state == "pending"
        assert [vote.user_id for vote in edited.approval.votes] == [cy.user_id]
        assert stage.notes.sent == [("send", {"text": "a little"}, approval.tool_call_id)]

    async def test_of_what_is_rejected_is_nonsense(self, stage: Stage):
        await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()

        with pytest.raises(Invalid, match="approves"):
            await stage.decide(approval, "reject", arguments={"text": "x"})

        assert await stage.all(Decision) == []

    async def test_of_two_at_once_the_second_is_told_that_it_changed(self, stage: Stage):
        bo, cy = await stage.owners()
        await stage.rule("note.send", approvers={"role": "owner"}, quorum=2)
        await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()

        answers = await asyncio.gather(
            stage.decide(approval, who=bo, arguments={"text": "bo's"}),
            stage.decide(approval, who=cy, arguments={"text": "cy's"}),
            return_exceptions=True,
        )

        assert sorted(type(one).__name__ for one in answers) == ["Decided", "DigestMismatch"]
        row = await stage.get(Approval, approval.id)
        assert (row.revision, len(row.votes), row.state) == (1, 1, ApprovalState.PENDING)

    async def test_under_way_does_not_hold_up_a_vote_that_ends_it(self, stage: Stage, monkeypatch: pytest.MonkeyPatch):
        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()
        hold, reached, preview = asyncio.Event(), asyncio.Event(), stage.notes.preview

        async def slow(*given):
            reached.set()
            await hold.wait()
            return await preview(*given)

        monkeypatch.setattr(stage.notes, "preview", slow)
        editing = asyncio.create_task(stage.decide(approval, arguments={"text": "other"}))
        await reached.wait()

        await stage.decide(approval, "reject")
        hold.set()
        with pytest.raises(AlreadyDecided):
            await editing
        await stage.ended(sent.turn_id)

        async def closed() -> bool:
            return await stage.workflows.is_closed(f"approval-{approval.id}")

        await eventually(closed)
        row = await stage.get(Approval, approval.id)
        assert (row.state, row.revision, row.arguments) == (ApprovalState.REJECTED, 0, {"text": "hi"})
        assert stage.notes.sent == []

    async def test_sent_twice_under_one_id_is_one_edit(self, stage: Stage):
        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()

        for _ in range(2):
            decided = await stage.decide(approval, decision_id="click", arguments={"text": "other"})
        await stage.ended(sent.turn_id)

        assert decided.approval.revision == 1
        assert len(stage.notes.sent) == 1


class TestBatch:
    async def test_is_the_same_for_like_calls_of_one_round(self, stage: Stage):
        calls = [call("send", "a", "c1"), call("send", "b", "c2"), call("drop", "c", "c3")]
        await stage.send("go", calls, ["ok"])

        found = {one.arguments["text"]: one.batch for one in await stage.pending(3)}

        assert found["a"] == found["b"] is not None
        assert found["c"] is None
