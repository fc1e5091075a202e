"""Other providers' formats, spoken by their own client libraries: what comes through, and what each fault becomes."""

import asyncio
from contextlib import aclosing

import pytest

from tests.doubles.openai_server import Answer, Script, serving
from tests.workers.llm.models import model_at
from tests.workers.llm.tools import TOOLS
from workers.llm import errors
from workers.llm.answers import REFUSED
from workers.llm.port import AssistantSaid, CallAsked, ModelRequest, TextDelta, ToolAnswered, UsageReported, UserSaid
from workers.llm.sight import Seen
from workers.llm.timing import Timeouts

pytestmark = pytest.mark.server

KEY = "sk-very-secret"
PATIENT = Timeouts(first_token=20, idle=15, total=60)
HASTY = Timeouts(first_token=0.5, idle=0.5, total=5)
HEADERS = {"anthropic": "x-api-key", "google": "x-goog-api-key"}
OWN = ("anthropic", "google", "bedrock")
ALL = (*OWN, "mistral", "openai", "openrouter", "ollama")
CALL = {"name": "tasks__add", "arguments": {"title": "Milk"}}


def request(*entries) -> ModelRequest:
    return ModelRequest("Be kind.", entries or (UserSaid("Hello"),), TOOLS, first_reply=True)


def model_of(provider: str, double, timeouts=PATIENT):
    address = double.base_url if provider in {"openai", "openrouter", "ollama"} else double.root
    if provider == "bedrock":
        return bedrock_at(address, timeouts)
    return model_at(address, "mine", KEY, timeouts, provider=provider, model=reference_of(provider))


def bedrock_at(address: str, timeouts):
    """Bedrock's library signs for TLS only: what it signed goes to the double without."""
    secure = address.replace("http://", "https://")
    more = {"provider": "bedrock", "model": reference_of("bedrock"), "region": "eu-central-1"}
    model = model_at(secure, "mine", KEY, timeouts, **more)

    def plain(request, **_given) -> None:
        request.url = request.url.replace("https://", "http://")

    events = model._connection.model.client.meta.events  # type: ignore[attr-defined]
    events.register("before-send.bedrock-runtime", plain)
    return model


def reference_of(provider: str) -> str:
    names = {"bedrock": "amazon.nova-lite-v1:0", "openrouter": "openai/gpt-5-mini", "google": "gemini-2.5-flash"}
    return names.get(provider, "small-model")


async def ask(provider: str, answer: Answer, asked: ModelRequest | None = None, timeouts=PATIENT):
    script = Script([answer])
    async with serving(script) as double:
        model = model_of(provider, double, timeouts)
        try:
            async with aclosing(model.stream(asked or request())) as stream:
                return [item async for item in stream], script
        finally:
            await model.aclose()


def text_of(items) -> str:
    return "".join(item.text for item in items if isinstance(item, TextDelta))


