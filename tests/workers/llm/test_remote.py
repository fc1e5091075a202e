"""An OpenAI-compatible endpoint: what comes through, and what each fault becomes."""

import asyncio
from contextlib import aclosing

import pytest

from core.clock import now
from tests.doubles.openai_server import Answer, Script, serving
from tests.workers.llm.models import model_at
from tests.workers.llm.tools import TOOLS
from workers.llm import errors
from workers.llm.port import (
    AssistantSaid,
    CallAsked,
    ModelItem,
    ModelRequest,
    TextDelta,
    ToolAnswered,
    UsageReported,
    UserSaid,
)
from workers.llm.remote import RemoteModel
from workers.llm.timing import Timeouts

KEY = "sk-very-secret"
PATIENT = Timeouts(first_token=20, idle=15, total=60)
HASTY = Timeouts(first_token=0.3, idle=0.3, total=5)


def request(*entries) -> ModelRequest:
    return ModelRequest("Be kind.", entries or (UserSaid("Hello"),), TOOLS, first_reply=True)


async def ask(answer: Answer, asked: ModelRequest | None = None, timeouts=PATIENT) -> tuple[list[ModelItem], Script]:
    script = Script([answer])
    async with serving(script) as double:
        model = model_at(double.base_url, "small-model", KEY, timeouts)
        try:
            async with aclosing(model.stream(asked or request())) as stream:
                return [item async for item in stream], script
        finally:
            await model.aclose()


