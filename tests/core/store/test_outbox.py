"""The outbox: due when it should be, claimed by one relay, postponed ever longer."""

import asyncio
from datetime import timedelta

from core.clock import now
from core.store import outbox, upkeep
from core.store.work import change
from core.tables.work import Outbox, Turn
from tests.world import World


class TestOutbox:
    async def test_rows_are_due_when_their_delay_is_over(self, world: World):
        async with change(world.database, world.rooms) as work:
            outbox.put(work, outbox.WAKE_TURN, "now", {})
            outbox.put(work, outbox.WAKE_TURN, "later", {}, delay=timedelta(minutes=1))
            assert work.streams == {outbox.DOORBELL}

        async with world.database.writing() as session:
            assert await outbox.is_due(session)
            assert [row.ref for row in await outbox.due(session)] == ["now"]
            assert await outbox.is_pending(session, "lat")
            assert not await outbox.is_pending(session, "l_t")

    async def test_a_row_is_claimed_by_one_relay(self, world: World):
        async with change(world.database, world.rooms) as work:
            for number in range(20):
                outbox.put(work, outbox.WAKE_TURN, f"{number}", {})

        async def claim() -> list[str]:
            async with world.database.writing() as session:
                rows = await outbox.due(session, limit=4)
                for row in rows:
                    await outbox.postpone(session, row.id, row.attempts + 1)
                return [row.ref for row in rows]

        claimed = [ref for refs in await asyncio.gather(*(claim() for _ in range(8))) for ref in refs]

        assert len(claimed) == len(set(claimed))

    async def test_a_row_waits_ever_longer_but_at_most_a_minute(self, world: World):
        async with change(world.database, world.rooms) as work:
            outbox.put(work, outbox.WAKE_TURN, "one", {})
        (row,) = await world.all(Outbox)

        waits = []
        for attempts in (1, 2, 5, 6, 20):
            async with world.database.writing() as session:
                waits.append((await outbox.postpone(session, row.id, attempts) - now()).total_seconds())

        assert [round(one) for one in waits] == [2, 4, 32, 60, 60]


class TestUpkeep:
    async def test_suspects_only_old_turns_about_which_nothing_is_to_be_told(self, world: World):
        ana = await world.person()
        old, told, fresh, queued = [(await world.say(ana, await world.conversation(ana)))[0] for _ in range(4)]
        long_ago = now() - timedelta(minutes=5)
        for turn in (old, told):
            await world.alter(Turn, turn.id, started_at=long_ago)
        await world.alter(Turn, queued.id, started_at=None, state="queued")
        async with world.database.writing() as session:
            for turn in (old, fresh, queued):
                await outbox.remove(session, outbox.START_TURN, turn.id)

        async with world.database.reading() as session:
            suspects = await upkeep.unended(session, timedelta(minutes=1))

        assert [turn.id for turn in suspects] == [old.id]


class TestUnended:
    async def test_a_lost_turn_is_seen_however_many_wait_for_people(self, world: World):
        ana = await world.person()
        long_ago = now() - timedelta(hours=1)
        said = [(await world.say(ana, await world.conversation(ana)))[0] for _ in range(3)]
        for age, turn in enumerate(said):
            async with world.database.writing() as session:
                await outbox.remove(session, outbox.START_TURN, turn.id)
            state = "running" if turn is said[-1] else "waiting"
            await world.alter(Turn, turn.id, state=state, started_at=long_ago + timedelta(minutes=age))

        async with world.database.reading() as session:
            (first,) = await upkeep.unended(session, timedelta(minutes=1), limit=1)
            everyone = await upkeep.unended(session, timedelta(minutes=1))

        assert first.id == said[-1].id
        assert {turn.id for turn in everyone} == {turn.id for turn in said}
