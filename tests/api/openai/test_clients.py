"""Clients that others wrote against the whole server, with workers, Temporal and consent in the middle."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI
from temporalio.client import Client

from core.keys import KeyRing
from core.store.database import Database
from core.tables.talk import Conversation
from core.tables.work import Turn
from core.values import TurnState
from tests.api.openai.serving import Served, node, serving
from tests.workflows.script import call
from tests.workflows.stage import Stage, open_stage

pytestmark = pytest.mark.server


@pytest.fixture
async def served(tmp_path: Path, sqlite_database: Database, client: Client, ring: KeyRing) -> AsyncIterator[Served]:
    async with (
        open_stage(tmp_path, sqlite_database, client, ring) as stage,
        stage.working(),
        serving(stage, tmp_path) as one,
    ):
        yield one


@pytest.fixture
def stage(served: Served) -> Stage:
    return served.stage


@pytest.fixture
async def openai(served: Served) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=served.secret, base_url=f"{served.url}/v1", max_retries=0) as client:
        yield client


def messages(*texts: str) -> list[Any]:
    return [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(texts)]


class TestPython:
    async def test_the_synchronous_client_talks(self, served, stage):
        stage.model.lines["Hi"] = [["Hel", "lo!"]]

        def talk() -> tuple[str, str, list[str]]:
            with OpenAI(api_key=served.secret, base_url=f"{served.url}/v1", max_retries=0) as client:
                whole = client.chat.completions.create(model="assent", messages=messages("Hi"))
                stream = client.chat.completions.create(model="assent", messages=messages("Hi"), stream=True)
                pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
                response = client.responses.create(model="assent", input="Hi")
                return str(whole.choices[0].message.content), response.output_text, pieces

        text, other, pieces = await asyncio.to_thread(talk)
        assert (text, other, "".join(pieces)) == ("Hello!", "Hello!", "Hello!")

    async def test_text_comes_as_it_is_said(self, openai, stage):
        go_on = asyncio.Event()
        stage.model.lines["Hi"] = [["Hello", go_on, " there"]]
        stream = await openai.chat.completions.create(model="assent", messages=messages("Hi"), stream=True)
        heard = ""
        async for chunk in stream:
            heard += chunk.choices[0].delta.content or ""
            if heard == "Hello":
                go_on.set()

        assert heard == "Hello there"

    async def test_an_approval_in_the_middle_lets_the_same_turn_go_on(self, openai, stage):
        stage.model.lines["Send it"] = [["I ask.", call("send")], ["Sent."]]
        stream = await openai.chat.completions.create(
            model="assent", messages=messages("Send it"), stream=True, extra_headers={"X-Assent-Wait": "60"}
        )
        heard = ""
        async for chunk in stream:
            heard += chunk.choices[0].delta.content or ""
            if "Consent is needed" in heard and not stage.notes.sent:
                (approval,) = await stage.pending()
                assert f"?approval={approval.id}" in heard
                await stage.decide(approval)
                await stage.until_sent(1)

        assert heard.startswith("I ask.\n\n**Consent is needed** for note.send")
        assert heard.endswith("\n\nSent.")
        assert len(stage.notes.sent) == 1
        assert len(await stage.all(Turn)) == 1

    async def test_who_does_not_wait_fetches_the_same_turn_later(self, openai, stage):
        stage.model.lines["Send it"] = [["I ask.", call("send")], ["Sent."]]
        more: dict[str, Any] = {"extra_headers": {"Idempotency-Key": "one"}}
        asked = await openai.chat.completions.create(model="assent", messages=messages("Send it"), **more)
        (approval,) = await stage.pending()
        await stage.decide(approval, "reject")
        turn = await stage.ended(asked.assent["turn_id"])
        again = await openai.chat.completions.create(model="assent", messages=messages("Send it"), **more)
        response = await openai.responses.retrieve(f"resp_{turn.id[4:]}")

        assert (asked.assent["state"], asked.choices[0].finish_reason) == ("waiting", "stop")
        assert again.choices[0].message.content == response.output_text == "I ask.\n\nSent."
        assert response.status == "completed"
        assert not stage.notes.sent

    async def test_a_client_that_leaves_does_not_stop_the_turn(self, served, openai, stage):
        go_on = asyncio.Event()
        stage.model.lines["Hi"] = [["Hello", go_on, " there"]]
        more: dict[str, Any] = {"extra_headers": {"X-Client-Message-Id": "one"}}
        stream = await openai.chat.completions.create(model="assent", messages=messages("Hi"), stream=True, **more)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()
        go_on.set()
        whole = await openai.chat.completions.create(model="assent", messages=messages("Hi"), **more)

        assert whole.choices[0].message.content == "Hello there"
        assert len(await stage.all(Turn)) == 1

    async def test_a_client_that_leaves_stops_the_turn_where_it_wants_that(self, openai, stage):
        stage.model.lines["Hi"] = [["Hello", asyncio.Event(), " there"]]
        stream = await openai.chat.completions.create(
            model="assent",
            messages=messages("Hi"),
            stream=True,
            extra_headers={"X-Assent-Stop-On-Disconnect": "true"},
        )
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()

        (turn,) = await stage.all(Turn)
        assert (await stage.until(turn.id, TurnState.STOPPED)).state == "stopped"

    async def test_a_client_that_gives_up_waiting_stops_the_turn_where_it_wants_that(self, served, stage):
        stage.model.lines["Hi"] = [["Hello", asyncio.Event(), " there"]]
        headers = {"Authorization": f"Bearer {served.secret}", "X-Assent-Stop-On-Disconnect": "true"}
        body = {"model": "assent", "messages": messages("Hi")}
        async with httpx.AsyncClient(headers=headers) as http:
            asking = asyncio.create_task(http.post(f"{served.url}/v1/chat/completions", json=body))
            await stage.model.speaking.wait()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

        (turn,) = await stage.all(Turn)
        assert (await stage.until(turn.id, TurnState.STOPPED)).state == "stopped"


class TestNode:
    async def test_the_npm_client_talks(self, served, stage):
        stage.model.lines["Hi"] = [["Hel", "lo!"]]
        async with node(served, "client.mjs", "models") as program:
            names = await program.value()
        async with node(served, "client.mjs", "chat", "Hi") as program:
            done = await program.value()
        async with node(served, "client.mjs", "responses", "Hi") as program:
            response = await program.value()
        async with node(served, "client.mjs", "errors", "Hi") as program:
            errors = await program.value()

        assert names[:2] == ["assent", "assent:full"]
        assert (done["text"], done["finish"], done["usage"]["total_tokens"]) == ("Hello!", "stop", 5)
        assert done["conversation"] == done["assent"]["conversation_id"]
        assert (response["text"], response["again"], response["next"]) == ("Hello!", "Hello!", "ok")
        assert (response["types"][0], response["types"][-1]) == ("response.created", "response.completed")
        assert errors == [["NotFoundError", 404, "model_not_found"], ["BadRequestError", 400, "unsupported"]]

    async def test_the_npm_client_hears_the_same_turn_go_on_after_a_decision(self, served, stage):
        stage.model.lines["Send it"] = [["I ask.", call("send")], ["Sent."]]
        async with node(served, "client.mjs", "stream", "Send it") as program:
            heard = ""
            while "Consent is needed" not in heard:
                heard += (await program.value())["piece"]
            (approval,) = await stage.pending()
            await stage.decide(approval)
            while "piece" in (last := await program.value()):
                heard += last["piece"]

        assert last["text"] == heard
        assert last["text"].endswith("\n\nSent.")
        assert (last["finish"], len(stage.notes.sent)) == ("stop", 1)


class TestUi:
    async def test_a_uis_server_holds_one_conversation_with_consent_in_it(self, served, stage):
        stage.model.lines["Hi"] = [["Hel", "lo!"]]
        stage.model.lines["Send it"] = [["I ask.", call("send")], ["Sent."]]
        async with node(served, "ui.mjs") as program, httpx.AsyncClient(timeout=60) as browser:
            address = (await program.line()).removeprefix("listening on ")
            said = [shown("user", "Hi")]
            first = await post(browser, address, said)
            said += [shown("assistant", first), shown("user", "Send it")]
            asking = asyncio.create_task(post(browser, address, said))
            (approval,) = await stage.pending()
            await stage.decide(approval)
            second = await asking
            said += [shown("assistant", second), shown("user", "Thanks")]
            third = await post(browser, address, said)

        assert (first, third) == ("Hello!", "ok")
        # The decision may come before the door has seen that somebody is asked.
        assert second.startswith("I ask.")
        assert second.endswith("\n\nSent.")
        talks = await stage.all(Conversation, Conversation.origin_channel == "openai")
        assert len(talks) == 1
        assert len(await stage.all(Turn)) == 3
        assert "You are the assistant of a shop." in str(stage.model.requests[-1].entries)


def shown(role: str, text: str) -> dict[str, Any]:
    """A message as a chat UI keeps it."""
    return {"id": f"{role}-{len(text)}", "role": role, "parts": [{"type": "text", "text": text}]}


async def post(browser: httpx.AsyncClient, address: str, said: list[dict[str, Any]]) -> str:
    """What the UI shows as the answer."""
    answer = await browser.post(address, json={"messages": said})
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    parsed = [json.loads(event) for event in events]
    assert not [event for event in parsed if event["type"] == "error"], parsed
    return "".join(event["delta"] for event in parsed if event["type"] == "text-delta")
