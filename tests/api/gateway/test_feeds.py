"""Every member gets every durable event once and in order, whatever happens between; nobody else gets any."""

import asyncio
import random
from functools import partial

import pytest
from sqlalchemy import delete, update

from core.events import TurnDelta, Typing
from core.ids import new_id
from core.permissions import Principal
from core.tables.records import StoredEvent
from core.tables.talk import Conversation
from tests.api.gateway.stage import Listener, Stage

pytestmark = pytest.mark.server


def delta(conversation: str, text: str = "Hel", offset: int = 0) -> TurnDelta:
    return TurnDelta(conversation_id=conversation, turn_id=new_id("trn"), attempt=1, offset=offset, text=text)


async def resume(listener: Listener, conversation: str, epoch: str, after: int) -> dict:
    return await listener.call(
        "conversation.resume", {"conversation_id": conversation, "epoch": epoch, "after_seq": after}
    )


def _has(conversation: str, wanted: int, listener: Listener) -> bool:
    return len(listener.numbers(conversation)) >= wanted


class TestResume:
    @pytest.mark.parametrize("seed", range(6))
    async def test_each_number_comes_once_and_in_order(self, stage: Stage, ana, seed) -> None:
        chance = random.Random(seed)
        conversation = await stage.conversation(ana)
        first = await stage.listener(ana)
        epoch = (await first.call("conversation.join", {"conversation_id": conversation}))["data"]["epoch"]
        heard: list[int] = []
        written = 0
        listener = first
        joined = True
        for _ in range(30):
            step = chance.choice(["append", "append", "burst", "drop", "silent"] if joined else ["append", "resume"])
            if step in {"append", "burst", "silent"}:
                count = 110 if step == "burst" else chance.randint(1, 3)
                written += count
                await stage.append(conversation, count, ring=step != "silent")
            elif step == "drop":
                heard += listener.numbers(conversation)
                await listener.leave()
                listener = await stage.listener(ana, (chance.choice(["websocket", "polling"]),))
                joined = False
            else:
                task = asyncio.create_task(resume(listener, conversation, epoch, len(heard)))
                await stage.append(conversation)
                written += 1
                assert (await task)["ok"]
                joined = True
        if not joined:
            assert (await resume(listener, conversation, epoch, len(heard)))["ok"]
        await stage.append(conversation)
        written += 1
        await listener.until(lambda it: len(heard) + len(it.numbers(conversation)) >= written)

        assert heard + listener.numbers(conversation) == list(range(1, written + 1))

    async def test_many_clients_that_come_and_go_all_get_everything(self, stage: Stage, ana, bo) -> None:
        conversation = await stage.conversation(ana, bo)
        async with stage.database.reading() as session:
            epoch = (await session.get_one(Conversation, conversation)).epoch

        async def follow(who: Principal, seed: int) -> list[int]:
            chance = random.Random(seed)
            heard: list[int] = []
            while len(heard) < 300:
                listener = await stage.listener(who, (chance.choice(["websocket", "polling"]),))
                assert (await resume(listener, conversation, epoch, len(heard)))["ok"]
                wanted = min(len(heard) + chance.randint(1, 120), 300) - len(heard)
                await listener.until(partial(_has, conversation, wanted))
                await listener.leave()
                heard += listener.numbers(conversation)
            return heard

        async def write() -> None:
            for _ in range(100):
                await stage.append(conversation, 3)
                await asyncio.sleep(0)

        *followed, _ = await asyncio.gather(
            *(follow(who, seed) for seed, who in enumerate([ana, ana, bo, bo])), write()
        )

        assert followed == [list(range(1, 301))] * 4

    async def test_as_many_as_are_replayed_come_and_one_more_is_too_many(self, stage: Stage, ana) -> None:
        conversation = await stage.conversation(ana)
        listener = await stage.listener(ana)
        epoch = (await listener.call("conversation.join", {"conversation_id": conversation}))["data"]["epoch"]
        await listener.call("conversation.leave", {"conversation_id": conversation})
        await stage.append(conversation, 1001)

        too_many = await resume(listener, conversation, epoch, 0)
        enough = await resume(listener, conversation, epoch, 1)

        assert too_many["error"]["code"] == "resync_required"
        assert too_many["error"]["last_seq"] == 1001
        assert enough == {"ok": True, "data": {"epoch": epoch, "last_seq": 1001}}
        await listener.until(lambda it: len(it.numbers(conversation)) == 1000)
        assert listener.numbers(conversation) == list(range(2, 1002))

    async def test_another_epoch_a_future_and_a_hole_have_to_fetch(self, stage: Stage, ana) -> None:
        conversation = await stage.conversation(ana)
        listener = await stage.listener(ana)
        epoch = (await listener.call("conversation.join", {"conversation_id": conversation}))["data"]["epoch"]
        await stage.append(conversation, 3)
        async with stage.database.writing() as session:
            await session.execute(
                delete(StoredEvent).where(StoredEvent.stream_id == conversation, StoredEvent.seq <= 2)
            )

        answers = [
            await resume(listener, conversation, "another", 0),
            await resume(listener, conversation, epoch, 4),
            await resume(listener, conversation, epoch, 0),
        ]

        assert [answer["error"]["code"] for answer in answers] == ["resync_required"] * 3
        assert (await resume(listener, conversation, epoch, 2))["ok"]

    async def test_the_inbox_is_resumed_alike(self, stage: Stage, ana) -> None:
        listener = await stage.listener(ana)
        inbox = listener.named("connected")[0]["inbox"]

        right = await listener.call("inbox.resume", {"epoch": inbox["epoch"], "after_seq": inbox["last_seq"]})
        wrong = await listener.call("inbox.resume", {"epoch": "another", "after_seq": 0})

        assert right["data"] == {"epoch": inbox["epoch"], "last_seq": inbox["last_seq"]}
        assert wrong["error"]["code"] == "resync_required"

    async def test_a_stream_that_begins_anew_says_so(self, stage: Stage, ana) -> None:
        conversation = await stage.conversation(ana)
        listener = await stage.listener(ana)
        await listener.call("conversation.join", {"conversation_id": conversation})

        async with stage.database.writing() as session:
            await session.execute(update(Conversation).where(Conversation.id == conversation).values(epoch="new"))
        await listener.until(lambda it: bool(it.named("error")))

        assert listener.named("error")[0]["code"] == "resync_required"
        assert listener.named("error")[0]["stream"] == conversation


