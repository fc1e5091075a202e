"""`kill -9` around calls to a model under a budget: each answer is paid and learnt once, and nothing stays reserved."""

import json
from typing import Any

import pytest

from tests.doubles.openai_server import Answer, Script, serving
from tests.faults.conftest import Furnished
from tests.faults.ledger import Ledger, check_doors
from tests.faults.survivor import Survivor
from tests.journeys.person import Person, until
from tests.journeys.product import Product

pytestmark = [pytest.mark.journey, pytest.mark.server]
STORY = "Once upon a time there was a lighthouse in Oslo."
FACT = "The user lives in Oslo."
LEARNT = Answer(
    contains="known-facts", text=json.dumps({"facts": [FACT], "suggestions": ["Tell me more"]}), usage=(40, 9)
)
SUMMED = Answer(contains="said-since", text="They spoke about a lighthouse.", usage=(60, 8))
TOLD = Answer(text=STORY, usage=(30, 11))
# The point, whether the lost call's answer was paid by then, and how often the model was asked for the reply.
POINTS = [
    "think.before_model",
    "think.mid_stream",
    "think.before_commit",
    "think.committed",
    "aside.reserved",
    "aside.answered",
    "learn.before_commit",
    "learn.committed",
]
LONG = [f"{number}: " + "the lamp, the stairs, the sea. " * 100 for number in range(3)]


def settings(double_url: str, **more: str) -> dict[str, str]:
    """One model with a price. Memory is on, so that it learns, but has no embedder: each turn says that it skipped."""
    model = {"name": "teller", "base_url": double_url, "api_key": "none", "input_price": 1.0, "output_price": 2.0}
    return {
        "ASSENT_MODELS": json.dumps([model]),
        "ASSENT_MEMORY": "true",
        "ASSENT_EMBED_PYTHON": "/nowhere/python",
        **more,
    }


async def set_budget(person: Person) -> None:
    await person.post("/budgets", {"period": "month", "tokens": 10_000_000, "money_micros": 1_000_000_000})


async def learnt(person: Person, conversation_id: str) -> bool:
    """Whether the newest reply says what may be said next: learning is done then."""
    last = (await person.messages(conversation_id))[-1]
    return last["role"] == "assistant" and last["suggestions"] is not None


def check_sums(ledger: Ledger, budget: dict[str, Any], script: Script) -> None:
    """Assert that the budget holds what is settled, and that no call to the model is without its row."""
    rows = ledger.rows("SELECT * FROM usage WHERE model = 'teller'")
    settled = [row for row in rows if row["state"] == "settled"]
    assert budget["used_tokens"] == sum(row["input_tokens"] + row["output_tokens"] for row in settled)
    assert budget["used_micros"] == sum(row["input_tokens"] + 2 * row["output_tokens"] for row in settled)
    assert {row["state"] for row in rows} <= {"settled", "lapsed"}
    assert len(settled) <= script.ends.count("sent")
    assert len(script.requests) <= len(rows)


