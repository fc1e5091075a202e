"""What channels tell is kept once, in order, and read by one process at a time; deliveries are claimed by one."""

import asyncio
from datetime import timedelta

import pytest

from core.clock import now
from core.incoming import Sender, TextSaid
from core.store import deliveries, inbound
from core.store.database import Database
from core.store.deliveries import Wanted
from core.store.work import change
from core.tables.connect import Cursor, Delivery, Inbound
from tests.world import World

LIFE = timedelta(seconds=10)


@pytest.fixture
def both(database: Database) -> World:
    """A world on each kind of database."""
    return World(database)


def said(event_id: str, text: str = "Hello", thread: str = "5") -> TextSaid:
    return TextSaid(event_id=event_id, sender=Sender(external_id="5"), thread=thread, text=text)


async def hold(world: World, holder: str) -> str | None:
    async with world.database.writing() as session:
        cursor = await inbound.hold(session, "telegram", "7", holder, LIFE)
    return None if cursor is None else cursor.position


class TestInbound:
    async def test_it_is_kept_once_and_in_order(self, both: World):
        counts = []
        for events in ([said("1", "a"), said("2", "b"), said("3", "c")], [said("3", "x"), said("4", "d")]):
            async with both.database.writing() as session:
                counts.append(await inbound.keep(session, "telegram", "7", events))
        async with both.database.reading() as session:
            rows = await inbound.waiting(session, "telegram", "7")

        assert counts == [3, 1]
        assert [inbound.event_of(row) for row in rows] == [
            said("1", "a"),
            said("2", "b"),
            said("3", "c"),
            said("4", "d"),
        ]

    async def test_many_of_one_thread_hold_up_no_other(self, both: World):
        flood = [said(f"a{number:03}", f"a{number:03}", "a") for number in range(30)]
        async with both.database.writing() as session:
            await inbound.keep(session, "telegram", "7", [*flood, said("b", "b", "b"), said("c", "c", "c")])
        async with both.database.reading() as session:
            few = await inbound.waiting(session, "telegram", "7", limit=3)
            rows = await inbound.waiting(session, "telegram", "7")

        assert [row.event_id for row in few] == ["a000", "b", "c"]
        assert [row.event_id for row in rows if row.thread == "a"] == [one.event_id for one in flood[: inbound.OF_EACH]]

    async def test_a_thread_waits_as_a_whole_and_alone(self, both: World):
        events = [said("a1", thread="a"), said("a2", thread="a"), said("b1", thread="b")]
        async with both.database.writing() as session:
            await inbound.keep(session, "telegram", "7", events)
        first = next(row for row in await both.all(Inbound) if row.event_id == "a1")
        seen = []
        for wait in (timedelta(minutes=1), timedelta(minutes=-1)):
            async with both.database.writing() as session:
                await inbound.postpone(session, first.id, now() + wait, 1, "later")
                seen.append([row.event_id for row in await inbound.waiting(session, "telegram", "7")])

        assert seen == [["b1"], ["a1", "b1", "a2"]]

    async def test_another_channel_may_use_the_same_id(self, both: World):
        async with both.database.writing() as session:
            for channel, account in (("telegram", "7"), ("telegram", "8"), ("slack", "7")):
                await inbound.keep(session, channel, account, [said("1")])

        assert len(await both.all(Inbound)) == 3

    async def test_what_is_answered_is_known_and_says_nothing_any_more(self, both: World):
        async with both.database.writing() as session:
            await inbound.keep(session, "telegram", "7", [said("1", "secret")])
        (row,) = await both.all(Inbound)
        async with both.database.writing() as session:
            await inbound.settle(session, row.id)
            again = await inbound.keep(session, "telegram", "7", [said("1", "secret")])
        (kept,) = await both.all(Inbound)

        assert (again, kept.state, kept.body) == (0, "done", {})

    async def test_old_answers_are_forgotten_and_what_waits_is_not(self, both: World):
        async with both.database.writing() as session:
            await inbound.keep(session, "telegram", "7", [said("1"), said("2")])
        for row in await both.all(Inbound):
            await both.alter(Inbound, row.id, created_at=now() - inbound.KEPT - timedelta(days=1))
        (first, _) = await both.all(Inbound)
        async with both.database.writing() as session:
            await inbound.settle(session, first.id)
            await inbound.prune(session)

        assert [row.event_id for row in await both.all(Inbound)] == ["2"]


class TestLease:
    async def test_one_holds_it_until_they_let_go(self, both: World):
        first, other = await hold(both, "a"), await hold(both, "b")
        again = await hold(both, "a")
        async with both.database.writing() as session:
            await inbound.let_go(session, "telegram", "7", "a")

        assert (first, other, again, await hold(both, "b")) == ("", None, "", "")

    async def test_a_lapsed_one_is_taken_and_its_holder_moves_nothing(self, both: World):
        await hold(both, "a")
        await both.alter(Cursor, ("telegram", "7"), held_until=now() - timedelta(seconds=1))
        await hold(both, "b")
        async with both.database.writing() as session:
            moved = [await inbound.move(session, "telegram", "7", holder, "9") for holder in ("a", "b")]

        assert (moved, await hold(both, "b")) == ([False, True], "9")

    async def test_of_many_at_once_one_gets_it(self, both: World):
        found = await asyncio.gather(*(hold(both, f"h{number}") for number in range(8)))

        assert sorted(one is None for one in found) == [False] + [True] * 7


class TestDeliveries:
    def wanted(self, ref: str) -> Wanted:
        return Wanted(
            workspace_id="w", kind="notice", ref=ref, channel="telegram", account="7", thread="5", body={"text": ref}
        )

    async def test_put_twice_it_is_one(self, both: World):
        for _ in range(2):
            async with change(both.database, both.rooms) as work:
                await deliveries.put(work, self.wanted("a"))

        assert len(await both.all(Delivery)) == 1

    async def test_two_senders_never_claim_the_same(self, both: World):
        for number in range(10):
            async with change(both.database, both.rooms) as work:
                await deliveries.put(work, self.wanted(str(number)))

        async def claim() -> list[str]:
            async with both.database.writing() as session:
                return [row.id for row in await deliveries.claim(session, ["notice"], 4)]

        claimed = [one for some in await asyncio.gather(*(claim() for _ in range(4))) for one in some]

        assert len(claimed) == len(set(claimed))
        assert len(await claim()) + len(claimed) >= 10

    async def test_an_edit_wanted_while_it_is_sent_follows(self, both: World):
        async with change(both.database, both.rooms) as work:
            await deliveries.put(work, self.wanted("a"))
        async with both.database.writing() as session:
            (row,) = await deliveries.claim(session, ["notice"])
        async with change(both.database, both.rooms) as work:
            await deliveries.want_edit(work, await work.session.get_one(Delivery, row.id))
        async with change(both.database, both.rooms) as work:
            await deliveries.sent(work, row, "ref")
        async with both.database.writing() as session:
            (again,) = await deliveries.claim(session, ["notice"])

        assert (again.state, again.version, again.shown) == ("sent", 2, 1)