class TestBell:
    async def test_events_that_nobody_rang_for_come_too(self, stage: Stage, ana) -> None:
        conversation = await stage.conversation(ana)
        listener = await stage.listener(ana)
        await listener.call("conversation.join", {"conversation_id": conversation})

        await stage.append(conversation, 3, ring=False)
        await listener.until(lambda it: len(it.numbers(conversation)) == 3)

        assert listener.numbers(conversation) == [1, 2, 3]

    async def test_a_ring_from_another_thread_is_heard(self, stage: Stage, ana) -> None:
        conversation = await stage.conversation(ana)
        listener = await stage.listener(ana)
        await listener.call("conversation.join", {"conversation_id": conversation})

        await asyncio.to_thread(stage.rooms.say, conversation, delta(conversation))
        await listener.until(lambda it: bool(it.named("turn.delta")))

        assert listener.named("turn.delta")[0]["text"] == "Hel"


class TestVolatile:
    async def test_a_delta_goes_to_members_only(self, stage: Stage, ana, bo) -> None:
        conversation = await stage.conversation(ana, bo)
        member, other = await stage.listener(ana), await stage.listener(bo)
        await member.call("conversation.join", {"conversation_id": conversation})

        stage.rooms.say(conversation, delta(conversation))
        await member.until(lambda it: bool(it.named("turn.delta")))
        await other.call("typing", {"conversation_id": conversation})

        assert not other.named("turn.delta")

    async def test_the_others_see_who_types_and_that_it_ends(self, stage: Stage, ana, bo) -> None:
        conversation = await stage.conversation(ana, bo)
        typist, again, other = [await stage.listener(who) for who in (ana, ana, bo)]
        for one in (typist, again, other):
            await one.call("conversation.join", {"conversation_id": conversation})

        for typing in (True, True, False):
            await typist.call("typing", {"conversation_id": conversation, "typing": typing})
        await other.until(lambda it: len(it.named("typing")) == 2)

        assert [Typing(**event).typing for event in other.named("typing")] == [True, False]
        assert not typist.named("typing") + again.named("typing")

    async def test_who_leaves_or_speaks_types_no_more(self, stage: Stage, ana, bo) -> None:
        conversation = await stage.conversation(ana, bo)
        typist, other = await stage.listener(ana), await stage.listener(bo)
        await other.call("conversation.join", {"conversation_id": conversation})

        await typist.call("typing", {"conversation_id": conversation})
        said = {"conversation_id": conversation, "text": "Hi", "client_message_id": "m"}
        await typist.call("message.send", said)
        await typist.call("typing", {"conversation_id": conversation})
        await typist.leave()
        await other.until(lambda it: len(it.named("typing")) == 4)

        assert [event["typing"] for event in other.named("typing")] == [True, False, True, False]
