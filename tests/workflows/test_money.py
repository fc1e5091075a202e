"""What turns cost: reserved where a budget applies, settled with the provider's figures, once for each answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import event

from core.clock import now
from core.store import budgets, model_rules
from core.store.work import change
from core.tables.cost import Usage
from core.tables.talk import Message
from core.tables.work import Turn
from core.values import TurnState
from tests.doubles.openai_server import Answer, Script, serving
from tests.workflows.script import call
from tests.workflows.stage import Stage, open_stage
from tests.world import eventually

pytestmark = pytest.mark.server

PRICES = {"input_price": 1.0, "output_price": 2.0}
CALL = 11 + 2 * 7
"""What one answer of the double costs: 11 tokens in at 1 and 7 out at 2 US dollars a million."""


@pytest.fixture
async def priced(tmp_path, sqlite_database, client, ring):
    """Set a stage where each script is one model with a price: first, second."""
    async with AsyncExitStack() as keep:

        @asynccontextmanager
        async def set_stage(*scripts: Script, **more: Any) -> AsyncIterator[Stage]:
            doubles = [await keep.enter_async_context(serving(script)) for script in scripts]
            entries = [
                {"name": name, "base_url": double.base_url, "api_key": "k", "max_output_tokens": 100} | PRICES | more
                for name, double in zip(("first", "second"), doubles, strict=False)
            ]
            async with open_stage(tmp_path, sqlite_database, client, ring, models=entries) as stage, stage.working():
                yield stage

        yield set_stage


async def bound(stage: Stage, **most: int | None) -> None:
    async with change(stage.database, stage.rooms) as work:
        known: dict[str, Any] = {"user_id": None, "period": "day", "money_micros": None, "tokens": None}
        await budgets.put(work, stage.audit, stage.ana, **(known | most))


async def rows(stage: Stage, turn_id: str) -> list[Usage]:
    found = await stage.all(Usage, Usage.turn_id == turn_id, Usage.purpose == "reply")
    return sorted(found, key=lambda row: row.id)


async def spent(stage: Stage, turn: Turn) -> dict[str, Any]:
    """What the reply shows of its usage."""
    reply = (await stage.all(Message, Message.turn_id == turn.id, Message.role == "assistant"))[0]
    assert reply.usage is not None
    return reply.usage


async def answered(stage: Stage, text: str = "hi") -> Turn:
    return await stage.ended((await stage.send(text)).turn_id)


class TestPlainTurn:
    async def test_reserves_nothing_and_asks_nothing_about_budgets(self, stage: Stage):
        await answered(stage, "first")
        said: list[str] = []
        for engine in {id(one): one for one in (stage.database._reader, stage.database._writer)}.values():
            event.listen(engine.sync_engine, "before_cursor_execute", lambda *given: said.append(given[2]))

        turn = await answered(stage)

        asked = [one for one in said if "budgets" in one or "model_rules" in one]
        assert [one for one in asked if "FROM turns" not in one] == []
        assert [row.state for row in await rows(stage, turn.id)] == ["settled"]


class TestMoney:
    async def test_an_answer_shows_what_it_cost(self, priced):
        async with priced(Script([Answer(text="hello")])) as stage:
            turn = await answered(stage)
            (paid,) = await rows(stage, turn.id)

            assert (paid.state, paid.cost_micros, paid.provider) == ("settled", CALL, "openai-compatible")
            assert (await spent(stage, turn))["cost_micros"] == CALL

    async def test_a_turn_of_several_rounds_shows_their_sum(self, stage: Stage):
        sent = await stage.send("go", [call("read")], ["Done."])
        turn = await stage.ended(sent.turn_id)
        whole = await spent(stage, turn)

        assert (whole["input_tokens"], whole["output_tokens"], whole["calls"]) == (6, 4, 2)
        assert whole["cost_micros"] is None

    async def test_without_the_providers_figures_it_is_estimated_and_says_so(self, priced):
        async with priced(Script([Answer(text="x" * 400, usage=None)])) as stage:
            turn = await answered(stage)
            (paid,) = await rows(stage, turn.id)

            assert (paid.estimated, paid.input_tokens) == (True, None)
            assert paid.reserved_tokens > 100
            assert paid.cost_micros is not None
            assert paid.cost_micros > 200


class TestBudgets:
    async def test_a_call_is_reserved_and_then_settled(self, priced):
        script = Script([Answer(text="hello")])
        async with priced(script) as stage:
            await bound(stage, money_micros=1_000_000)
            turn = await answered(stage)
            (paid,) = await rows(stage, turn.id)

            assert (turn.state, paid.state, paid.cost_micros) == (TurnState.FINISHED, "settled", CALL)
            assert (paid.reserved_micros or 0) > CALL
            assert script.requests[0]["max_tokens"] == 100

    async def test_one_that_is_used_up_sends_nothing_and_keeps_the_message(self, priced):
        script = Script([Answer(text="hello")])
        async with priced(script) as stage:
            await bound(stage, money_micros=10)
            turn = await answered(stage)

            assert (turn.state, turn.error_code) == (TurnState.FAILED, "budget_exhausted")
            assert "US dollars are left" in (turn.error_detail or "")
            assert script.requests == []
            assert (await stage.get(Message, turn.message_id)).text == "hi"
            assert await rows(stage, turn.id) == []

    async def test_of_money_refuses_a_model_whose_price_nobody_knows(self, priced):
        script = Script([Answer(text="hello")])
        async with priced(script, input_price=None) as stage:
            await bound(stage, money_micros=10**9)
            turn = await answered(stage)

            assert (turn.state, turn.error_code, script.requests) == (TurnState.FAILED, "price_unknown", [])

    async def test_a_failed_call_is_given_back_and_the_next_attempt_is_paid_once(self, priced):
        async with priced(Script([Answer(status=529), Answer(text="hello")])) as stage:
            await bound(stage, tokens=100_000)
            turn = await answered(stage)
            paid = await rows(stage, turn.id)

            assert [row.state for row in paid] == ["released", "settled"]
            assert paid[1].attempt > 1
            assert await stage.reply(turn.id) == "hello"

    async def test_another_model_that_answers_instead_is_paid_alone(self, priced):
        async with priced(Script([Answer(status=401)]), Script([Answer(text="hello")])) as stage:
            await bound(stage, money_micros=1_000_000)
            turn = await answered(stage)
            paid = await rows(stage, turn.id)

            assert [(row.state, row.cost_micros) for row in paid] == [("released", None), ("settled", CALL)]

    async def test_a_model_that_loops_is_stopped_by_it(self, priced):
        read = {"name": "note__read", "arguments": {"text": "x"}}
        script = Script([Answer(calls=(read,), usage=(1000, 500))])
        async with priced(script) as stage:
            await bound(stage, tokens=6000)
            turn = await answered(stage)
            used = sum((row.input_tokens or 0) + (row.output_tokens or 0) for row in await rows(stage, turn.id))

            assert (turn.state, turn.error_code) == (TurnState.FAILED, "budget_exhausted")
            assert len(script.requests) == used / 1500
            assert 0 < used <= 6000

    async def test_what_was_said_until_a_stop_is_paid_by_our_count(self, stage: Stage):
        await bound(stage, tokens=100_000)
        sent = await stage.send("hi", ["Well", asyncio.Event()])
        await asyncio.wait_for(stage.model.speaking.wait(), 20)
        await stage.intake.stop_turn(stage.ana, sent.turn_id)
        await stage.ended(sent.turn_id)

        async def paid() -> bool:
            return [row.state for row in await rows(stage, sent.turn_id)] == ["settled"]

        await eventually(paid)
        (row,) = await rows(stage, sent.turn_id)
        assert (row.estimated, row.output_tokens) == (True, None)
        assert 0 < row.reserved_tokens < 4096


class TestRules:
    async def test_only_an_allowed_model_is_asked(self, priced):
        scripts = Script([Answer(text="one")]), Script([Answer(text="two")])
        async with priced(*scripts) as stage:
            async with change(stage.database, stage.rooms) as work:
                await model_rules.put(work, stage.audit, stage.ana, user_id=None, allowed=["second"])
            turn = await answered(stage)

            assert await stage.reply(turn.id) == "two"
            assert scripts[0].requests == []

    async def test_nobody_allowed_is_a_clear_refusal(self, priced):
        script = Script([Answer(text="one")])
        async with priced(script) as stage:
            async with change(stage.database, stage.rooms) as work:
                await model_rules.put(work, stage.audit, stage.ana, user_id=stage.ana.user_id, allowed=[])
            turn = await answered(stage)

            assert (turn.state, turn.error_code, script.requests) == (TurnState.FAILED, "no_model_fits", [])


class TestAnUnusableAnswer:
    async def test_counts_against_the_budget_and_not_as_the_answer(self, priced):
        async with priced(Script([Answer(text="")]), Script([Answer(text="Hello")])) as stage:
            await bound(stage, tokens=100_000)

            turn = await answered(stage)

            assert turn.state == TurnState.FINISHED
            assert [row.state for row in await rows(stage, turn.id)] == ["released", "settled"]
            beside = await stage.all(Usage, Usage.turn_id == turn.id, Usage.purpose == "unusable answer")
            assert [(row.state, row.model, row.input_tokens, row.output_tokens, row.cost_micros) for row in beside] == [
                ("settled", "first", 11, 7, CALL)
            ]
            async with stage.database.reading() as session:
                used = await budgets.spent(session, stage.ana.workspace_id, None, budgets.begins_at("day", now()))
            assert budgets.Spent(tokens=2 * (11 + 7), micros=2 * CALL) == used


class TestPriceUnknown:
    async def test_a_model_of_known_price_answers_instead(self, tmp_path, sqlite_database, client, ring):
        async with serving(Script([Answer(text="Mine.")])) as free, serving(Script([Answer(text="Yours.")])) as dear:
            entries: list[dict[str, Any]] = [
                {"name": "unlisted", "base_url": free.base_url, "api_key": "k"},
                {"name": "listed", "base_url": dear.base_url, "api_key": "k"} | PRICES,
            ]
            async with open_stage(tmp_path, sqlite_database, client, ring, models=entries) as stage, stage.working():
                await bound(stage, money_micros=1_000_000)
                sent = await stage.send("go")
                await stage.ended(sent.turn_id)

                assert await stage.reply(sent.turn_id) == "Yours."
                assert free.script.requests == []
