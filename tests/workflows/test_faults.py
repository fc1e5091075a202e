"""What a turn makes of providers' faults: the message is kept, what is shown is ours, and nothing is charged twice."""

from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from core.permissions import Door
from core.store.submissions import Wishes
from core.tables.cost import ModelHealth, Usage
from core.tables.talk import Message
from core.tables.work import Round
from core.values import CallState, TurnState
from tests.doubles.openai_server import Answer, Script, serving
from tests.workflows.stage import Stage, open_stage
from workers.llm.answers import REFUSED

pytestmark = pytest.mark.server

KEY = "sk-very-secret"
NOTE = {"name": "note__read", "arguments": {"text": "x"}}


@pytest.fixture
async def staged(tmp_path, sqlite_database, client, ring):
    """Set a stage where each script is one model, in that order: first, second ..."""
    async with AsyncExitStack() as keep:

        @asynccontextmanager
        async def set_stage(*scripts: Script, **given):
            doubles = [await keep.enter_async_context(serving(script)) for script in scripts]
            entries = [
                {"name": name, "base_url": double.base_url, "api_key": KEY}
                for name, double in zip(("first", "second", "third"), doubles, strict=False)
            ]
            async with open_stage(tmp_path, sqlite_database, client, ring, models=entries, **given) as stage:
                async with stage.working():
                    yield stage

        yield set_stage


async def charged(stage: Stage, turn_id: str) -> list[tuple[str, str]]:
    rows = await stage.all(Usage, Usage.turn_id == turn_id, Usage.purpose == "reply")
    return [(row.model, row.state) for row in sorted(rows, key=lambda row: row.id)]


async def said(stage: Stage, turn) -> str:
    return (await stage.get(Message, turn.message_id)).text


