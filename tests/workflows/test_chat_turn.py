"""A turn on a real Temporal server: plain, with tools, stopped, failed, retried."""

import asyncio
import logging

import pytest

from core.permissions import Door
from core.values import CallState, TurnState
from tests.workflows.script import call
from tests.workflows.stage import Stage
from workers.llm.errors import ModelRequestRejected, ModelUnavailable
from workers.llm.port import CallAsked, ToolAnswered, UserSaid
from workflows.handles import turn_workflow_id

pytestmark = pytest.mark.server


class TestPlainTurn:
    async def test_is_answered_with_one_terminal_event_and_frees_the_conversation(self, stage: Stage):
        sent = await stage.send("hi", ["Hel", "lo"])

        turn = await stage.ended(sent.turn_id)

        assert turn.state == TurnState.FINISHED
        assert await stage.reply(turn.id) == "Hello"
        assert await stage.terminal_events(turn.id) == ["turn.finished"]
        assert await stage.holder() is None

    async def test_costs_at_most_14_history_events(self, stage: Stage):
        sent = await stage.send("hi")
        await stage.ended(sent.turn_id)

        history = await stage.history(turn_workflow_id(sent.turn_id))

        assert len(history.events) <= 14

    async def test_sent_twice_is_one_turn(self, stage: Stage):
        first = await stage.send("hi", client_id="one")
        second = await stage.send("hi", client_id="one")
        await stage.ended(first.turn_id)

        assert (second.turn_id, second.duplicate) == (first.turn_id, True)
        assert stage.model.calls == 1

    async def test_turns_of_a_conversation_are_answered_in_their_order(self, stage: Stage):
        sent = [await stage.send(f"question {number}") for number in range(4)]

        for one in sent:
            await stage.ended(one.turn_id)

        told = [row for row in await stage.events(stage.conversation_id) if row.type == "turn.finished"]
        assert [row.body["turn"]["id"] for row in told] == [one.turn_id for one in sent]
        assert [row.seq for row in await stage.events(stage.conversation_id)] == list(range(1, 20))


class TestMistyped:
    async def test_commands_are_answered_and_leave_no_traceback_in_the_log(
        self, stage: Stage, caplog: pytest.LogCaptureFixture
    ):
        caplog.set_level(logging.INFO)

        sent = [await stage.send(f"/do note.fly{number} text=x") for number in range(10)]
        turns = [await stage.ended(one.turn_id) for one in sent]

        assert {turn.state for turn in turns} == {TurnState.FAILED}
        assert [record.getMessage() for record in caplog.records if record.exc_info] == []


class TestTools:
    async def test_allowed_calls_of_a_round_run_in_parallel_and_reach_the_model(self, stage: Stage):
        stage.notes.hold = asyncio.Event()
        sent = await stage.send("go", ["Let me. ", call("add", "a", "c1"), call("read", "b", "c2")], ["Done."])

        await stage.until_sent(2)
        stage.notes.hold.set()
        turn = await stage.ended(sent.turn_id)

        assert turn.state == TurnState.FINISHED
        assert await stage.reply(turn.id) == "Let me. \n\nDone."
        answers = [entry for entry in stage.model.requests[-1].entries if isinstance(entry, ToolAnswered)]
        assert [one.status for one in answers] == [CallState.DONE, CallState.DONE]
        assert sorted(stage.notes.actions) == ["add", "read"]

    async def test_an_unknown_action_and_wrong_arguments_are_told_to_the_model(self, stage: Stage):
        wrong = CallAsked("c2", "note.add", {"txt": 1})
        sent = await stage.send("go", [CallAsked("c1", "note.fly", {}), wrong], ["I see."])

        turn = await stage.ended(sent.turn_id)

        assert turn.state == TurnState.FINISHED
        assert [one.state for one in await stage.calls(turn.id)] == [CallState.FAILED, CallState.FAILED]
        assert stage.notes.sent == []

    async def test_arguments_that_no_store_keeps_are_refused_not_fatal(self, stage: Stage):
        bad = CallAsked("c1", "note.add\x00\ud800", {"text": "\ud800 \x00", "more\x00": [1]})
        sent = await stage.send("go", [bad], ["I see."])

        turn = await stage.ended(sent.turn_id)

        assert turn.state == TurnState.FINISHED
        assert [one.state for one in await stage.calls(turn.id)] == [CallState.FAILED]

    async def test_a_model_that_only_ever_calls_is_ended_after_the_bounded_rounds(self, stage: Stage):
        sent = await stage.send("go", *[[call("read")] for _ in range(9)])

        turn = await stage.ended(sent.turn_id)

        assert (turn.state, turn.error_code) == (TurnState.FAILED, "too_many_rounds")
        assert stage.model.calls == 8
        assert await stage.holder() is None

    async def test_a_command_calls_an_action_directly(self, stage: Stage):
        sent = await stage.send("/do note.add text=milk")

        turn = await stage.ended(sent.turn_id)

        assert turn.state == TurnState.FINISHED
        assert [(name, arguments) for name, arguments, _ in stage.notes.sent] == [("add", {"text": "milk"})]
        assert stage.model.calls == 0


