"""What this door refuses, and that every refusal has OpenAI's form, whoever refused."""

from typing import Any

import httpx
import openai as sdk
import pytest
from structlog.testing import capture_logs

from core.clock import now
from core.ids import new_id
from core.permissions import Role
from core.store.limits import EVERYBODY
from core.tables.cost import ModelRule
from tests.api.openai.hand import client_of, secret_of
from tests.api.rest.house import House

HI: list[Any] = [{"role": "user", "content": "Hi"}]
TOOL: Any = {"type": "function", "function": {"name": "f", "parameters": {}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
CHAT: dict[str, tuple[dict[str, Any], str]] = {
    "no messages": ({"messages": []}, "messages"),
    "messages of a wrong type": ({"messages": "Hi"}, "messages"),
    "a message that is none": ({"messages": ["Hi"]}, "messages[0]"),
    "an unknown role": ({"messages": [{"role": "king", "content": "Hi"}]}, "messages[0].role"),
    "an answer last": ({"messages": [*HI, {"role": "assistant", "content": "Hi"}]}, "messages"),
    "nothing said": ({"messages": [{"role": "user", "content": " "}]}, "messages"),
    "only a system message": ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
    "an image": ({"messages": [{"role": "user", "content": [IMAGE]}]}, "messages[0].content[0]"),
    "content of a wrong type": ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    "tools": ({"tools": [TOOL]}, "tools"),
    "functions": ({"functions": [{"name": "f"}]}, "functions"),
    "a tool's answer": ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "c"}, *HI]}, "messages[0]"),
    "several answers": ({"n": 2}, "n"),
    "JSON": ({"response_format": {"type": "json_object"}}, "response_format"),
    "sound": ({"modalities": ["text", "audio"]}, "modalities"),
    "too many instructions": ({"messages": [{"role": "system", "content": "x" * 20_000}, *HI]}, "instructions"),
    "metadata of a wrong type": ({"metadata": "x"}, "metadata"),
}
NOT_THERE: list[Any] = [{"a": 1}, [], 7, "cnv_x"]
RESPONSES: dict[str, tuple[dict[str, Any], str]] = {
    "no input": ({"input": None}, "input"),
    "a stored prompt": ({"prompt": {"id": "p"}}, "prompt"),
    "tools": ({"tools": [{"type": "web_search"}]}, "tools"),
    "a call's output": ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input[0]"),
    "an image": ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0]"),
    "a schema": ({"text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}}, "text.format"),
    "two conversations": (
        {"conversation": "cnv_" + "0" * 26, "previous_response_id": "resp_" + "0" * 26},
        "previous_response_id",
    ),
}


@pytest.fixture(scope="module")
async def http(house: House) -> httpx.AsyncClient:
    """A program of somebody who only asks for what is refused."""
    return await house.http(await secret_of(house, await house.person(await house.workspace(), Role.OWNER)))


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """Check the form of an error, and give it."""
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    return body["error"]


class TestForm:
    @pytest.mark.parametrize("case", CHAT)
    async def test_chat_refuses(self, http, case):
        body, param = CHAT[case]
        answer = await http.post("/v1/chat/completions", json={"model": "assent", "messages": HI} | body)

        assert (answer.status_code, error_of(answer)["param"]) == (400, param)
        assert answer.headers["x-should-retry"] == "false"

    @pytest.mark.parametrize("case", RESPONSES)
    async def test_responses_refuses(self, http, case):
        body, param = RESPONSES[case]
        answer = await http.post("/v1/responses", json={"model": "assent", "input": "Hi"} | body)

        assert (answer.status_code, error_of(answer)["param"]) == (400, param)

    @pytest.mark.parametrize("name", NOT_THERE)
    async def test_a_conversation_of_any_type_is_not_there(self, http, name):
        body = {"model": "assent", "messages": HI, "metadata": {"conversation_id": name}}
        answer = await http.post("/v1/chat/completions", json=body)

        assert (answer.status_code, error_of(answer)["param"]) == (404, "conversation")

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/v1/nothing", 404),
            ("GET", "/v1/chat/completions", 405),
            ("POST", "/v1/embeddings", 404),
            ("GET", "/v1/models/gpt-4", 404),
            ("GET", "/v1/models?token=x", 400),
            ("GET", f"/v1/responses/resp_{'0' * 26}?starting_after=3", 400),
        ],
    )
    async def test_whoever_refuses_says_it_in_this_form(self, http, method, path, status):
        answer = await http.request(method, path, json={} if method == "POST" else None)

        assert answer.status_code == status
        error_of(answer)

    @pytest.mark.parametrize(
        ("content", "headers", "status"),
        [
            (b"{", {"content-type": "application/json"}, 400),
            (b'{"model": NaN}', {"content-type": "application/json"}, 400),
            (b"x", {"content-type": "text/plain"}, 415),
            (b"x" * 2_200_000, {"content-type": "application/json"}, 413),
        ],
    )
    async def test_a_body_that_is_none(self, http, content, headers, status):
        answer = await http.post("/v1/chat/completions", content=content, headers=headers)

        assert answer.status_code == status
        error_of(answer)

    async def test_a_defect_of_ours_tells_nothing(self, http, house, monkeypatch):
        async def broken(*_: Any) -> None:
            raise ZeroDivisionError("secret words")

        monkeypatch.setattr(house.rest.state.openai.names, "listed", broken)
        with capture_logs() as logged:
            answer = await http.get("/v1/models")

        assert logged[0]["event"] == "a request failed"
        assert answer.status_code == 500
        assert "secret words" not in answer.text
        assert error_of(answer)["type"] == "server_error"

    async def test_nobody_is_told_to_sign_in(self, house):
        for headers in ({}, {"authorization": "Bearer ast_wrong"}, {"authorization": "Basic eDp5"}):
            answer = await (await house.http()).get("/v1/models", headers=headers)

            assert (answer.status_code, error_of(answer)["code"]) == (401, "invalid_api_key")


