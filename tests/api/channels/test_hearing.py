"""One process at a time asks a channel; when it goes, another does; what was heard is answered in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.channels.hearing import Hearing
from connectors.channel import Capabilities, Polled, TemporaryFailure
from core.errors import TooMany, Unavailable
from core.incoming import InboundEvent, Sender, TextSaid
from core.rooms import LocalRooms
from core.store import inbound
from core.store.database import Database
from tests.world import eventually

KEY = ("pigeon", "1")


class PigeonChannel:
    """Gives what is put on its roof, to whoever asks."""

    capabilities = Capabilities(mode="poll", max_text=100)
    account = "1"

    def __init__(self) -> None:
        self.roof: list[InboundEvent] = []
        self.polls = 0
        self.away = False

    async def attach(self, hook_url: str | None) -> None:
        assert hook_url is None

    async def probe(self) -> str:
        return "@pigeon"

    async def poll(self, cursor: str) -> Polled:
        self.polls += 1
        if self.away:
            raise TemporaryFailure("no pigeon")
        await asyncio.sleep(0.01)
        return Polled(events=tuple(self.roof[int(cursor or 0) :]), cursor=str(len(self.roof)))


class Listening:
    """Notes what it is given; fails as often as it is told to."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.failures = 0

    async def take(self, name: str, account: str, event: Any, *, again: bool) -> None:
        if event.text == "b" and self.failures:
            self.failures -= 1
            raise Unavailable("away", retry_after=0.0)
        self.heard.append(event.text)


class Limiting(Listening):
    """Has heard enough of thread 5."""

    async def take(self, name: str, account: str, event: Any, *, again: bool) -> None:
        if event.thread == "5":
            raise TooMany("at most 30 in a minute", retry_after=60.0)
        self.heard.append(event.text)


def said(text: str, thread: str = "5") -> TextSaid:
    return TextSaid(event_id=f"{thread}-{text}", sender=Sender(external_id="5"), thread=thread, text=text)


@asynccontextmanager
async def hearing(database: Database, channel: Any, answering: Any) -> AsyncIterator[Hearing]:
    made = Hearing(database, LocalRooms(), {KEY: channel}, answering, None)
    await made.start()
    try:
        yield made
    finally:
        await made.aclose()


@pytest.fixture
def channel() -> PigeonChannel:
    return PigeonChannel()


@pytest.fixture
def answering() -> Listening:
    return Listening()


class TestHearing:
    async def test_what_comes_is_answered_in_order(self, sqlite_database, channel, answering):
        channel.roof = [said("a"), said("b"), said("c")]
        async with hearing(sqlite_database, channel, answering):
            await eventually(lambda: has(answering, 3))

        assert answering.heard == ["a", "b", "c"]

    async def test_what_has_to_wait_holds_up_its_own_thread_only(self, sqlite_database, channel, answering):
        answering.failures = 1
        channel.roof = [said("a"), said("b"), said("c"), said("d", "6")]
        async with hearing(sqlite_database, channel, answering):
            await eventually(lambda: has(answering, 4))

        assert answering.heard.index("b") < answering.heard.index("c")
        assert answering.heard.index("d") < answering.heard.index("b")

    async def test_a_flood_in_one_thread_holds_up_no_other(self, sqlite_database, channel):
        answering = Limiting()
        channel.roof = [*(said(f"flood {number}") for number in range(300)), said("approve", "6")]
        async with hearing(sqlite_database, channel, answering):
            await eventually(lambda: has(answering, 1))

        assert answering.heard == ["approve"]

    async def test_one_asks_and_when_it_goes_another_does(self, sqlite_database, channel, answering):
        other = PigeonChannel()
        async with hearing(sqlite_database, channel, answering):
            await eventually(lambda: polled(channel))
            async with hearing(sqlite_database, other, answering) as second:
                async with sqlite_database.reading() as session:
                    (cursor,) = (await inbound.standing(session)).values()
                asked_meanwhile = other.polls
                assert cursor.holder != second._holder
        async with hearing(sqlite_database, other, answering):
            await eventually(lambda: polled(other))

        assert asked_meanwhile == 0

    async def test_a_channel_that_is_away_is_told_so_and_heard_again(self, sqlite_database, channel, answering):
        channel.away = True

        async def failing() -> bool:
            async with sqlite_database.reading() as session:
                seen = (await inbound.standing(session)).get(KEY)
            return seen is not None and (seen.state, seen.detail) == ("failing", "no pigeon")

        async with hearing(sqlite_database, channel, answering):
            await eventually(failing)
            channel.away, channel.roof = False, [said("a")]
            await eventually(lambda: has(answering, 1))

        assert answering.heard == ["a"]


async def has(answering: Listening, count: int) -> bool:
    return len(answering.heard) >= count


async def polled(channel: PigeonChannel) -> bool:
    return channel.polls > 0
