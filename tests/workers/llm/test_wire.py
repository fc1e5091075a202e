"""The wire format, against a server that others wrote."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles.model_server import PACKAGE, aimock
from tests.workers.llm.models import model_at
from tests.workers.llm.tools import TASKS
from workers.llm.errors import ModelRateLimited
from workers.llm.port import AssistantSaid, CallAsked, ModelRequest, TextDelta, ToolAnswered, UsageReported, UserSaid
from workers.llm.wire import wire_name


@pytest.fixture(scope="module")
def base_url():
    with aimock(PACKAGE / "fixtures.json") as address:
        yield address


@pytest.fixture
async def model(base_url):
    model = model_at(base_url, "gpt-4o-mini", "sk-test")
    yield model
    await model.aclose()


async def ask(model, *entries):
    request = ModelRequest("Be kind.", entries, TASKS, first_reply=True)
    return [item async for item in model.stream(request)]


def text_of(items):
    return "".join(item.text for item in items if isinstance(item, TextDelta))


@pytest.mark.server
class TestAnotherServer:
    async def test_text_streams_with_the_providers_usage(self, model):
        items = await ask(model, UserSaid("hello"))

        assert text_of(items) == "Hello! How can I help you today?"
        assert len([item for item in items if isinstance(item, TextDelta)]) > 1
        assert [(item.input_tokens, item.output_tokens) for item in items if isinstance(item, UsageReported)] == [
            (21, 9)
        ]

    async def test_a_tool_is_asked_for_and_its_result_is_answered(self, model):
        said = UserSaid("list my tasks")
        items = await ask(model, said)
        calls = tuple(item for item in items if isinstance(item, CallAsked))
        answer = ToolAnswered(calls[0].call_id, "tasks.list", '{"items": [{"title": "Buy milk"}]}', "done")
        after = await ask(model, said, AssistantSaid(text_of(items), calls), answer)

        assert [(call.name, call.arguments) for call in calls] == [("tasks.list", {"limit": 5})]
        assert text_of(after) == "You have one task: Buy milk."

    async def test_a_refusal_is_ours(self, model):
        with pytest.raises(ModelRateLimited):
            await ask(model, UserSaid("too many"))

    async def test_it_answers_a_ping(self, model):
        assert "gpt-4o-mini" in await model.ping()


class TestName:
    @given(
        st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=80), min_size=2, max_size=8, unique=True)
    )
    def test_names_fit_every_provider_and_stay_apart(self, names):
        wired = [wire_name(name) for name in names]

        assert len(set(wired)) == len(names)
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in wired)

    def test_a_plain_name_stays_readable(self):
        assert wire_name("tasks.list") == "tasks__list"
