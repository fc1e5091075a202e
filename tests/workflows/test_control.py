"""Interrupt, edits after an action, and modes, on a real Temporal server."""

import asyncio
from typing import Any

import pytest

from core.ids import new_id
from core.modes import Mode
from core.permissions import Door
from core.store import conversations, modes
from core.store.submissions import Wishes
from core.store.work import change
from core.values import CallState, TurnState, WhenBusy
from core.views import ModeView
from tests.workflows.script import call
from tests.workflows.stage import Stage
from workers.llm.port import UserSaid

pytestmark = pytest.mark.server


async def alter(stage: Stage, **values: Any) -> None:
    async with change(stage.database, stage.rooms) as work:
        await conversations.alter(work, stage.ana, stage.conversation_id, **values)


async def make(stage: Stage, mode: Mode) -> ModeView:
    async with change(stage.database, stage.rooms) as work:
        return await modes.add(work, stage.ana, mode)


def aside(stage: Stage) -> str:
    """What the server told the model beside the newest message, in the newest call."""
    return next(one.aside for one in reversed(stage.model.requests[-1].entries) if isinstance(one, UserSaid))


class TestInterrupt:
    async def test_a_message_stops_what_runs_and_is_answered(self, stage: Stage):
        await alter(stage, when_busy=WhenBusy.INTERRUPT)
        hold = asyncio.Event()
        long = await stage.send("long", ["As I was saying", hold])
        await stage.model.speaking.wait()
        short = await stage.send("short", ["Yes?"])

        assert (await stage.ended(long.turn_id)).state == TurnState.STOPPED
        assert (await stage.ended(short.turn_id)).state == TurnState.FINISHED
        assert await stage.reply(short.turn_id) == "Yes?"
        assert await stage.terminal_events(long.turn_id) == ["turn.stopped"]

    async def test_a_send_in_flight_is_never_cut(self, stage: Stage):
        await alter(stage, when_busy=WhenBusy.INTERRUPT)
        stage.notes.hold = asyncio.Event()
        long = await stage.send("add", [call("add")])
        await stage.until_sent(1)
        short = await stage.send("short", ["Yes?"])
        await stage.until(short.turn_id, TurnState.FINISHED)
        stage.notes.hold.set()
        await stage.ended(long.turn_id)
        (added,) = await stage.calls(long.turn_id)

        assert added.state == CallState.DONE
        assert len(stage.notes.kept) == 1


class TestEditAfterAnAction:
    async def test_tells_the_model_and_asks_before_it_is_repeated(self, stage: Stage):
        first = await stage.send("add it", [call("add", "milk")], ["Added."])
        await stage.ended(first.turn_id)
        stage.model.lines["add it, please"] = [[call("add", "milk")], ["Fine."]]
        edited = await stage.intake.edit_message(
            stage.ana, Door.REST, first.message_id, "add it, please", new_id("cli")
        )
        (approval,) = await stage.pending()
        told = aside(stage)
        await stage.decide(approval, "reject")
        await stage.ended(edited.turn_id)

        assert [(one.action, one.state) for one in edited.already_done] == [("note.add", "done")]
        assert 'note.add {"text": "milk"}: done' in told
        assert len(stage.notes.sent) == 1
        assert await stage.reply(edited.turn_id) == "Fine."

    async def test_another_call_is_made_as_ever(self, stage: Stage):
        first = await stage.send("add it", [call("add", "milk")], ["Added."])
        await stage.ended(first.turn_id)
        stage.model.lines["add bread"] = [[call("add", "bread")], ["Done."]]
        edited = await stage.intake.edit_message(stage.ana, Door.REST, first.message_id, "add bread", new_id("cli"))
        await stage.ended(edited.turn_id)

        assert [arguments["text"] for _, arguments, _ in stage.notes.sent] == ["milk", "bread"]

    async def test_withdraws_what_was_asked_in_the_part_left_behind(self, stage: Stage):
        first = await stage.send("send it", [call("send")])
        (approval,) = await stage.pending()
        stage.model.lines["never mind"] = [["All right."]]
        edited = await stage.intake.edit_message(stage.ana, Door.REST, first.message_id, "never mind", new_id("cli"))
        await stage.ended(edited.turn_id)
        await stage.ended(first.turn_id)
        (asked,) = await stage.calls(first.turn_id)

        assert edited.already_done == ()
        assert await stage.pending(0) == []
        assert asked.state != CallState.DONE
        assert stage.notes.sent == []
        assert approval.turn_id == first.turn_id


class TestMode:
    async def test_bounds_tools_rounds_and_words(self, stage: Stage):
        await make(stage, Mode(name="looks", title="Looks", prompt="Look only.", tools=("note.read",), rounds=2))
        stage.model.lines["do"] = [[call("read")], [call("add")], ["never"]]
        sent = await stage.intake.submit_message(
            stage.ana,
            Door.REST,
            stage.conversation_id,
            "do",
            new_id("cli"),
            Wishes(mode="looks", message_type="fitness_plan"),
        )
        turn = await stage.ended(sent.turn_id)
        first, last = stage.model.requests
        read, added = await stage.calls(sent.turn_id)

        assert (turn.state, turn.error_code) == (TurnState.FAILED, "too_many_rounds")
        assert [tool.name for tool in first.tools] == ["note.read"]
        assert last.tools == ()
        assert "Look only." in first.system
        assert "fitness_plan" in aside(stage)
        assert (read.state, added.state, added.rule) == ("done", "denied", "not in this mode")
        assert [action for action, _, _ in stage.notes.sent] == ["read"]

    async def test_bounds_tool_calls(self, stage: Stage):
        await make(stage, Mode(name="once", title="Once", tool_calls=1))
        await alter(stage, mode="once")
        sent = await stage.send("do", [call("add", "a", "c1"), call("add", "b", "c2")], ["ok"])
        await stage.ended(sent.turn_id)

        assert [one.state for one in await stage.calls(sent.turn_id)] == ["done", "denied"]

    async def test_that_was_removed_fails_before_any_model_is_asked(self, stage: Stage):
        await make(stage, Mode(name="gone", title="Gone"))
        await alter(stage, mode="gone")
        async with change(stage.database, stage.rooms) as work:
            await modes.remove(work, stage.ana, "gone")
        sent = await stage.send("hi")
        turn = await stage.ended(sent.turn_id)

        assert (turn.state, turn.error_code) == (TurnState.FAILED, "unknown_mode")
        assert "gone was removed" in (turn.error_detail or "")
        assert stage.model.calls == 0
