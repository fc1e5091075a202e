"""Usage and budgets on the command line, through the real doors."""

import pytest

from cli.talk import usage
from cli.talk.ending import ServerError
from core.clock import now
from core.ids import new_id
from core.tables.cost import Usage


@pytest.fixture
async def paid(house, ana) -> None:
    """Two calls, one of them at an unknown price."""
    for model, micros in (("small", 1_500_000), ("=strange", None)):
        row = Usage(
            id=new_id("use"),
            workspace_id=ana.principal.workspace_id,
            user_id=ana.principal.user_id,
            model=model,
            input_tokens=1000,
            output_tokens=20,
            cost_micros=micros,
            created_at=now(),
        )
        async with house.database.writing() as session:
            session.add(row)


class TestUsage:
    async def test_unknown_prices_are_shown_as_unknown(self, opening, screen, paid):
        made = screen()
        async with opening() as opened:
            await usage.show_usage(opened, made, "model", None, None, 50)
            await usage.show_usage(opened, made, "day", None, None, 50)
        lines = [line.split() for line in made.out.getvalue().splitlines()]

        assert ["=strange", "1", "1000", "0", "20", "unknown"] in lines
        assert ["small", "1", "1000", "0", "20", "1.50"] in lines
        assert [now().date().isoformat(), *["2", "2000", "0", "40", "1.50", "and", "1", "of", "2", "unknown"]] in lines

    async def test_the_export_is_the_servers(self, opening, screen, paid):
        made = screen()
        async with opening() as opened:
            await usage.write_csv(opened, made, None, None)

        assert "time,id,user_id" in made.out.getvalue()
        assert ",'=strange," in made.out.getvalue()

    async def test_a_refused_export_is_an_error_and_no_file(self, opening, screen):
        async with opening() as opened:
            with pytest.raises(ServerError):
                await usage.write_csv(opened, screen(), "no time", None)

    async def test_too_few_records_are_said(self, opening, screen, paid):
        made = screen()
        async with opening() as opened:
            await usage.show_suggestions(opened, made)

        assert "too few" in made.out.getvalue()


class TestBudgets:
    async def test_are_set_listed_and_removed(self, opening, screen, ana, paid):
        made = screen()
        async with opening() as opened:
            await usage.set_budget(opened, made, "day", 2_000_000, None, None)
            await usage.set_budget(opened, made, "month", None, 5_000, ana.principal.user_id)
            await usage.list_budgets(opened, made)
            budgets = await opened.get("/budgets")
            for one in budgets["items"]:
                await usage.remove_budget(opened, made, one["id"])
            left = await opened.get("/budgets")

        assert "0.50 of 2.00" in made.out.getvalue()
        assert "2960 of 5000" in made.out.getvalue()
        assert (budgets["total"], left["total"]) == (2, 0)
