"""`kill -9` at each point around a server's question and its answer: it is asked once, and booked once at most."""

from typing import Any

import pytest

from tests.doubles.mcp_server import Script, serving
from tests.faults.conftest import Furnished
from tests.faults.ledger import Ledger
from tests.faults.survivor import Survivor
from tests.journeys.person import Person, until
from tests.journeys.product import Product

pytestmark = [pytest.mark.journey, pytest.mark.server]
WHEN = {"date": "2026-12-24", "seats": 3}
# The point, whether what happened is known, and how often the table may have been booked by then.
POINTS = [
    ("act.intended", "unknown", 0),
    ("act.asked", "done", 1),
    ("approval.opened:2", "done", 1),
    ("decision.received:2", "done", 1),
    ("approval.revised", "done", 1),
    ("approval.closed:2", "done", 1),
    ("act.before_gate:2", "done", 1),
    ("act.intended:2", "unknown", 0),
    ("act.executed", "unknown", 1),
    ("act.recorded", "done", 1),
]


class TestKilledAt:
    @pytest.mark.parametrize(("point", "state", "booked"), POINTS)
    async def test_nothing_is_asked_or_booked_twice(
        self, product: Product, furnished: Furnished, ledger: Ledger, point: str, state: str, booked: int
    ):
        script = Script()
        async with serving(script) as address:
            allowed = {"ASSENT_PRIVATE_HOSTS": address}
            await product.start(**allowed)
            async with Person(product.url, furnished.token) as person:
                await import_desk(person, address)
                await product.kill()
                await product.start(ASSENT_FAULT_POINT=point, **allowed)
                person.move(product.url)
                survivor = Survivor(product, person, **allowed)
                call = await book(survivor, furnished.conversation_id)
                await until(ledger.is_settled)
            await product.kill()
        ledger.check()

        assert len(survivor.deaths) == 1
        assert (call["state"], len(script.done)) == (state, booked)
        assert ledger.count("call_questions") == (0 if point == "act.intended" else 1)


async def import_desk(person: Person, address: str) -> None:
    found = await person.post("/connectors/imported", {"kind": "mcp", "name": "desk", "url": f"http://{address}/mcp"})
    client: Any = person.http
    review = {"digest": found["digest"], "enable": ["book"], "risks": {"book": "write"}}
    (await client.put(f"/connectors/imported/{found['id']}/actions", json=review)).raise_for_status()


async def book(survivor: Survivor, conversation_id: str) -> dict[str, Any]:
    """Ask for a table, consent, answer what the server asks, wait for the end; gives the call."""
    person = survivor.person
    text = "use the tool book with place Roma"
    sent = await survivor.does("say", lambda: person.say(conversation_id, text, client_id="one"))
    turn_id = sent["turn_id"]
    consent = await survivor.does("ask", lambda: waiting(person, "turn"))
    await survivor.does("consent", lambda: decide(person, consent, "yes-1", None))
    question = await survivor.does("question", lambda: until_question(person, turn_id))
    if question is not None:
        await survivor.does("answer", lambda: decide(person, question, "yes-2", WHEN))
    await survivor.does("end", lambda: person.ended(turn_id))
    calls = (await survivor.does("look", lambda: person.get(f"/turns/{turn_id}/calls")))["items"]
    (call,) = calls
    return dict(call)


async def waiting(person: Person, origin: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        return next((one for one in await person.pending() if one["origin"] == origin), None)

    return dict(await until(look))


async def until_question(person: Person, turn_id: str) -> dict[str, Any] | None:
    """Wait for what the server asks; None when the turn ended without."""

    async def look() -> Any:
        asked = next((one for one in await person.pending() if one["origin"] == "question"), None)
        return asked or ((await person.turn(turn_id))["state"] in {"finished", "failed"} and "over")

    found = await until(look)
    return None if found == "over" else found


async def decide(person: Person, approval: dict[str, Any], decision_id: str, arguments: dict[str, Any] | None) -> None:
    body = {"verdict": "approve", "digest": approval["digest"], "decision_id": decision_id}
    more = {"arguments": arguments} if arguments is not None else {}
    answer = await person.http.post(f"/approvals/{approval['id']}/decision", json=body | more)
    assert answer.status_code in {200, 202, 409}, answer.text
