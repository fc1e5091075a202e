"""`kill -9` of the worker that sends, around the sending: a counting mail server gets each message once at most.

`ASSENT_KILLS` says how often (8 when not said); the table goes to mail-once.txt in pytest's temporary folder.
"""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.doubles.smtp_server import SmtpDouble, smtp_server
from tests.faults.apart import Apart
from tests.faults.conftest import Furnished
from tests.faults.ledger import Ledger
from tests.journeys.person import Person, until
from tests.journeys.product import Product

pytestmark = [pytest.mark.journey, pytest.mark.server]
KILLS = int(os.environ.get("ASSENT_KILLS", "8"))
# Where the worker is when it dies: the decision was sent, or the mail server has just written down that it was told.
STAGES = ("decided", "ehlo", "mail", "rcpt", "data", "queued", "answered")
OTHERS = "turns,steps,models,memory,index"
PAUSE = 0.12


@dataclass(frozen=True)
class Attempt:
    """One message: where the worker died, what the product says became of it, how often the server has it."""

    stage: str
    state: str
    arrived: int


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmtpDouble]:
    with smtp_server(tmp_path_factory.mktemp("counting")) as running:
        running.be("slow")
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def sending(apart: Apart, mail: SmtpDouble, tmp_path: Path) -> AsyncIterator["Sending"]:
    """The api, a worker for everything but actions, and one for actions, which will not live long."""
    smtp = {"host": "127.0.0.1", "port": mail.port, "tls": "none", "from_address": "desk@home.example"}
    settings = {"ASSENT_SMTP": json.dumps(smtp)}
    await apart.open(f"--queues={OTHERS}", **settings)
    yield Sending(apart, mail)


class Sending:
    """Sends messages through a product whose hands die."""

    def __init__(self, apart: Apart, mail: SmtpDouble) -> None:
        self._apart = apart
        self._mail = mail
        self._hands: Product | None = None

    async def attempt(self, person: Person, conversation_id: str, number: int) -> Attempt:
        """Ask, consent, kill at this attempt's stage, start again, wait for the end."""
        stage = STAGES[number % len(STAGES)]
        if self._hands is None or not self._hands.runs:
            self._hands = await self._apart.add_worker("--queues=actions")
        text = f"send an email to ana@example.com about number {number} saying Hello{number}"
        turn_id = (await person.say(conversation_id, text))["turn_id"]
        approval = await person.asked()
        seen = len(self._mail.lines)
        deciding = asyncio.create_task(person.decide(approval, decision_id=f"yes-{number}"))
        await self._reached(stage, seen)
        await self._hands.kill()
        self._hands = await self._apart.add_worker("--queues=actions")
        assert (await deciding).status_code in {200, 202}
        await person.ended(turn_id)
        (call,) = [
            one for one in (await person.get(f"/turns/{turn_id}/calls"))["items"] if one["action"] == "email.send"
        ]
        return Attempt(stage, call["state"], self.arrived(number))

    def arrived(self, number: int) -> int:
        return sum(f"Hello{number}\r\n" in one["raw"] for one in self._mail.queued)

    async def _reached(self, stage: str, seen: int) -> None:
        told = {"answered": "queued", "decided": ""}.get(stage, stage)

        async def is_there() -> bool:
            return not told or any(line["stage"] == told for line in self._mail.lines[seen:])

        await until(is_there)
        if stage == "answered":
            await asyncio.sleep(PAUSE)
        await asyncio.sleep(random.uniform(0, PAUSE * 0.9))


class TestMail:
    async def test_a_message_arrives_once_at_most_and_doubt_is_said(
        self, sending: Sending, apart: Apart, furnished: Furnished, ledger: Ledger, tmp_path_factory: Any
    ):
        async with Person(apart.api.url, furnished.token) as person:
            conversation_id = await person.conversation()
            attempts = [await sending.attempt(person, conversation_id, number) for number in range(KILLS)]
            await until(ledger.is_settled)
            audit = await person.get("/audit/verify")
        again = [sending.arrived(number) for number in range(KILLS)]
        rows = [f"{one.stage:<9} {one.state:<8} arrived {one.arrived}" for one in attempts]
        (tmp_path_factory.getbasetemp() / "mail-once.txt").write_text("\n".join([*rows, ""]), "utf-8")

        assert audit["intact"] is True
        assert [one for one in attempts if one.arrived > 1] == []
        assert again == [one.arrived for one in attempts], "something was sent later"
        assert {one.arrived for one in attempts if one.state == "done"} <= {1}
        assert {one.state for one in attempts} <= {"done", "unknown"}
        assert all(one.state == "unknown" for one in attempts if not one.arrived)
        assert any(one.state == "unknown" and one.arrived for one in attempts)
