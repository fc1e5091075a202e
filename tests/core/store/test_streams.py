"""Events have gap-free numbers in the order of their commits, whoever writes at the same time."""

import asyncio

import pytest

from core.events import MAX_EVENT_BYTES, ConversationUpdated, MessageCreated
from core.store import messages, streams
from core.store.viewing import conversation_view
from core.store.work import change
from core.tables.people import Membership
from core.tables.talk import Conversation
from tests.world import World


class TestSeq:
    async def test_has_no_gap_and_no_double_under_twenty_writers(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)

        await asyncio.gather(*(world.say(ana, conversation_id, f"{one}") for one in range(20)))

        events = await world.events(conversation_id)
        assert [one.seq for one in events] == list(range(1, 41))
        said = [one.body["message"]["position"] for one in events if one.type == "message.created"]
        assert said == [one.seq for one in events if one.type == "message.created"]
        running = [one for one in events if one.type == "turn.started"]
        assert len(running) == 1

    async def test_of_an_inbox_has_no_gap_under_twenty_writers(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)
        view = conversation_view(await world.get(Conversation, conversation_id))

        async def notify() -> None:
            async with change(world.database, world.rooms) as work:
                await streams.notify(work, ana.membership_id, ConversationUpdated(conversation=view))

        await asyncio.gather(*(notify() for _ in range(20)))

        assert [one.seq for one in await world.events(ana.membership_id)] == list(range(1, 21))
        assert (await world.get(Membership, ana.membership_id)).last_seq == 20

    async def test_of_a_change_that_fails_is_given_again(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)
        view = conversation_view(await world.get(Conversation, conversation_id))

        with pytest.raises(RuntimeError):  # noqa: PT012 - the change fails at its end
            async with change(world.database, world.rooms) as work:
                await streams.append(work, conversation_id, ConversationUpdated(conversation=view))
                raise RuntimeError
        await world.say(ana, conversation_id)

        assert [one.seq for one in await world.events(conversation_id)] == [1, 2]


class TestEvents:
    async def test_after_a_number_are_exactly_those_missed(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)
        for _ in range(3):
            await world.say(ana, conversation_id)

        async with world.database.reading() as session:
            log = await streams.log_of(session, conversation_id)
            assert log is not None
            missed = await streams.after(session, conversation_id, log.epoch, 2)

        assert [one.seq for one in missed] == [3, 4, 5, 6]
        assert log.last_seq == 6

    async def test_over_their_size_leave_the_text_out_and_say_so(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)
        turn, _ = await world.say(ana, conversation_id, "é" * MAX_EVENT_BYTES)

        (event, _) = await world.events(conversation_id)
        async with world.database.reading() as session:
            whole = await messages.one(session, ana, turn.message_id)

        assert (event.body["message"]["text"], event.body["message"]["text_cut"]) == ("", True)
        assert len(whole.text) == MAX_EVENT_BYTES
        assert MessageCreated.model_validate(event.body).message.id == whole.id

    async def test_ring_only_after_the_commit(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)
        heard: list[str] = []

        class Ear:
            def rang(self, stream_id: str) -> None:
                heard.append(stream_id)

            def said(self, *_: object) -> None:
                return

        world.rooms.listen(Ear())
        view = conversation_view(await world.get(Conversation, conversation_id))
        async with change(world.database, world.rooms) as work:
            await streams.append(work, conversation_id, ConversationUpdated(conversation=view))
            assert heard == []

        assert heard == [conversation_id]
