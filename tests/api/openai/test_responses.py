"""/v1/responses with OpenAI's own client: whole, as events, in the background, fetched, cancelled."""

import asyncio
from typing import Any

import openai as sdk
import pytest
from openai import AsyncOpenAI

from tests.api.openai.hand import Hand, client_of, secret_of

ORDER = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


async def ask(client: AsyncOpenAI, hand: Hand, given: Any, answer: str, **more: Any) -> Any:
    return await hand.answering(client.responses.create(model="assent", input=given, **more), answer)


class TestAnswer:
    async def test_it_has_the_form_that_the_client_knows(self, openai, hand):
        done = await ask(openai, hand, "Hi", "Hello!", instructions="Be short.")

        turn = (await hand.turns())[0]
        assert (done.output_text, done.status, done.id) == ("Hello!", "completed", f"resp_{turn.id[4:]}")
        assert done.conversation.id == turn.conversation_id
        assert (done.usage.input_tokens, done.usage.output_tokens, done.usage.total_tokens) == (3, 2, 5)
        assert done.instructions == "Be short."
        assert done.assent["turn_id"] == turn.id

    async def test_events_come_in_their_order_with_their_numbers(self, openai, hand):
        events = [event async for event in await ask(openai, hand, "Hi", "Hello!", stream=True)]

        assert [event.type for event in events] == ORDER
        assert [event.sequence_number for event in events] == list(range(len(ORDER)))
        assert events[-1].response.output_text == "Hello!"

    async def test_the_clients_own_collector_is_content(self, openai, hand):
        async def collect() -> Any:
            async with openai.responses.stream(model="assent", input="Hi") as stream:
                return await stream.get_final_response()

        assert (await hand.answering(collect(), "Hello!")).output_text == "Hello!"

    async def test_a_list_of_items_is_read(self, openai, hand):
        items = [
            {"role": "developer", "content": "Be short."},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        ]

        assert (await ask(openai, hand, items, "Hello!")).output_text == "Hello!"

    async def test_one_response_follows_another(self, openai, hand):
        first = await ask(openai, hand, "Hi", "Hello!")
        second = await ask(openai, hand, "Yes", "Good.", previous_response_id=first.id)
        third = await ask(openai, hand, "Yes", "Better.", conversation=second.conversation.id)
        fourth = await ask(openai, hand, "Yes", "Best.", conversation={"id": second.conversation.id})

        assert {one.conversation.id for one in (first, second, third, fourth)} == {first.conversation.id}
        assert len(await hand.turns()) == 4
        assert second.previous_response_id == first.id


class TestLater:
    async def test_in_the_background_it_is_fetched_when_it_is_done(self, openai, hand):
        begun = await openai.responses.create(model="assent", input="Hi", background=True)
        await hand.finish(await hand.running(), "Hello!")
        done = await openai.responses.retrieve(begun.id)

        assert (begun.status, begun.output) == ("in_progress", [])
        assert (done.status, done.output_text, done.model) == ("completed", "Hello!", "assent")

    async def test_it_is_streamed_again_from_its_beginning(self, openai, hand):
        begun = await openai.responses.create(model="assent", input="Hi", background=True)
        await hand.finish(await hand.running(), "Hello!")
        events = [event async for event in await openai.responses.retrieve(begun.id, stream=True)]

        assert [event.type for event in events] == ORDER

    async def test_cancelling_stops_the_turn(self, openai, hand):
        begun = await openai.responses.create(model="assent", input="Hi", background=True)
        cancelled = await openai.responses.cancel(begun.id)

        assert cancelled.status == "cancelled"
        assert (await hand.turns())[0].state == "stopped"

    async def test_one_that_failed_says_why(self, openai, hand):
        begun = await openai.responses.create(model="assent", input="Hi", background=True)
        await hand.fail(await hand.running(), "model_refused_key", "The key is wrong.")
        failed = await openai.responses.retrieve(begun.id)

        assert (failed.status, failed.error.code, failed.error.message) == (
            "failed",
            "model_refused_key",
            "The key is wrong.",
        )

    async def test_one_that_waits_for_people_says_so_and_goes_on(self, openai, hand, ana):
        asking = asyncio.ensure_future(openai.responses.create(model="assent", input="Hi"))
        turn = await hand.running()
        approval = await hand.park(turn, ana)
        told = await asking
        waits = await openai.responses.retrieve(told.id)
        await hand.finish(await hand.resume(turn, approval), "Done.")
        done = await openai.responses.retrieve(told.id)

        assert (told.status, told.incomplete_details.reason) == ("incomplete", "approval_required")
        assert approval.id in told.output_text
        assert (waits.status, waits.assent["approvals"][0]["id"]) == ("in_progress", approval.id)
        assert (done.status, done.output_text) == ("completed", "Done.")


class TestOthers:
    async def test_anothers_response_is_not_there(self, house, openai, hand, bo, eve):
        mine = await ask(openai, hand, "Hi", "Hello!")
        for other in (bo, eve):
            async with client_of(house, await secret_of(house, other)) as theirs:
                for asking in (
                    theirs.responses.retrieve(mine.id),
                    theirs.responses.cancel(mine.id),
                    theirs.responses.create(model="assent", input="Hi", previous_response_id=mine.id),
                    theirs.responses.create(model="assent", input="Hi", conversation=mine.conversation.id),
                    theirs.responses.create(
                        model="assent", input="Hi", metadata={"conversation_id": mine.conversation.id}
                    ),
                ):
                    with pytest.raises(sdk.NotFoundError):
                        await asking

        assert len(await hand.turns()) == 1

    @pytest.mark.parametrize("name", ["resp_x", "resp_" + "0" * 26, "trn_" + "0" * 26])
    async def test_what_is_no_response_is_not_there(self, openai, name):
        with pytest.raises(sdk.NotFoundError):
            await openai.responses.retrieve(name)
