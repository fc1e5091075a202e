"""A model's server killed in mid-sentence, under a budget: another model answers, and one answer is paid once."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.doubles.openai_server import Answer
from tests.faults.conftest import Furnished
from tests.faults.ledger import Ledger, check_doors
from tests.journeys.person import Listener, Person, until
from tests.journeys.product import ROOT, Product, environment

pytestmark = [pytest.mark.journey, pytest.mark.server]
SLOW = Answer(text="This story is never told to its end, because its teller is lost. " * 3, delay_seconds=0.2)
SPARE = Answer(text="Once upon a time there was a lighthouse.", usage=(30, 11))


@dataclass
class Server:
    """A model's server as a process, with a ledger of what it was asked and how each stream ended."""

    folder: Path
    name: str
    answer: Answer
    port: int = 0
    url: str = ""
    process: Process | None = field(default=None)

    async def start(self) -> None:
        script = self.folder / f"{self.name}.json"
        script.write_text(json.dumps([self.answer.model_dump(mode="json")]), "utf-8")
        ledger = self.folder / f"{self.name}.ledger"
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.doubles.openai_server", "--script", str(script)),
            *("--ledger", str(ledger), "--port", str(self.port)),
            cwd=ROOT,
            env=environment(),
            stdout=PIPE,
        )
        assert self.process.stdout is not None
        self.url = (await self.process.stdout.readline()).decode().strip()
        self.port = int(self.url.removesuffix("/v1").rpartition(":")[2])

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def events(self) -> list[str]:
        found = self.folder / f"{self.name}.ledger"
        lines = found.read_text("utf-8").splitlines() if found.exists() else []
        return [json.loads(line)["event"] for line in lines]

    def entry(self) -> dict[str, Any]:
        return {"name": self.name, "base_url": self.url, "api_key": "none", "input_price": 1.0, "output_price": 2.0}


@pytest_asyncio.fixture(loop_scope="session")
async def servers(tmp_path: Path) -> AsyncIterator[tuple[Server, Server]]:
    """One that tells slowly, and a spare one."""
    both = Server(tmp_path, "slow", SLOW), Server(tmp_path, "spare", SPARE)
    try:
        for one in both:
            await one.start()
        yield both
    finally:
        for one in both:
            await one.kill()


class TestKilled:
    async def test_in_mid_sentence_another_model_answers_and_is_paid_once(
        self, product: Product, furnished: Furnished, ledger: Ledger, servers: tuple[Server, Server]
    ):
        slow, spare = servers
        await product.start(ASSENT_MODELS=json.dumps([slow.entry(), spare.entry()]))
        async with Person(product.url, furnished.token) as person:
            await person.post("/budgets", {"period": "day", "tokens": 1_000_000, "money_micros": 100_000_000})
            async with Listener(person, furnished.conversation_id) as heard:
                said = await person.say(furnished.conversation_id, "tell me a story")
                await heard.until(lambda it: len(it.deltas) > 1)
                await slow.kill()
                turn = await person.ended(said["turn_id"])
                await heard.until(lambda it: "turn.finished" in it.types())
            second = await person.reply(furnished.conversation_id, "tell me another one")
            told = await person.messages(furnished.conversation_id)
            budget = (await person.get("/budgets"))["items"][0]
            await until(ledger.is_settled)
            await check_doors(person, furnished.conversation_id, ledger)
        await product.kill()
        ledger.check()
        rows = ledger.rows("SELECT * FROM usage WHERE model IN ('slow', 'spare')")
        settled = [
            (row["model"], row["input_tokens"], row["output_tokens"]) for row in rows if row["state"] == "settled"
        ]

        assert (turn["state"], turn["attempt"]) == ("finished", 2)
        assert [told[-3]["text"], told[-1]["text"], second] == [SPARE.text] * 3
        assert heard.types().count("turn.restarted") == 1
        assert settled == [("spare", 30, 11)] * spare.events().count("sent") == [("spare", 30, 11)] * 2
        assert {row["state"] for row in rows if row["model"] == "slow"} == {"released"}
        assert (budget["used_tokens"], budget["used_micros"]) == (82, 104)

    async def test_alone_and_started_again_it_answers_after_all(
        self, product: Product, furnished: Furnished, ledger: Ledger, servers: tuple[Server, Server]
    ):
        slow = servers[0]
        await product.start(ASSENT_MODELS=json.dumps([slow.entry()]))
        async with Person(product.url, furnished.token) as person:
            await person.post("/budgets", {"period": "day", "tokens": 1_000_000, "money_micros": 100_000_000})
            async with Listener(person, furnished.conversation_id) as heard:
                said = await person.say(furnished.conversation_id, "tell me a story")
                await heard.until(lambda it: len(it.deltas) > 1)
                await slow.kill()
                await heard.until(lambda it: "turn.restarted" in it.types())
            slow.answer = SPARE
            await slow.start()
            turn = await person.ended(said["turn_id"])
            told = await person.messages(furnished.conversation_id)
            await until(ledger.is_settled)
            await check_doors(person, furnished.conversation_id, ledger)
        await product.kill()
        ledger.check()
        states = [row["state"] for row in ledger.rows("SELECT state FROM usage WHERE model = 'slow' ORDER BY id")]

        assert (turn["state"], told[-1]["text"]) == ("finished", SPARE.text)
        assert (states[-1], set(states[:-1])) == ("settled", {"released"})
        assert slow.events().count("sent") == 1