class TestOneModel:
    async def test_a_wrong_key_fails_the_turn_keeps_the_message_and_says_so_in_our_words(self, staged):
        async with staged(Script([Answer(status=401)])) as stage:
            turn = await stage.ended((await stage.send("hi")).turn_id)

            assert (turn.state, turn.error_code) == (TurnState.FAILED, "model_refused_key")
            assert "secret" not in turn.error_detail
            assert await said(stage, turn) == "hi"
            assert await charged(stage, turn.id) == [("first", "released")]
            health = (await stage.all(ModelHealth))[0]
            assert (health.name, health.ok, health.code) == ("first", False, "model_refused_key")

    @pytest.mark.parametrize("fault", [Answer(status=429, headers={"retry-after": "0"}), Answer(status=529)])
    async def test_what_passes_is_tried_again(self, staged, fault):
        async with staged(Script([fault, Answer(text="hello")])) as stage:
            turn = await stage.ended((await stage.send("hi")).turn_id)

            assert await stage.reply(turn.id) == "hello"
            assert await charged(stage, turn.id) == [("first", "released"), ("first", "settled")]

    async def test_a_refusal_is_the_answer(self, staged):
        async with staged(Script([Answer(refusal="no", finish="content_filter")])) as stage:
            turn = await stage.ended((await stage.send("hi")).turn_id)

            assert (turn.state, await stage.reply(turn.id)) == (TurnState.FINISHED, REFUSED)

    async def test_a_broken_call_is_repaired_once_and_charged_once(self, staged):
        script = Script(
            [
                Answer(text="Looking.", calls=({"name": "note__read", "arguments": "{broken"},)),
                Answer(calls=(NOTE,)),
                Answer(text="Found."),
            ]
        )
        async with staged(script) as stage:
            turn = await stage.ended((await stage.send("hi")).turn_id)

            assert (turn.state, [call.state for call in await stage.calls(turn.id)]) == (
                TurnState.FINISHED,
                [CallState.DONE],
            )
            assert "could not be read" in str(script.requests[1]["messages"][-1])
            assert [state for _, state in await charged(stage, turn.id)] == ["released", "settled", "settled"]

    async def test_a_call_that_stays_broken_fails_the_turn(self, staged):
        script = Script([Answer(calls=({"name": "note__read", "arguments": "{broken"},))])
        async with staged(script) as stage:
            turn = await stage.ended((await stage.send("hi")).turn_id)

            assert (turn.state, turn.error_code) == (TurnState.FAILED, "model_call_unreadable")
            assert len(script.requests) == 2
            assert await stage.calls(turn.id) == []

    async def test_an_unknown_tool_is_refused_and_the_model_hears_it(self, staged):
        script = Script([Answer(calls=({"name": "rocket__launch", "arguments": {}},)), Answer(text="I cannot.")])
        async with staged(script) as stage:
            turn = await stage.ended((await stage.send("hi")).turn_id)

            assert [call.state for call in await stage.calls(turn.id)] == [CallState.FAILED]
            assert await stage.reply(turn.id) == "I cannot."
            assert "There is no action of that name" in str(script.requests[1]["messages"][-1])

    async def test_a_talk_that_is_too_long_is_told_in_less(self, staged):
        body = {"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}}
        script = Script([Answer(text="ok"), Answer(text="ok"), Answer(status=400, body=body), Answer(text="short")])
        async with staged(script) as stage:
            for number in range(2):
                await stage.ended((await stage.send(f"{number} {'long ' * 400}")).turn_id)
            turn = await stage.ended((await stage.send("hi")).turn_id)

            assert await stage.reply(turn.id) == "short"
            assert len(str(script.requests[3])) < len(str(script.requests[2]))


class TestFallback:
    @pytest.mark.parametrize(
        "fault",
        [
            Answer(status=401),
            Answer(status=429),
            Answer(status=500),
            Answer(status=529),
            Answer(text="one two", fault="disconnect", pieces=0),
            Answer(text="one two", fault="malformed", pieces=0),
            Answer(),
        ],
    )
    async def test_the_next_model_answers_at_once_when_nothing_was_said(self, staged, fault):
        first, second = Script([fault]), Script([Answer(text="hello")])
        async with staged(first, second) as stage:
            turn = await stage.ended((await stage.send("hi")).turn_id)

            assert (turn.attempt, await stage.reply(turn.id)) == (1, "hello")
            assert "turn.restarted" not in await stage.told(stage.conversation_id)
            assert await charged(stage, turn.id) == [("first", "released"), ("second", "settled")]
            assert (len(first.requests), len(second.requests)) == (1, 1)

    async def test_after_something_was_said_a_new_attempt_asks_the_next_model_from_the_start(self, staged):
        first = Script([Answer(text="one two three four", fault="disconnect", pieces=3)])
        second = Script([Answer(text="hello")])
        async with staged(first, second) as stage:
            turn = await stage.ended((await stage.send("hi")).turn_id)

            assert (turn.attempt, await stage.reply(turn.id)) == (2, "hello")
            assert (await stage.told(stage.conversation_id)).count("turn.restarted") == 1
            assert await charged(stage, turn.id) == [("first", "released"), ("second", "settled")]

    async def test_when_all_fail_one_error_speaks_for_them(self, staged):
        async with staged(Script([Answer(status=401)]), Script([Answer(status=404)])) as stage:
            turn = await stage.ended((await stage.send("hi")).turn_id)

            assert (turn.state, turn.error_code) == (TurnState.FAILED, "no_model_answered")
            assert turn.error_detail.startswith("None of the 2 models could answer.")
            assert "secret" not in turn.error_detail
            assert await said(stage, turn) == "hi"

    async def test_a_model_that_was_asked_for_is_not_replaced(self, staged):
        second = Script([Answer(text="hello")])
        async with staged(Script([Answer(status=401)]), second) as stage:
            accepted = await stage.intake.submit_message(
                stage.ana, Door.REST, stage.conversation_id, "hi", "one", Wishes(model="first")
            )
            turn = await stage.ended(accepted.turn_id)

            assert turn.error_code == "model_refused_key"
            assert second.requests == []

    async def test_a_model_that_is_not_there_is_said_before_anything_is_sent(self, staged):
        script = Script([Answer(text="hello")])
        async with staged(script) as stage:
            accepted = await stage.intake.submit_message(
                stage.ana, Door.REST, stage.conversation_id, "hi", "one", Wishes(model="nobody")
            )
            turn = await stage.ended(accepted.turn_id)

            assert (turn.error_code, script.requests) == ("no_model_fits", [])

    async def test_a_failed_round_is_stored_once_by_who_answered(self, staged):
        async with staged(Script([Answer(status=500)]), Script([Answer(text="hello", cached=5)])) as stage:
            turn = await stage.ended((await stage.send("hi")).turn_id)
            rows = await stage.all(Round, Round.turn_id == turn.id)
            usage = [row for row in await stage.all(Usage, Usage.turn_id == turn.id) if row.state == "settled"]

            assert [row.model for row in rows] == ["second"]
            assert (usage[0].provider, usage[0].cached_tokens) == ("openai-compatible", 5)
