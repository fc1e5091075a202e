"""What usage is added up to, and what is said of it, on both databases."""

from datetime import UTC, datetime
from typing import Any

import pytest

from core.clock import now
from core.ids import new_id
from core.permissions import Principal, Role
from core.store import savings, spending, usage
from core.store.spending import Group, Span
from core.tables.cost import Usage
from tests.world import World

NIGHT = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)


@pytest.fixture
async def ana(world: World) -> Principal:
    return await world.person(role=Role.OWNER)


async def pay(world: World, who: Principal, **more: Any) -> None:
    known: dict[str, Any] = {
        "model": "small",
        "input_tokens": 100,
        "output_tokens": 10,
        "cost_micros": 5,
        "created_at": NIGHT,
    }
    await world.add(Usage(id=new_id("use"), workspace_id=who.workspace_id, user_id=who.user_id, **(known | more)))


class TestSpending:
    @pytest.mark.parametrize("group", list(Group))
    async def test_every_group_has_its_pages(self, world: World, ana: Principal, group: Group):
        conversation_id = await world.conversation(ana)
        for number in range(3):
            turn, _ = await world.say(ana, conversation_id)
            await pay(world, ana, turn_id=turn.id, model=f"m{number}")
        async with world.database.reading() as session:
            first, cursor, total = await spending.grouped(session, ana, group, Span(), limit=2, cursor=None)
            rest, end, _ = await spending.grouped(session, ana, group, Span(), limit=2, cursor=cursor or "none")

        keys = [one.key for one in first] + ([one.key for one in rest] if cursor else [])
        assert (len(set(keys)), end) == (total, None)
        assert sum(one.totals.calls for one in first) + (sum(one.totals.calls for one in rest) if cursor else 0) == 3

    async def test_a_day_is_that_of_utc(self, world: World, ana: Principal):
        await pay(world, ana)
        async with world.database.reading() as session:
            items, _, _ = await spending.grouped(session, ana, Group.DAY, Span(), limit=2, cursor=None)

        assert [one.key for one in items] == ["2026-03-01"]

    async def test_a_turn_is_the_sum_of_its_calls_and_unknown_when_one_is(self, world: World, ana: Principal):
        turn, _ = await world.say(ana, await world.conversation(ana))
        await pay(world, ana, turn_id=turn.id)
        await pay(world, ana, turn_id=turn.id, round=1, cached_tokens=7)
        async with world.database.reading() as session:
            known = await usage.of_turn(session, turn.id)
        await pay(world, ana, turn_id=turn.id, round=2, cost_micros=None)
        async with world.database.reading() as session:
            unknown = await usage.of_turn(session, turn.id)

        assert known == {"input_tokens": 200, "output_tokens": 20, "cached_tokens": 7, "cost_micros": 10, "calls": 2}
        assert (unknown["cost_micros"], unknown["calls"]) == (None, 3)


class TestSavings:
    async def test_calls_are_counted_by_purpose(self, world: World, ana: Principal):
        for _ in range(20):
            await pay(world, ana, created_at=now(), cached_tokens=1)
            await pay(world, ana, created_at=now(), purpose="facts")
        async with world.database.reading() as session:
            said = {one.kind: one for one in await savings.suggestions(session, ana)}

        assert set(said) == {"much_input", "little_cached", "much_beside_replies"}
        assert "20 of 2000 tokens" in said["little_cached"].text
        assert said["much_beside_replies"].figures["beside_micros"] == 100
