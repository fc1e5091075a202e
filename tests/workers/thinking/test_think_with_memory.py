"""A round of thinking with memory: recalled once, told to the room, used; and what is too long is trimmed."""

import pytest
from temporalio.exceptions import ApplicationError

from core.store.messages import reply_id
from core.tables.memory import Recall
from core.tables.records import StoredEvent
from core.tables.talk import Message
from core.tables.work import Turn
from tests.workflows.script import call
from workers.llm.errors import ContextTooLong
from workers.llm.offline.assistant import OfflineAssistant
from workers.llm.port import UserSaid
from workers.thinking.entries import size_of

MONEY = "I have $5000 in savings"
QUESTION = "How much money do I have in savings?"


class TestRecall:
    async def test_what_was_said_in_one_conversation_is_used_in_another(self, mind, ana, world):
        first = await mind.ask(ana, MONEY)
        reply = await mind.ask(ana, QUESTION)
        request = mind.model.requests[-1]
        told = await world.events(reply.conversation_id)

        assert [one.text for one in request.recalled] == [MONEY]
        assert MONEY in request.entries[-1].aside
        assert request.entries[-1].text == QUESTION
        [row] = await world.all(Recall)
        assert (row.turn_id, row.state, row.items[0]["conversation_id"]) == (
            reply.turn_id,
            "done",
            first.conversation_id,
        )
        assert [one.type for one in told if one.type.startswith("recall")] == ["recall.done"]

    async def test_the_offline_assistant_answers_from_it(self, mind, ana):
        offline = OfflineAssistant(embedder=mind.memory.embedder)
        await mind.ask(ana, MONEY, model=offline)
        reply = await mind.ask(ana, QUESTION, model=offline)

        assert "I am the built-in offline assistant" in reply.text
        assert "You told me on" in reply.text
        assert f'in another conversation: "{MONEY}"' in reply.text

    async def test_nothing_found_is_no_event_and_no_row(self, mind, ana, world):
        reply = await mind.ask(ana, QUESTION)

        assert await world.all(Recall) == []
        assert not [one for one in await world.told(reply.conversation_id) if one.startswith("recall")]

    async def test_a_later_round_is_told_the_same_and_looks_no_more(self, mind, ana, world):
        await mind.ask(ana, MONEY)
        mind.model.lines[QUESTION] = [[call("read")], ["You have $5000."]]
        conversation_id = await world.conversation(ana)
        turn, _ = await world.say(ana, conversation_id, QUESTION)
        parts = mind.parts()
        await mind.think(turn, parts)
        searched = len(mind.memory.index.asked)
        await mind.think(turn, parts, number=1)
        one, two = mind.model.requests[-2:]

        assert [item.text for item in one.recalled] == [item.text for item in two.recalled] == [MONEY]
        assert len(mind.memory.index.asked) == searched
        assert one.system == two.system
        assert one.entries[0] == two.entries[0]

    async def test_memory_that_fails_is_told_and_the_turn_goes_on(self, mind, ana, world):
        mind.memory.embedder.is_ready = False
        reply = await mind.ask(ana, QUESTION)
        [event] = await world.all(StoredEvent, StoredEvent.type == "recall.skipped")

        assert reply.text == "ok"
        assert event.body["recall"]["reason"] == "Memory is still warming up."

    async def test_switched_off_it_is_not_spoken_of(self, mind, ana, world):
        reply = await mind.ask(ana, QUESTION, memory=False)

        assert (reply.text, mind.memory.index.asked, await world.all(Recall)) == ("ok", [], [])

    async def test_a_command_typed_in_full_asks_nothing(self, mind, ana, world):
        turn, _ = await world.say(ana, await world.conversation(ana), '/do note.read text="x"')
        await mind.think(turn)

        assert mind.memory.index.asked == []


class TestReading:
    async def test_the_intent_is_kept_with_turn_and_reply(self, mind, ana, world):
        reply = await mind.ask(ana, "Thank you so much!", memory=False)
        turn = await world.get(Turn, reply.turn_id)

        assert (turn.intent, reply.intent) == ("thanks", "thanks")
        assert 0 < reply.confidence <= 1

    async def test_the_profile_is_kept_with_the_reply(self, mind, ana):
        reply = await mind.ask(ana, "Hello", memory=False)

        assert reply.profile == {"name": ana.name, "locale": None, "time_zone": None, "preferences": {}}


class TestTooLong:
    async def test_it_is_told_again_in_half_the_room(self, mind, ana, world):
        conversation_id = await world.conversation(ana)
        for number in range(6):
            await mind.said(ana, conversation_id, f"{number}: " + "many words " * 300)
        mind.model.lines["Go on"] = [[ContextTooLong(), "fine"]]
        reply = await mind.ask(ana, "Go on", conversation_id, memory=False, context_tokens=6000)
        whole, half = mind.model.requests[-2:]

        assert reply.text == "fine"
        assert size_of(half.entries) < size_of(whole.entries) * 0.6
        assert isinstance(half.entries[-1], UserSaid)
        assert half.entries[-1].text == "Go on"

    async def test_after_two_trims_it_fails_clearly(self, mind, ana, world):
        mind.model.lines["Go on"] = [[ContextTooLong(), ContextTooLong(), ContextTooLong(), "never"]]
        conversation_id = await world.conversation(ana)
        turn, _ = await world.say(ana, conversation_id, "Go on")
        with pytest.raises(ApplicationError, match="too long for the model"):
            await mind.think(turn, mind.parts(memory=False))

        assert mind.model.calls == 3
        assert await world.all(Message, Message.id == reply_id(turn.id)) == []
