"""Usage and budgets through the doors: added up, exported, bounded, and who sees whose."""

import csv
import io
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from core.clock import now
from core.ids import new_id
from core.permissions import Role
from core.store.spending import Group
from core.tables.cost import Usage
from core.tables.work import Turn
from tests.api.rest.house import House, Person

Pay = Callable[..., Awaitable[None]]


def payments(house: House) -> Pay:
    """Write settled calls of somebody."""

    async def write(who: Person, **more: Any) -> None:
        known: dict[str, Any] = {
            "model": "small",
            "input_tokens": 100,
            "output_tokens": 10,
            "cost_micros": 1_000,
            "round": 0,
        }
        row = Usage(
            id=new_id("use"),
            workspace_id=who.principal.workspace_id,
            user_id=who.principal.user_id,
            **({"created_at": now()} | known | more),
        )
        async with house.database.writing() as session:
            session.add(row)

    return write


@pytest.fixture
def pay(house: House) -> Pay:
    return payments(house)


async def groups(who: Person, group: str, **query: Any) -> dict[str, Any]:
    answer = await who.ask("GET", "/usage", params={"group": group, **query})
    assert answer.status_code == 200, answer.text
    return {one["key"]: one["totals"] for one in answer.json()["items"]}


class TestUsage:
    @pytest.mark.parametrize("group", list(Group))
    async def test_is_added_up_by_each_group(self, ana, pay, turn_id, house, group):
        await pay(ana, turn_id=turn_id)
        await pay(ana, turn_id=turn_id, round=1, cached_tokens=50, cost_micros=None)
        async with house.database.reading() as session:
            turn = await session.get_one(Turn, turn_id)
        keys = {
            "message": turn.message_id,
            "turn": turn_id,
            "user": ana.principal.user_id,
            "model": "small",
            "day": now().date().isoformat(),
            "purpose": "reply",
        }

        totals = {
            "calls": 2, "input_tokens": 200, "output_tokens": 20, "cached_tokens": 50, "cost_micros": 1000,
            "unpriced": 1, "estimated": 0, "estimated_tokens": 0,
        }  # fmt: skip
        assert await groups(ana, group) == {keys[group]: totals}

    async def test_an_owner_sees_the_workspace_and_a_member_what_is_own(self, ana, bo, eve, pay):
        for who, model in ((ana, "of-ana"), (bo, "of-bo"), (eve, "of-eve")):
            await pay(who, model=model)

        assert set(await groups(ana, "model")) == {"of-ana", "of-bo"}
        assert set(await groups(bo, "model")) == {"of-bo"}
        assert set(await groups(eve, "model")) == {"of-eve"}
        export = (await bo.ask("GET", "/usage.csv")).text
        assert [name in export for name in ("of-ana", "of-bo", "of-eve")] == [False, True, False]

    async def test_pages_go_on_where_the_one_before_ended(self, ana, pay):
        for number in range(5):
            await pay(ana, model=f"m{number}")
            await pay(ana, purpose="facts", created_at=now() - timedelta(days=number))
        for group, expected in (("model", 6), ("day", 5)):
            seen, cursor = [], None
            while True:
                query = {"group": group, "limit": 2} | ({"cursor": cursor} if cursor else {})
                page = (await ana.ask("GET", "/usage", params=query)).json()
                seen += [one["key"] for one in page["items"]]
                cursor = page["next"]
                if cursor is None:
                    break

            assert len(seen) == page["total"] == expected
            assert seen == sorted(seen, reverse=group == "day")

    async def test_a_span_has_its_beginning_and_not_its_end(self, ana, pay):
        at = now() - timedelta(days=3)
        await pay(ana, created_at=at, model="then")
        await pay(ana, model="now", created_at=now() - timedelta(minutes=1))

        assert set(await groups(ana, "model", **{"from": at.isoformat(), "to": now().isoformat()})) == {"then", "now"}
        assert set(await groups(ana, "model", to=at.isoformat())) == set()
        assert set(await groups(ana, "model", **{"from": (at + timedelta(seconds=1)).isoformat()})) == {"now"}
        assert (await ana.ask("GET", "/usage", params={"from": "2026-01-01T00:00:00"})).status_code == 422

    async def test_the_export_has_every_call_and_no_formula(self, ana, pay, monkeypatch):
        monkeypatch.setattr("core.store.spending._PAGE", 2)
        names = ['=HYPERLINK("http://x")', "+1", "-1", "@x", "\tx", "plain"]
        began = now() - timedelta(seconds=len(names))
        for second, name in enumerate(names):
            at = began + timedelta(seconds=second)
            await pay(ana, model=name, created_at=at, cost_micros=None if name == "plain" else 1_500_000)
        answer = await ana.ask("GET", "/usage.csv")
        rows = list(csv.DictReader(io.StringIO(answer.text)))

        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert [row["model"] for row in rows] == [f"'{name}" for name in names[:-1]] + ["plain"]
        assert [row["cost_usd"] for row in rows] == ["1.50"] * 5 + ["unknown"]

    async def test_only_what_is_settled_is_shown(self, ana, pay):
        for state in ("reserved", "released", "lapsed"):
            await pay(ana, state=state)

        assert await groups(ana, "model") == {}