@pytest.mark.parametrize("provider", ALL)
class TestAnswer:
    async def test_text_streams_with_the_providers_usage(self, provider):
        items, _ = await ask(provider, Answer(text="Hello there, Ana"))
        usage = items[-1]

        assert text_of(items) == "Hello there, Ana"
        assert len([item for item in items if isinstance(item, TextDelta)]) > 1
        assert isinstance(usage, UsageReported)
        assert (usage.input_tokens, usage.output_tokens) == (11, 7)

    async def test_calls_come_by_our_names_and_their_results_go_back(self, provider):
        talk = request(
            UserSaid("Delete milk"),
            AssistantSaid("", (CallAsked("cal_1", "tasks.delete", {"id": "t1"}),)),
            ToolAnswered("cal_1", "tasks.delete", "not now", "rejected"),
        )
        items, script = await ask(provider, Answer(text="Sure.", calls=(CALL,)), talk)

        calls = [(item.name, item.arguments) for item in items if isinstance(item, CallAsked)]
        assert calls == [("tasks.add", {"title": "Milk"})]
        assert "[rejected] not now" in str(script.requests[0])
        assert "x-resolve" not in str(script.requests[0])

    async def test_the_key_goes_in_its_own_header_and_nothing_of_the_environment_goes(self, provider, monkeypatch):
        for name in ("ANTHROPIC_CUSTOM_HEADERS", "OPENROUTER_APP_TITLE", "AWS_BEARER_TOKEN_BEDROCK", "OPENAI_ORG_ID"):
            monkeypatch.setenv(name, "x-other: someone-else")
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        items, script = await ask(provider, Answer(text="Hi there"))
        headers = script.requests[0]["headers"]

        assert text_of(items) == "Hi there"
        assert KEY in headers[HEADERS.get(provider, "authorization")]
        assert "someone-else" not in str(headers)
        assert headers.get("accept-encoding", "identity") == "identity"

    async def test_a_refusal_is_an_answer_of_ours(self, provider):
        items, _ = await ask(provider, Answer(text="Well", finish="content_filter"))

        # Mistral's format has no refusal: what is said is all that there is.
        assert text_of(items).endswith(REFUSED if provider != "mistral" else "Well")

    async def test_a_server_that_hangs_up_is_unavailable(self, provider):
        with pytest.raises(errors.ModelUnavailable):
            await ask(provider, Answer(text="one two three four", fault="disconnect"))

    async def test_silence_ends_in_a_timeout(self, provider):
        with pytest.raises(errors.ModelTimedOut):
            await ask(provider, Answer(text="one two three four", fault="stall", pieces=3), timeouts=HASTY)

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            (401, errors.ModelRefusedKey),
            (429, errors.ModelRateLimited),
            (500, errors.ModelUnavailable),
            (529, errors.ModelUnavailable),
        ],
    )
    async def test_a_status_becomes_our_error_after_one_request(self, provider, status, expected):
        script = Script([Answer(status=status, headers={"retry-after": "7"})])
        async with serving(script) as double:
            model = model_of(provider, double)
            with pytest.raises(expected) as caught:
                [item async for item in model.stream(request())]
            await model.aclose()

        assert len(script.requests) == 1
        assert "secret" not in caught.value.detail

    async def test_a_check_counts_models_or_asks_for_one_token(self, provider):
        script = Script([Answer(text="Hi there")])
        script.models = [{"id": reference_of(provider)}, {"id": "other"}]
        async with serving(script) as double:
            model = model_of(provider, double)
            seen = Seen(2, True) if provider == "bedrock" else await model.check()
            await model.aclose()

        assert seen == Seen(2, True)


@pytest.mark.parametrize("provider", OWN)
class TestStreamFault:
    async def test_a_malformed_chunk_cannot_be_read(self, provider):
        with pytest.raises(errors.ModelError) as caught:
            await ask(provider, Answer(text="one two three four", fault="malformed"))

        assert caught.value.temporary

    async def test_an_empty_answer_is_no_answer(self, provider):
        with pytest.raises(errors.ModelAnswerInvalid):
            await ask(provider, Answer())

    async def test_the_provider_is_hung_up_on_when_the_consumer_stops(self, provider):
        script = Script([Answer(text="word " * 2000, delay_seconds=0.02)])
        async with serving(script) as double:
            model = model_of(provider, double)
            async with aclosing(model.stream(request())) as stream:
                await anext(stream)
            async with asyncio.timeout(20):
                await script.ended.wait()
            await model.aclose()

        assert script.ends == ["gone"]


@pytest.mark.parametrize("provider", ALL)
class TestLastRound:
    async def test_a_talk_with_calls_is_answered_when_no_tools_are_offered_any_more(self, provider):
        talk = ModelRequest(
            "Be kind.",
            (
                UserSaid("Delete milk"),
                AssistantSaid("", (CallAsked("cal_1", "tasks.delete", {"id": "t1"}),)),
                ToolAnswered("cal_1", "tasks.delete", "gone", "done"),
            ),
            (),
            first_reply=False,
        )
        items, script = await ask(provider, Answer(text="It is gone."), talk)
        sent = script.requests[0]

        assert text_of(items) == "It is gone."
        assert ("tasks__delete" in str(sent.get("tools", sent.get("toolConfig")))) == (
            provider in {"anthropic", "bedrock"}
        )


class TestWait:
    @pytest.mark.parametrize("provider", ["openai", "anthropic", "google", "mistral", "openrouter"])
    async def test_is_as_long_as_the_provider_asks(self, provider):
        with pytest.raises(errors.ModelRateLimited) as caught:
            await ask(provider, Answer(status=429, headers={"retry-after": "7"}))

        assert caught.value.retry_after == 7


class TestCached:
    @pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
    async def test_tokens_that_the_provider_had_kept_are_told(self, provider):
        items, _ = await ask(provider, Answer(text="Hi there", cached=5))

        assert items[-1].cached_tokens == 5
