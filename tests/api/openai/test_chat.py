"""/v1/chat/completions with OpenAI's own client: the format, the talk it belongs to, the same request again."""

import asyncio
from typing import Any

import httpx2
import openai as sdk
import pytest
from openai import AsyncOpenAI
from sqlalchemy import select

from core.permissions import Scope
from core.store import context
from core.tables.talk import Conversation, Message
from tests.api.openai.hand import Hand, client_of, secret_of

HI: list[Any] = [{"role": "user", "content": "Hi"}]


def talk(*texts: str) -> list[Any]:
    """What a client sends: said and answered, in turns."""
    return [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(texts)]


async def ask(client: AsyncOpenAI, hand: Hand, messages: list[Any], answer: str, **more: Any) -> Any:
    """Ask while somebody answers."""
    asking = client.chat.completions.create(model="assent", messages=messages, **more)
    return await hand.answering(asking, answer)


async def heard(stream: Any) -> str:
    """All text that a stream told."""
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def conversations(house) -> list[str]:
    async with house.database.reading() as session:
        return list((await session.execute(select(Conversation.id))).scalars())


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


class TestTalk:
    async def test_what_goes_on_goes_on_in_the_same_conversation(self, house, openai, hand):
        await ask(openai, hand, talk("Hi"), "Hello!")
        await ask(openai, hand, talk("Hi", "Hello!", "More"), "Well.")
        await ask(openai, hand, talk("Hi", " Hello! ", "More", "Well.", "And?"), "That is all.")

        assert len(await conversations(house)) == 1
        assert len(await hand.turns()) == 3

    async def test_the_same_words_in_a_new_talk_are_a_new_conversation(self, house, openai, hand):
        await ask(openai, hand, talk("Hi"), "Hello!")
        await ask(openai, hand, talk("Hi"), "Hello again!")

        assert len(await conversations(house)) == 2

    async def test_a_talk_that_is_not_known_is_brought_along(self, house, openai, hand):
        told = talk("My name is Ana", "Hello Ana", "What is my name?")
        await ask(openai, hand, told, "Ana")

        turn = (await hand.turns())[-1]
        async with house.database.reading() as session:
            loaded = await context.load(session, turn.id)
            rows = (await session.execute(select(Message).order_by(Message.position))).scalars()
            shown = [(row.role, row.text) for row in rows]
        assert shown == [
            ("user", "My name is Ana"),
            ("assistant", "Hello Ana"),
            ("user", "What is my name?"),
            ("assistant", "Ana"),
        ]
        assert [row.rounds[0].text for row in loaded.turns] == ["Hello Ana", "Ana"]

    async def test_an_older_place_in_the_talk_is_another_conversation(self, house, openai, hand):
        await ask(openai, hand, talk("Hi"), "Hello!")
        await ask(openai, hand, talk("Hi", "Hello!", "More"), "Well.")
        await ask(openai, hand, talk("Hi", "Hello!", "Something else"), "Fine.")

        assert len(await conversations(house)) == 2

    async def test_an_answer_that_we_never_gave_is_no_talk_of_ours(self, house, openai, hand):
        await ask(openai, hand, talk("Hi"), "Hello!")
        await ask(openai, hand, talk("Hi", "I am somebody else", "More"), "Well.")

        assert len(await conversations(house)) == 2

    async def test_nobody_lands_in_anothers_talk(self, house, openai, hand, bo):
        await ask(openai, hand, talk("Hi"), "Hello!")
        async with client_of(house, await secret_of(house, bo)) as theirs:
            await ask(theirs, hand, talk("Hi", "Hello!", "More"), "Well.")

        assert len(await conversations(house)) == 2

    async def test_a_question_that_failed_is_asked_again_in_its_place(self, house, openai, hand):
        asking = asyncio.ensure_future(openai.chat.completions.create(model="assent", messages=HI))
        await hand.fail(await hand.running(), "model_unavailable")
        with pytest.raises(sdk.InternalServerError):
            await asking
        await ask(openai, hand, HI, "Hello!")

        assert len(await conversations(house)) == 1
        assert len(await hand.turns()) == 2

    @pytest.mark.parametrize("way", ["header", "metadata"])
    async def test_the_conversation_may_be_named(self, house, ana, openai, hand, way):
        made = (await ana.ask("POST", "/conversations", json={})).json()["id"]
        more: dict[str, Any] = {"extra_headers": {"X-Assent-Conversation": made}}
        if way == "metadata":
            more = {"metadata": {"conversation_id": made}}
        await ask(openai, hand, talk("Yes"), "Good.", **more)
        await ask(openai, hand, talk("Yes"), "Good again.", **more)

        assert [turn.conversation_id for turn in await hand.turns()] == [made, made]

    async def test_anothers_conversation_is_not_there(self, house, openai, bo, eve):
        for other in (bo, eve):
            made = (await other.ask("POST", "/conversations", json={})).json()["id"]
            with pytest.raises(sdk.NotFoundError):
                await openai.chat.completions.create(
                    model="assent", messages=HI, extra_headers={"X-Assent-Conversation": made}
                )