class TestAnswer:
    async def test_text_streams_in_pieces_and_usage_is_the_providers(self):
        items, _ = await ask(Answer(text="Hello there, Ana"))

        assert [item.text for item in items if isinstance(item, TextDelta)] == ["Hello", " there,", " Ana"]
        assert UsageReported(11, 7, "small-model") == items[-1]

    async def test_usage_is_left_out_when_the_provider_reports_none(self):
        items, _ = await ask(Answer(text="Hello", usage=None))

        assert [TextDelta("Hello")] == items

    async def test_tool_calls_come_whole_and_by_our_names(self):
        calls = ({"name": "tasks__add", "arguments": {"title": "Milk"}}, {"name": "tasks__list", "arguments": ""})
        items, _ = await ask(Answer(text="Sure.", calls=calls))

        assert CallAsked("call_0", "tasks.add", {"title": "Milk"}) in items
        assert CallAsked("call_1", "tasks.list", {}) in items

    async def test_what_is_sent_has_the_talk_the_tools_and_no_hints_of_ours(self):
        talk = request(
            UserSaid("Delete milk"),
            AssistantSaid("", (CallAsked("c1", "tasks.delete", {"id": "t1"}),)),
            ToolAnswered("c1", "tasks.delete", "not now", "rejected"),
        )
        _, script = await ask(Answer(text="It was rejected."), talk)
        sent = script.requests[0]

        assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "tool"]
        assert sent["messages"][3]["content"] == "[rejected] not now"
        assert "tasks__delete" in [tool["function"]["name"] for tool in sent["tools"]]
        assert "x-resolve" not in str(sent["tools"])
        assert f"Bearer {KEY}" == sent["headers"]["authorization"]

    async def test_a_key_of_another_service_is_not_sent(self, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-someone-else")
        monkeypatch.setenv("OPENAI_ORG_ID", "org-of-someone-else")
        script = Script([Answer(text="Hi")])
        async with serving(script) as double:
            model = model_at(double.base_url, "small-model", None)
            items = [item async for item in model.stream(request())]
            await model.aclose()

        assert TextDelta("Hi") in items
        assert "someone-else" not in str(script.requests[0]["headers"])
        assert "authorization" not in script.requests[0]["headers"]

    async def test_text_is_made_safe_to_store(self):
        items, _ = await ask(Answer(text="a\x00b \ud83d\ude00 \ud800"))

        assert "".join(item.text for item in items if isinstance(item, TextDelta)) == "a\ufffdb \U0001f600 \ufffd"


HTTP_FAULTS = [
    (401, errors.ModelRefusedKey, False),
    (403, errors.ModelRefusedKey, False),
    (402, errors.ModelRefusedKey, False),
    (400, errors.ModelRequestRejected, False),
    (404, errors.ModelRequestRejected, False),
    (422, errors.ModelRequestRejected, False),
    (408, errors.ModelUnavailable, True),
    (429, errors.ModelRateLimited, True),
    (500, errors.ModelUnavailable, True),
    (502, errors.ModelUnavailable, True),
    (503, errors.ModelUnavailable, True),
    (529, errors.ModelUnavailable, True),
]
STREAM_FAULTS = [
    (Answer(text="one two three four", fault="disconnect"), errors.ModelUnavailable),
    (Answer(text="one two three four", fault="malformed"), errors.ModelAnswerInvalid),
    (Answer(text="one two three four", fault="error event"), errors.ModelUnavailable),
    (Answer(text="one two", fault="no finish"), errors.ModelAnswerInvalid),
    (Answer(), errors.ModelAnswerInvalid),
    (Answer(calls=({"name": "tasks__add", "arguments": "{broken"},)), errors.ModelAnswerInvalid),
    (Answer(calls=({"name": "tasks__add", "arguments": "[1]"},)), errors.ModelAnswerInvalid),
    (Answer(calls=({"name": "tasks__add", "arguments": '{"title": "\\u0000"}'},)), errors.ModelAnswerInvalid),
    (Answer(calls=({"name": "tasks__list", "id": "x"}, {"name": "tasks__list", "id": "x"})), errors.ModelAnswerInvalid),
]


class TestFault:
    @pytest.mark.parametrize(("status", "expected", "temporary"), HTTP_FAULTS)
    async def test_a_status_becomes_our_error_after_one_request(self, status, expected, temporary):
        script = Script([Answer(status=status)])
        async with serving(script) as double:
            model = model_at(double.base_url, "small-model", KEY)
            with pytest.raises(expected) as caught:
                [item async for item in model.stream(request())]
            await model.aclose()

        assert temporary == caught.value.temporary
        assert len(script.requests) == 1
        assert "secret" not in caught.value.detail

    @pytest.mark.parametrize(("given", "expected"), [("7", 7), ("900", 60), ("-1", None), ("soon", None)])
    async def test_retry_after_is_honoured_up_to_a_minute(self, given, expected):
        with pytest.raises(errors.ModelRateLimited) as caught:
            await ask(Answer(status=429, headers={"retry-after": given}))

        assert caught.value.retry_after in {expected, 0.0 if expected is None else expected}

    async def test_retry_after_may_be_a_date(self):
        later = now().replace(microsecond=0).timestamp() + 40
        date = f"{now().fromtimestamp(later, tz=now().tzinfo):%a, %d %b %Y %H:%M:%S} GMT"
        with pytest.raises(errors.ModelRateLimited) as caught:
            await ask(Answer(status=429, headers={"retry-after": date}))

        assert caught.value.retry_after is not None
        assert 0 < caught.value.retry_after <= 41

    async def test_a_context_overflow_is_told_apart(self):
        body = {"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}}
        with pytest.raises(errors.ContextTooLong):
            await ask(Answer(status=400, body=body))

    @pytest.mark.parametrize(("answer", "expected"), STREAM_FAULTS)
    async def test_a_broken_answer_becomes_our_error(self, answer, expected):
        with pytest.raises(expected) as caught:
            await ask(answer)

        assert "secret" not in caught.value.detail

    @pytest.mark.parametrize(("fault", "sentence"), [("silent", "did not begin to answer"), ("stall", "fell silent")])
    async def test_silence_ends_in_a_timeout_that_says_which(self, fault, sentence):
        with pytest.raises(errors.ModelTimedOut, match=sentence):
            await ask(Answer(text="one two three four", fault=fault), timeouts=HASTY)

    async def test_a_trickle_ends_at_the_total(self):
        slow = Answer(text="word " * 2000, delay_seconds=0.05)
        with pytest.raises(errors.ModelTimedOut, match="did not finish"):
            await ask(slow, timeouts=Timeouts(first_token=20, idle=15, total=0.5))

    async def test_nobody_at_the_address_is_unavailable(self):
        model = model_at("http://127.0.0.1:9/v1", "small-model", KEY)
        with pytest.raises(errors.ModelUnavailable):
            [item async for item in model.stream(request())]
        with pytest.raises(errors.ModelUnavailable):
            await model.ping()
        await model.aclose()


class TestStop:
    async def test_the_provider_is_hung_up_on_when_the_consumer_stops(self):
        script = Script([Answer(text="word " * 2000, delay_seconds=0.02)])
        async with serving(script) as double:
            model = model_at(double.base_url, "small-model", KEY)
            async with aclosing(model.stream(request())) as stream:
                first = await anext(stream)
            async with asyncio.timeout(20):
                await script.ended.wait()
            await model.aclose()

        assert TextDelta("word") == first
        assert script.ends == ["gone"]

    async def test_the_provider_is_hung_up_on_when_the_task_is_cancelled(self):
        script = Script([Answer(text="one two three", fault="stall")])
        heard = asyncio.Event()

        async def listen(model: RemoteModel) -> None:
            async for _ in model.stream(request()):
                heard.set()

        async with serving(script) as double:
            model = model_at(double.base_url, "small-model", KEY)
            task = asyncio.create_task(listen(model))
            await heard.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(20):
                await script.ended.wait()
            await model.aclose()

        assert len(script.ends) == 1


class TestPing:
    async def test_a_server_that_answers_is_well(self):
        async with serving(Script([Answer()])) as double:
            model = model_at(double.base_url, "small-model", KEY)
            sentence = await model.ping()
            await model.aclose()

        assert "small-model" in sentence

    @pytest.mark.parametrize(("status", "expected"), [(401, errors.ModelRefusedKey), (500, errors.ModelUnavailable)])
    async def test_a_server_that_refuses_is_not(self, status, expected):
        async with serving(Script([Answer(status=status)])) as double:
            model = model_at(double.base_url, "small-model", KEY)
            with pytest.raises(expected):
                await model.ping()
            await model.aclose()


class TestWhatIsPaidAllTheSame:
    @pytest.mark.parametrize(
        "answer",
        [
            Answer(text=""),
            Answer(calls=({"name": "tasks__add", "arguments": "{"},)),
            Answer(calls=({"name": "tasks__list", "id": "a"}, {"name": "tasks__list", "id": "a"})),
            Answer(text="Hello there", fault="no finish"),
        ],
        ids=["empty", "unreadable call", "two calls with one id", "cut after the count"],
    )
    async def test_the_error_has_what_the_provider_counted(self, answer):
        with pytest.raises(errors.ModelError) as caught:
            await ask(answer)

        assert UsageReported(11, 7, "small-model") == caught.value.reported

    async def test_it_has_nothing_when_nothing_was_counted(self):
        with pytest.raises(errors.ModelError) as caught:
            await ask(Answer(status=500))

        assert caught.value.reported is None
