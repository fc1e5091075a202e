"""To which talk a request belongs, and which request is one that came before."""

import asyncio
from typing import Any

import httpx2
import openai as sdk
import pytest
from openai import AsyncOpenAI
from sqlalchemy import select

from core.store import context
from core.tables.talk import Message
from tests.api.openai.hand import HI, ask, client_of, secret_of, talk


class TestTalk:
    async def test_what_goes_on_goes_on_in_the_same_conversation(self, house, openai, hand):
        await ask(openai, hand, talk("Hi"), "Hello!")
        await ask(openai, hand, talk("Hi", "Hello!", "More"), "Well.")
        await ask(openai, hand, talk("Hi", " Hello! ", "More", "Well.", "And?"), "That is all.")

        assert len(await hand.conversations()) == 1
        assert len(await hand.turns()) == 3

    async def test_the_same_words_in_a_new_talk_are_a_new_conversation(self, house, openai, hand):
        await ask(openai, hand, talk("Hi"), "Hello!")
        await ask(openai, hand, talk("Hi"), "Hello again!")

        assert len(await hand.conversations()) == 2

    async def test_a_talk_that_is_not_known_is_brought_along(self, house, openai, hand):
        told = talk("My name is Ana", "Hello Ana", "What is my name?")
        await ask(openai, hand, told, "Ana")

        turn = (await hand.turns())[-1]
        async with house.database.reading() as session:
            loaded = await context.load(session, turn.id)
            told_here = select(Message).where(Message.conversation_id == turn.conversation_id)
            rows = (await session.execute(told_here.order_by(Message.position))).scalars()
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

        assert len(await hand.conversations()) == 2

    async def test_an_answer_that_we_never_gave_is_no_talk_of_ours(self, house, openai, hand):
        await ask(openai, hand, talk("Hi"), "Hello!")
        await ask(openai, hand, talk("Hi", "I am somebody else", "More"), "Well.")

        assert len(await hand.conversations()) == 2

    async def test_nobody_lands_in_anothers_talk(self, house, openai, hand, bo):
        await ask(openai, hand, talk("Hi"), "Hello!")
        async with client_of(house, await secret_of(house, bo)) as theirs:
            await ask(theirs, hand, talk("Hi", "Hello!", "More"), "Well.")

        assert len(await hand.conversations()) == 2

    async def test_a_question_that_failed_is_asked_again_in_its_place(self, house, openai, hand):
        asking = asyncio.ensure_future(openai.chat.completions.create(model="assent", messages=HI))
        await hand.fail(await hand.running(), "model_unavailable")
        with pytest.raises(sdk.InternalServerError):
            await asking
        await ask(openai, hand, HI, "Hello!")

        assert len(await hand.conversations()) == 1
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

    async def test_another_model_or_another_order_is_another_question(self, house, hand, ana):
        http = await house.http(await secret_of(house, ana))  # a client that does not say how often it tried
        asked = {"model": "assent", "messages": HI}
        others = ({"model": "assent:quick"}, {"messages": [{"role": "system", "content": "Title it."}, *HI]})
        for more in ({}, *others):
            done = await hand.answering(http.post("/v1/chat/completions", json=asked | more), "Hello!")
            assert done.status_code == 200
        again = await http.post("/v1/chat/completions", json=asked)

        turns = [turn.id for turn in await hand.turns()]
        assert len(turns) == 3
        assert again.headers["x-assent-turn"] == turns[0]
