"""What outsiders wrote, told to the model by memory or by earlier turns, is kept in mind."""

from datetime import timedelta

import pytest

from connectors.registry import Registry
from core.clock import now
from core.permissions import Principal
from core.store import context
from core.tables.work import Turn
from tests.doubles.connector import LedgerConnector
from tests.workflows.script import call
from tests.world import World
from workers.judging.judge import Judge
from workers.llm.port import Origin, Recalled
from workers.thinking.plan import Planner


@pytest.fixture
def planner(world: World) -> Planner:
    registry = Registry.load([LedgerConnector()])
    return Planner(world.database, registry, Judge(registry, timedelta(hours=1)), 5)


async def planned(world: World, planner: Planner, turn: Turn, *origins: Origin) -> Turn:
    async with world.database.reading() as session:
        talk = await context.load(session, turn.id)
    recalled = tuple(Recalled("x", origin, "words", now()) for origin in origins)
    await planner.plan(talk, 0, [call("put")], "", None, recalled)
    return await world.get(Turn, turn.id)


class TestUntrusted:
    async def test_a_recalled_document_is(self, world: World, planner: Planner, ana: Principal):
        turn, _ = await world.say(ana, await world.conversation(ana))

        assert (await planned(world, planner, turn, "own", "fact", "other")).untrusted_at is None
        assert (await planned(world, planner, turn, "own", "document")).untrusted_at is not None

    async def test_an_earlier_turn_is_for_the_next(self, world: World, planner: Planner, ana: Principal):
        conversation_id = await world.conversation(ana)
        first, _ = await world.say(ana, conversation_id)
        await world.alter(Turn, first.id, untrusted_at=now(), state="finished")
        following, _ = await world.say(ana, conversation_id)
        await world.alter(Turn, following.id, state="running")

        assert (await planned(world, planner, following)).untrusted_at is not None