class TestStop:
    async def test_mid_stream_keeps_what_was_said_and_ends_the_model_call(self, stage: Stage):
        never = asyncio.Event()
        sent = await stage.send("go", ["Once upon", never, "a time"])
        await stage.model.speaking.wait()

        view = await stage.intake.stop_turn(stage.ana, sent.turn_id)
        again = await stage.intake.stop_turn(stage.ana, sent.turn_id)
        turn = await stage.ended(sent.turn_id)

        assert view.state == again.state == turn.state == TurnState.STOPPED
        assert await stage.terminal_events(turn.id) == ["turn.stopped"]
        assert await stage.holder() is None

    async def test_of_a_queued_turn_leaves_the_others_in_order(self, stage: Stage):
        hold = asyncio.Event()
        first = await stage.send("one", [hold, "1"])
        second = await stage.send("two")
        third = await stage.send("three")
        await stage.model.speaking.wait()

        await stage.intake.stop_turn(stage.ana, second.turn_id)
        hold.set()
        ends = [await stage.ended(one.turn_id) for one in (first, third)]

        assert [one.state for one in ends] == [TurnState.FINISHED, TurnState.FINISHED]
        assert await stage.terminal_events(second.turn_id) == ["turn.stopped"]

    async def test_does_not_interrupt_a_send(self, stage: Stage):
        stage.notes.hold = asyncio.Event()
        sent = await stage.send("go", [call("add")], ["never said"])
        await stage.notes.entered.wait()

        await stage.intake.stop_turn(stage.ana, sent.turn_id)
        stage.notes.hold.set()
        await stage.ended(sent.turn_id)

        assert [one.state for one in await stage.calls(sent.turn_id)] == [CallState.DONE]
        assert stage.model.calls == 1


class TestFailure:
    async def test_that_passes_restarts_the_model_call(self, stage: Stage):
        sent = await stage.send("go", ["Half a", ModelUnavailable(retry_after=0)], ["unused"])
        stage.model.lines["go"][0] = [ModelUnavailable(retry_after=0), "Whole."]

        turn = await stage.ended(sent.turn_id)

        assert (turn.state, turn.attempt) == (TurnState.FINISHED, 2)
        assert await stage.reply(turn.id) == "Whole."
        assert (await stage.told(stage.conversation_id)).count("turn.restarted") == 1

    async def test_that_stays_fails_the_turn_with_our_code_and_sentence(self, stage: Stage):
        sent = await stage.send("go", ["Some text", ModelRequestRejected()])

        turn = await stage.ended(sent.turn_id)

        assert (turn.state, turn.error_code) == (TurnState.FAILED, "model_request_rejected")
        assert turn.error_detail == ModelRequestRejected.sentence
        assert await stage.terminal_events(turn.id) == ["turn.failed"]
        assert await stage.holder() is None

    async def test_retried_after_other_talk_asks_its_question_again(self, stage: Stage):
        sent = await stage.send("first", [ModelRequestRejected()])
        await stage.ended(sent.turn_id)
        await stage.ended((await stage.send("second")).turn_id)

        retry = await stage.intake.retry_turn(stage.ana, Door.REST, sent.turn_id, "again")
        await stage.ended(retry.turn_id)

        assert [one.text for one in stage.model.requests[-1].entries if isinstance(one, UserSaid)][-1] == "first"

    async def test_can_be_retried_and_the_executed_call_is_told_as_done(self, stage: Stage):
        sent = await stage.send("go", [call("add", "milk")], [ModelRequestRejected()])
        await stage.ended(sent.turn_id)
        stage.model.lines["go"] = [[], ["It was added before."]]

        retry = await stage.intake.retry_turn(stage.ana, Door.REST, sent.turn_id, "again")
        same = await stage.intake.retry_turn(stage.ana, Door.REST, sent.turn_id, "again")
        turn = await stage.ended(retry.turn_id)

        assert (turn.state, turn.retry_of) == (TurnState.FINISHED, sent.turn_id)
        assert (same.turn_id, same.duplicate) == (retry.turn_id, True)
        answers = [entry for entry in stage.model.requests[-1].entries if isinstance(entry, ToolAnswered)]
        assert [one.status for one in answers] == [CallState.DONE]
        assert stage.notes.actions == ["add"]
        assert await stage.reply(turn.id) == "It was added before."