class TestKilledAt:
    @pytest.mark.parametrize("point", POINTS)
    async def test_the_answer_is_paid_once_and_learnt_once(
        self, product: Product, furnished: Furnished, ledger: Ledger, point: str
    ):
        async with serving(Script([LEARNT, SUMMED, TOLD])) as double:
            given = settings(double.base_url)
            await product.start(**given, ASSENT_FAULT_POINT=point)
            async with Person(product.url, furnished.token) as person:
                await set_budget(person)
                survivor = Survivor(product, person, **given)
                turn = await _tell(survivor, furnished.conversation_id, "I live in Oslo. Tell me a story.")
                await survivor.sees_it_die("learning")
                await survivor.does("learning", lambda: until(lambda: learnt(person, furnished.conversation_id)))
                await until(ledger.is_settled)
                await check_doors(person, furnished.conversation_id, ledger)
                told = await person.messages(furnished.conversation_id)
                facts = [one["text"] for one in (await person.get("/facts"))["items"]]
                budget = (await person.get("/budgets"))["items"][0]
            await product.kill()
        ledger.check()

        assert len(survivor.deaths) == 1
        assert turn["state"] == "finished"
        assert (told[-1]["text"], told[-1]["suggestions"]) == (STORY, ["Tell me more"])
        assert facts == [FACT]
        assert [one["state"] for one in ledger.rows("SELECT state FROM recalls WHERE turn_id = ?", turn["id"])] == [
            "skipped"
        ]
        check_sums(ledger, budget, double.script)

    @pytest.mark.parametrize("point", ["summarise.before_commit", "summarise.committed"])
    async def test_a_summary_is_written_once(self, product: Product, furnished: Furnished, ledger: Ledger, point: str):
        async with serving(Script([LEARNT, SUMMED, TOLD])) as double:
            given = settings(double.base_url, ASSENT_CONTEXT_TOKENS="4000")
            await product.start(**given, ASSENT_FAULT_POINT=point)
            async with Person(product.url, furnished.token) as person:
                await set_budget(person)
                survivor = Survivor(product, person, **given)
                for text in LONG:
                    await _tell(survivor, furnished.conversation_id, text)
                await survivor.sees_it_die("summing up")

                async def summed() -> bool:
                    return ledger.count("summaries") > 0

                await until(summed)
                await until(lambda: learnt(person, furnished.conversation_id))
                await until(ledger.is_settled)
                await check_doors(person, furnished.conversation_id, ledger)
                budget = (await person.get("/budgets"))["items"][0]
            await product.kill()
        ledger.check()

        assert {one["text"] for one in ledger.rows("SELECT text FROM summaries")} == {SUMMED.text}
        check_sums(ledger, budget, double.script)


class TestFallenBack:
    async def test_killed_after_the_first_model_failed_the_second_answers_and_is_paid_once(
        self, product: Product, furnished: Furnished, ledger: Ledger
    ):
        async with serving(Script([Answer(status=500)])) as broken, serving(Script([LEARNT, TOLD])) as double:
            first = {"name": "broken", "base_url": broken.base_url, "input_price": 1.0, "output_price": 2.0}
            given = settings(double.base_url)
            given["ASSENT_MODELS"] = json.dumps([first, *json.loads(given["ASSENT_MODELS"])])
            await product.start(**given, ASSENT_FAULT_POINT="think.fell_back")
            async with Person(product.url, furnished.token) as person:
                await set_budget(person)
                survivor = Survivor(product, person, **given)
                turn = await _tell(survivor, furnished.conversation_id, "I live in Oslo. Tell me a story.")
                await survivor.does("learning", lambda: until(lambda: learnt(person, furnished.conversation_id)))
                await until(ledger.is_settled)
                await check_doors(person, furnished.conversation_id, ledger)
                budget = (await person.get("/budgets"))["items"][0]
            await product.kill()
        ledger.check()
        rows = ledger.rows(
            "SELECT model, state FROM usage WHERE turn_id = ? AND purpose = 'reply' ORDER BY id", turn["id"]
        )

        assert turn["state"] == "finished"
        assert [row for row in rows if row["state"] == "settled"] == [{"model": "teller", "state": "settled"}]
        assert {row["state"] for row in rows if row["model"] == "broken"} == {"released"}
        check_sums(ledger, budget, double.script)


async def _tell(survivor: Survivor, conversation_id: str, text: str) -> dict[str, Any]:
    """Say it, again after each death, and give the turn at its end."""
    person = survivor.person

    async def send() -> str:
        return str((await person.say(conversation_id, text, client_id=f"tell-{text[:1]}"))["turn_id"])

    turn_id = await survivor.does("sending", send)
    turn: dict[str, Any] = await survivor.does("waiting for the end", lambda: person.ended(turn_id))
    assert await survivor.does("waiting for the end", send) == turn_id
    return turn
