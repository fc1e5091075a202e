"""/v1/chat/completions with OpenAI's own client: whole, as chunks, with consent in the middle."""

import asyncio

import openai as sdk
import pytest

from core.permissions import Scope
from core.store import context
from tests.api.openai.hand import HI, ask, client_of, heard, secret_of, talk


class TestAnswer:
    async def test_it_has_the_form_that_the_client_knows(self, openai, hand):
        done = await ask(openai, hand, HI, "Hello!")

        choice = done.choices[0]
        turn = (await hand.turns())[0]
        assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "Hello!", "stop")
        assert (done.object, done.model, done.id) == ("chat.completion", "assent", f"chatcmpl-{turn.id[4:]}")
        assert (done.usage.prompt_tokens, done.usage.completion_tokens, done.usage.total_tokens) == (3, 2, 5)
        assert (done.assent["turn_id"], done.assent["state"], done.assent["model"]) == (turn.id, "finished", "m-1")
        assert turn.door == "openai"

    async def test_figures_that_nobody_counted_are_not_invented(self, openai, hand):
        asking = asyncio.ensure_future(openai.chat.completions.create(model="assent", messages=HI))
        await hand.finish(await hand.running(), "Hello!", counted=False)

        assert (await asking).usage is None

    async def test_headers_name_the_turn_and_its_conversation(self, openai, hand):
        asking = openai.chat.completions.with_raw_response.create(model="assent", messages=HI)
        raw = await hand.answering(asking, "Hello!")

        turn = (await hand.turns())[0]
        assert raw.headers["x-assent-conversation"] == turn.conversation_id
        assert raw.headers["x-request-id"] == turn.id

    async def test_text_parts_and_system_messages_are_read(self, house, openai, hand):
        parts = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]
        system = {"role": "system", "content": "Speak like a pirate."}
        await ask(openai, hand, [system, {"role": "user", "content": parts}], "Arr")

        turn = (await hand.turns())[0]
        async with house.database.reading() as session:
            loaded = await context.load(session, turn.id)
        assert loaded.current.message.text == "One\nTwo"
        assert loaded.instructions == "Speak like a pirate."

    @pytest.mark.parametrize("name", ["assent:quick", "strong-one"])
    async def test_a_model_or_a_mode_may_be_named(self, openai, hand, name):
        asking = openai.chat.completions.create(model=name, messages=HI)
        await hand.answering(asking, "Hello!")

        turn = (await hand.turns())[0]
        assert (turn.mode, turn.asked_model) == (("quick", None) if ":" in name else ("full", "strong-one"))


class TestStream:
    async def test_chunks_come_in_the_form_that_the_client_knows(self, openai, hand):
        asking = openai.chat.completions.create(
            model="assent", messages=HI, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in await hand.answering(asking, "Hello there")]

        assert chunks[0].choices[0].delta.role == "assistant"
        assert "".join(one.choices[0].delta.content or "" for one in chunks if one.choices) == "Hello there"
        assert [one.choices[0].finish_reason for one in chunks if one.choices][-1] == "stop"
        assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 5)

    async def test_a_turn_that_fails_on_the_way_ends_with_an_error(self, openai, hand):
        asking = asyncio.ensure_future(openai.chat.completions.create(model="assent", messages=HI, stream=True))
        turn = await hand.running()
        await hand.keep(turn, "Hel")
        await hand.fail(turn, "model_unavailable")
        heard: list[str] = []
        with pytest.raises(sdk.APIError, match="The model is away") as caught:
            heard.extend([chunk.choices[0].delta.content or "" async for chunk in await asking])

        assert caught.value.code == "model_unavailable"


class TestConsent:
    async def test_what_people_are_asked_is_told_with_its_link(self, openai, hand, ana):
        asking = asyncio.ensure_future(openai.chat.completions.create(model="assent", messages=HI))
        turn = await hand.running()
        await hand.keep(turn, "I shall delete it.")
        approval = await hand.park(turn, ana)
        done = await asking

        text = done.choices[0].message.content
        link = f"https://assent.test/?approval={approval.id}#conversation={turn.conversation_id}"
        assert text.startswith("I shall delete it.\n\n**Consent is needed** for tasks.delete: `Delete a task`\n")
        assert "`Deletes the task Buy milk`" in text
        assert link in text
        assert done.choices[0].finish_reason == "stop"
        assert done.assent["state"] == "waiting"
        assert [(one["id"], one["url"]) for one in done.assent["approvals"]] == [(approval.id, link)]

    async def test_who_waits_hears_how_it_goes_on(self, openai, hand, ana):
        asking = openai.chat.completions.create(
            model="assent", messages=HI, stream=True, extra_headers={"X-Assent-Wait": "60"}
        )
        task = asyncio.ensure_future(asking)
        turn = await hand.running()
        await hand.keep(turn, "I ask.")
        approval = await hand.park(turn, ana)
        await asyncio.sleep(0)
        turn = await hand.resume(turn, approval)
        await hand.finish(turn, "I ask.\n\nDone.")
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in await task])

        assert text.startswith("I ask.")
        assert text.endswith("\n\nDone.")

    async def test_after_the_decision_the_same_request_has_the_answer(self, openai, hand, ana, house):
        more = {"extra_headers": {"X-Client-Message-Id": "one"}}
        asking = asyncio.ensure_future(openai.chat.completions.create(model="assent", messages=HI, **more))
        turn = await hand.running()
        approval = await hand.park(turn, ana)
        waits = await asking
        await hand.finish(await hand.resume(turn, approval), "Done.")
        done = await openai.chat.completions.create(model="assent", messages=HI, **more)
        notice = waits.choices[0].message.content
        await ask(openai, hand, talk("Hi", notice, "Thanks"), "Welcome.")

        assert (waits.id, done.choices[0].message.content) == (done.id, "Done.")
        assert len(await hand.conversations()) == 1


class TestEnding:
    async def test_a_token_that_is_revoked_hears_no_more(self, house, ana, openai, hand):
        asking = asyncio.ensure_future(openai.chat.completions.create(model="assent", messages=HI, stream=True))
        turn = await hand.running()
        token_id = (await ana.ask("GET", "/tokens")).json()["items"][0]["id"]
        await ana.ask("POST", f"/tokens/{token_id}/revoke")
        house.rooms.ring(turn.conversation_id)
        stream = await asking
        with pytest.raises(sdk.APIError, match="is over"):
            await heard(stream)

    async def test_nobody_decides_with_a_token_that_may_only_talk(self, house, ana, openai, hand):
        asking = asyncio.ensure_future(openai.chat.completions.create(model="assent", messages=HI))
        approval = await hand.park(await hand.running(), ana)
        await asking
        program = await house.http(openai.api_key)
        body = {"verdict": "approve", "digest": approval.digest, "decision_id": "d"}

        assert (await program.post(f"/api/v1/approvals/{approval.id}/decision", json=body)).status_code == 403


class TestScope:
    async def test_a_token_without_chat_asks_nothing(self, house, ana):
        async with client_of(house, await secret_of(house, ana, Scope.READ)) as reader:
            with pytest.raises(sdk.PermissionDeniedError):
                await reader.chat.completions.create(model="assent", messages=HI)
            assert [one.id async for one in await reader.models.list()]