class TestKinds:
    async def test_the_client_raises_what_it_raises_elsewhere(self, house, openai):
        with pytest.raises(sdk.NotFoundError) as missing:
            await openai.chat.completions.create(model="gpt-4", messages=HI)
        with pytest.raises(sdk.AuthenticationError):
            async with client_of(house, "ast_wrong") as stranger:
                await stranger.models.list()
        with pytest.raises(sdk.BadRequestError) as tools:
            await openai.chat.completions.create(model="assent", messages=HI, tools=[TOOL])

        assert missing.value.code == "model_not_found"
        assert "assent:quick" in missing.value.message
        assert (tools.value.code, tools.value.param) == ("unsupported", "tools")

    async def test_tools_that_may_not_be_used_are_no_harm(self, openai, hand):
        asking = openai.chat.completions.create(model="assent", messages=HI, tools=[TOOL], tool_choice="none")

        assert (await hand.answering(asking, "Hello!")).choices[0].message.content == "Hello!"

    async def test_what_is_ignored_is_no_harm(self, openai, hand):
        asking = openai.chat.completions.create(
            model="assent",
            messages=HI,
            temperature=0.2,
            top_p=0.5,
            max_tokens=5,
            max_completion_tokens=5,
            stop=["x"],
            seed=1,
            logprobs=True,
            presence_penalty=1,
            user="u",
            store=False,
            response_format={"type": "text"},
            extra_body={"unheard_of": 1},
        )

        assert (await hand.answering(asking, "Hello!")).choices[0].message.content == "Hello!"

    async def test_too_many_messages_have_to_wait(self, house, openai, ana):
        for _ in range(house.settings.conversations_per_minute):
            await openai.responses.create(model="assent", input="Hi", background=True)
        with pytest.raises(sdk.RateLimitError) as caught:
            await openai.responses.create(model="assent", input="Hi", background=True)

        assert int(caught.value.response.headers["retry-after"]) >= 1
        assert caught.value.code == "rate_limit_exceeded"

    @pytest.mark.parametrize(
        ("code", "status", "told"),
        [
            ("budget_exhausted", 429, "insufficient_quota"),
            ("model_unavailable", 503, "model_unavailable"),
            ("context_too_long", 400, "context_length_exceeded"),
            ("model_failed", 500, "model_failed"),
        ],
    )
    async def test_a_turn_that_failed_is_an_error_that_is_not_tried_again(self, house, ana, hand, code, status, told):
        async with client_of(house, await secret_of(house, ana), max_retries=2) as client:
            begun = await client.responses.create(
                model="assent", input="Hi", background=True, extra_headers={"X-Client-Message-Id": "one"}
            )
            await hand.fail(await hand.running(), code)
            with pytest.raises(sdk.APIStatusError) as caught:
                await client.chat.completions.create(
                    model="assent", messages=HI, extra_headers={"X-Client-Message-Id": "one"}
                )

        assert begun.status == "in_progress"
        assert (caught.value.status_code, caught.value.code) == (status, told)
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert len(await hand.turns()) == 1


class TestModels:
    async def test_the_names_are_listed(self, openai):
        names = [one.id async for one in await openai.models.list()]

        assert names == ["assent", "assent:full", "assent:quick", "assent:analysis", "assent:support", "strong-one"]
        assert (await openai.models.retrieve("assent:quick")).id == "assent:quick"

    async def test_a_model_that_the_workspace_forbids_is_not_there(self, house, ana, openai):
        rule = ModelRule(
            id=new_id("mrl"),
            workspace_id=ana.principal.workspace_id,
            user_id=EVERYBODY,
            allowed=[],
            created_by=ana.principal.user_id,
            created_at=now(),
        )
        async with house.database.writing() as session:
            session.add(rule)
        with pytest.raises(sdk.NotFoundError):
            await openai.responses.create(model="strong-one", input="Hi")

        assert "strong-one" not in [one.id async for one in await openai.models.list()]
