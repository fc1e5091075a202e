"""The workspace's rules and operation mode on a real Temporal server: saved while things wait, counted at the gate."""

import pytest

from core.permissions import Role
from core.policy.document import PolicyDocument
from core.store import policies
from core.store.work import change
from core.values import CallState, OperationMode, TurnState
from tests.workflows.script import call
from tests.workflows.stage import Stage
from tests.world import eventually
from workers.llm.port import ToolAnswered

pytestmark = pytest.mark.server


@pytest.fixture
async def owner(stage: Stage):
    (found,) = await stage.owners(1)
    return found


@pytest.fixture
def save(stage: Stage, owner):
    async def save_rules(expected: int, *rules: dict) -> None:
        document = PolicyDocument.model_validate({"rules": rules})
        async with change(stage.database, stage.rooms) as work:
            await policies.save(work, stage.audit, owner, document, expected=expected, source=None, note=None)

    return save_rules


class TestPolicy:
    async def test_a_rule_that_denies_is_told_to_the_model(self, stage: Stage, save):
        await save(0, {"name": "quiet", "when": {"action": "note.send"}, "verdict": "deny", "because": "not today"})

        sent = await stage.send("go", [call("send", "hi")], ["I may not."])
        turn = await stage.ended(sent.turn_id)

        assert (turn.state, stage.notes.sent) == (TurnState.FINISHED, [])
        (told,) = [entry for entry in stage.model.requests[-1].entries if isinstance(entry, ToolAnswered)]
        assert (told.status, "quiet: not today" in told.content) == (CallState.DENIED, True)

    async def test_what_was_approved_is_not_done_once_a_newer_rule_denies_it(self, stage: Stage, save):
        sent = await stage.send("go", [call("send", "hi")], ["It was not sent."])
        (approval,) = await stage.pending()

        async with stage.deciding(approval):
            await save(0, {"name": "quiet", "when": {"action": "note.send"}, "verdict": "deny"})
        await stage.ended(sent.turn_id)

        ((state, detail),) = [(one.state, one.detail) for one in await stage.calls(sent.turn_id)]
        assert (state, stage.notes.sent) == (CallState.NOT_RUN, [])
        assert "quiet" in (detail or "")

    async def test_what_was_approved_is_asked_again_once_a_newer_version_wants_more(self, stage: Stage, save):
        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()
        ask = {"approvers": {"role": "owner"}, "comment_required": True}
        async with stage.deciding(approval):
            await save(0, {"name": "reasons", "when": {"action": "note.send"}, "verdict": "ask", "ask": ask})

        async def other() -> bool:
            return [one.id for one in await stage.pending()] != [approval.id]

        await eventually(other)
        (again,) = await stage.pending()
        before = list(stage.notes.sent)
        await stage.decide(again, "reject")
        await stage.ended(sent.turn_id)

        assert (before, again.rule) == ([], "reasons")
        assert stage.notes.sent == []

    async def test_a_newer_version_that_still_asks_changes_nothing(self, stage: Stage, save):
        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        (approval,) = await stage.pending()
        await save(0, {"name": "asked", "when": {"action": "note.send"}, "verdict": "ask"})

        await stage.decide(approval)
        await stage.ended(sent.turn_id)

        assert [one.state for one in await stage.calls(sent.turn_id)] == [CallState.DONE]


class TestOperationMode:
    async def test_an_emergency_stops_what_was_approved_and_has_not_begun(self, stage: Stage, owner):
        approver = await stage.person(stage.ana.workspace_id, Role.APPROVER)
        sent = await stage.send("go", [call("send", "hi")], ["It was not sent."])
        (approval,) = await stage.pending()

        async with stage.deciding(approval):
            await stage.intake.change_mode(approver, OperationMode.EMERGENCY)
        await stage.ended(sent.turn_id)

        ((state, detail),) = [(one.state, one.detail) for one in await stage.calls(sent.turn_id)]
        assert (state, stage.notes.sent) == (CallState.NOT_RUN, [])
        assert "emergency mode" in (detail or "")

    async def test_autonomy_does_what_the_built_in_rules_would_ask(self, stage: Stage, owner):
        await stage.intake.change_mode(owner, OperationMode.AUTONOMOUS)

        sent = await stage.send("go", [call("send", "hi")], ["Sent."])
        await stage.ended(sent.turn_id)

        assert [one.state for one in await stage.calls(sent.turn_id)] == [CallState.DONE]