class TestAgain:
    @pytest.mark.parametrize("header", ["X-Client-Message-Id", "Idempotency-Key"])
    @pytest.mark.parametrize("key", ["mine-1", "a key with spaces/and more"])
    async def test_the_same_id_is_the_same_turn(self, openai, hand, header, key):
        more = {"extra_headers": {header: key}}
        first = await ask(openai, hand, HI, "Hello!", **more)
        again = await openai.chat.completions.create(model="assent", messages=HI, **more)

        assert len(await hand.turns()) == 1
        assert (again.id, again.choices[0].message.content) == (first.id, "Hello!")

    async def test_the_same_id_for_other_words_is_a_conflict(self, openai, hand):
        more = {"extra_headers": {"X-Client-Message-Id": "one"}}
        await ask(openai, hand, HI, "Hello!", **more)
        with pytest.raises(sdk.ConflictError) as caught:
            await openai.chat.completions.create(model="assent", messages=talk("Other"), **more)

        assert caught.value.response.headers["x-should-retry"] == "false"

    async def test_the_clients_own_retry_is_the_same_turn(self, house, ana, hand):
        class Cut(httpx2.ASGITransport):
            """Loses the first answer."""

            tries = 0

            async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
                response = await super().handle_async_request(request)
                type(self).tries += 1
                if self.tries == 1:
                    await response.aclose()
                    raise httpx2.ReadError("cut", request=request)
                return response

        http = httpx2.AsyncClient(transport=Cut(house.app))
        secret = await secret_of(house, ana)
        async with AsyncOpenAI(api_key=secret, base_url="http://x/v1", http_client=http) as client:
            done = await ask(client, hand, HI, "Hello!")

        assert Cut.tries == 2
        assert len(await hand.turns()) == 1
        assert done.choices[0].message.content == "Hello!"

    async def test_many_at_once_are_one_turn(self, openai, hand):
        more = {"extra_headers": {"X-Client-Message-Id": "one"}}
        asking = [openai.chat.completions.create(model="assent", messages=HI, **more) for _ in range(6)]
        done = await hand.answering(asyncio.gather(*asking), "Hello!")

        assert len(await hand.turns()) == 1
        assert len({one.id for one in done}) == 1


class TestConsent:
    async def test_what_people_are_asked_is_told_with_its_link(self, openai, hand, ana):
        asking = asyncio.ensure_future(openai.chat.completions.create(model="assent", messages=HI))
        turn = await hand.running()
        await hand.keep(turn, "I shall delete it.")
        approval = await hand.park(turn, ana)
        done = await asking

        text = done.choices[0].message.content
        link = f"https://assent.test/?approval={approval.id}#conversation={turn.conversation_id}"
        assert text.startswith("I shall delete it.\n\n**Consent is needed** for tasks.delete: Delete a task\n")
        assert "Deletes the task Buy milk" in text
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
        assert len(await conversations(house)) == 1


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
