"""A question beside a turn is bounded and paid as any call."""

from typing import Any

import pytest

from core.errors import BudgetExhausted
from core.permissions import Principal, Role
from core.settings import ModelEntry
from core.store import budgets, model_rules
from core.store.audit import AuditTrail
from core.store.usage import Charge
from core.store.work import change
from core.tables.cost import Usage
from tests.doubles.openai_server import Answer, Script, serving
from tests.workers.llm.models import model_at
from tests.world import World
from workers.llm.aside import Aside
from workers.llm.errors import ModelError
from workers.llm.router import NoModelFits, Router
from workers.llm.traits import traits_of


@pytest.fixture
async def ana(world: World) -> Principal:
    return await world.person(role=Role.OWNER)


async def ask(world: World, who: Principal, script: Script) -> str | None:
    async with serving(script) as double:
        entry = ModelEntry(name="small-model", base_url=double.base_url, input_price=1, output_price=2)
        model = model_at(double.base_url)
        aside = Aside(world.database, world.rooms, Router((model,), {"small-model": traits_of(entry)}))
        whose = Charge(workspace_id=who.workspace_id, user_id=who.user_id, purpose="facts", model="")
        try:
            return await aside.ask(whose, "Be short.", "What lasts?")
        finally:
            await model.aclose()


async def bound(world: World, audit: AuditTrail, who: Principal, **most: Any) -> None:
    known: dict[str, Any] = {"user_id": None, "period": "day", "money_micros": None, "tokens": None}
    async with change(world.database, world.rooms) as work:
        await budgets.put(work, audit, who, **(known | most))


class TestAside:
    async def test_is_paid_once_by_the_providers_figures(self, world, ana):
        assert await ask(world, ana, Script([Answer(text="Nothing.")])) == "Nothing."

        (row,) = await world.all(Usage)
        assert (row.state, row.purpose, row.input_tokens, row.cost_micros) == ("settled", "facts", 11, 25)
        assert row.reserved_tokens == 0

    async def test_is_reserved_where_a_budget_applies(self, world, audit, ana):
        await bound(world, audit, ana, money_micros=1_000_000)
        await ask(world, ana, Script([Answer(text="Nothing.")]))

        (row,) = await world.all(Usage)
        assert (row.state, row.cost_micros) == ("settled", 25)
        assert row.reserved_micros > 25

    async def test_goes_to_who_has_a_price_where_a_budget_in_money_applies(self, world, audit, ana):
        await bound(world, audit, ana, money_micros=1_000_000)
        unlisted, listed = Script([Answer(text="Mine.")]), Script([Answer(text="Yours.")])
        async with serving(unlisted) as first, serving(listed) as second:
            entries = [
                ModelEntry(name="unlisted", base_url=first.base_url, tier="small"),
                ModelEntry(name="listed", base_url=second.base_url, input_price=1, output_price=2),
            ]
            models = tuple(model_at(entry.base_url or "", name=entry.name) for entry in entries)
            router = Router(models, {entry.name: traits_of(entry) for entry in entries})
            whose = Charge(workspace_id=ana.workspace_id, user_id=ana.user_id, purpose="facts", model="")
            answer = await Aside(world.database, world.rooms, router).ask(whose, "Be short.", "What lasts?")
            await router.aclose()

        assert answer == "Yours."
        assert unlisted.requests == []

    async def test_is_not_asked_when_the_budget_is_used_up(self, world, audit, ana):
        await bound(world, audit, ana, tokens=10)
        script = Script([Answer(text="Nothing.")])
        with pytest.raises(BudgetExhausted):
            await ask(world, ana, script)

        assert script.requests == []
        assert await world.all(Usage) == []

    async def test_a_failed_one_is_given_back(self, world, audit, ana):
        await bound(world, audit, ana, tokens=10_000)
        with pytest.raises(ModelError):
            await ask(world, ana, Script([Answer(status=401)]))

        assert [row.state for row in await world.all(Usage)] == ["released"]

    async def test_a_model_that_is_not_allowed_is_not_asked(self, world, audit, ana):
        async with change(world.database, world.rooms) as work:
            await model_rules.put(work, audit, ana, user_id=None, allowed=["other"])
        script = Script([Answer(text="Nothing.")])
        with pytest.raises(NoModelFits):
            await ask(world, ana, script)

        assert script.requests == []