class TestSummary:
    async def test_shows_today_this_month_and_what_budgets_leave(self, ana, bo, pay):
        await ana.ask("POST", "/budgets", json={"period": "day", "money_micros": 5_000})
        await pay(ana)
        await pay(bo)
        owners, members = [(await who.ask("GET", "/usage/summary")).json() for who in (ana, bo)]

        assert owners["workspace_today"]["totals"]["cost_micros"] == 2_000
        assert owners["mine_this_month"]["totals"]["calls"] == 1
        assert members["workspace_today"] is None
        assert [one["left_micros"] for one in members["budgets"]] == [3_000]


class TestSuggestions:
    async def answer(self, house: House, who: Person, pay: Pay, conversation_id: str, model: str, **more: Any) -> None:
        body = {"text": "Hello", "client_message_id": new_id("cli")}
        said = await who.ask("POST", f"/conversations/{conversation_id}/messages", json=body)
        turn_id = said.json()["turn_id"]
        state = more.pop("turn_state", "finished")
        async with house.database.writing() as session:
            (await session.get_one(Turn, turn_id)).state = state
        await pay(who, turn_id=turn_id, model=model, complexity="low", **more)

    async def test_a_cheaper_model_is_named_with_all_its_numbers(self, shared, pay_shared):
        ana = await shared.person(await shared.workspace(), Role.OWNER)
        conversation_id = (await ana.ask("POST", "/conversations", json={})).json()["id"]
        for number in range(20):
            state = "stopped" if number == 0 else "finished"
            await self.answer(shared, ana, pay_shared, conversation_id, "strong", cost_micros=10_000, turn_state=state)
            if number < 19:
                await self.answer(shared, ana, pay_shared, conversation_id, "small", cost_micros=500)
        assert [one["kind"] for one in (await self.ask(ana))] == ["much_input"]

        await self.answer(shared, ana, pay_shared, conversation_id, "small", cost_micros=500)
        cheaper = (await self.ask(ana))[0]

        assert (cheaper["kind"], cheaper["saving_micros"]) == ("cheaper_model", 190_000)
        assert cheaper["figures"]["dear"] == {
            "complexity": "low", "model": "strong", "turns": 20, "redone": 1, "tokens": 2200, "micros": 200_000,
        }  # fmt: skip
        assert "would have cost 0.01 US dollars" in cheaper["text"]

    async def ask(self, who: Person) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await who.ask("GET", "/usage/suggestions")).json()["items"]
        return items

    @pytest.fixture
    def pay_shared(self, shared: House) -> Pay:
        return payments(shared)

    async def test_few_records_say_nothing(self, ana, pay):
        await pay(ana)

        assert await self.ask(ana) == []


class TestRules:
    async def test_a_name_that_no_model_has_is_refused(self, ana):
        answer = await ana.ask("POST", "/model-rules", json={"allowed": ["gpt-9"]})

        assert answer.status_code == 422
        assert "gpt-9" in answer.json()["detail"]

    async def test_removed_is_gone(self, ana):
        made = (await ana.ask("POST", "/model-rules", json={"allowed": []})).json()
        again = (await ana.ask("POST", "/model-rules", json={"allowed": []})).json()

        assert made == again
        assert (await ana.ask("DELETE", f"/model-rules/{made['id']}")).status_code == 204
        assert (await ana.ask("GET", "/model-rules")).json()["items"] == []
        assert (await ana.ask("DELETE", f"/model-rules/{made['id']}")).status_code == 404
