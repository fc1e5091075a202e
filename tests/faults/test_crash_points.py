"""`kill -9` at each named point of a turn with consent: nothing acknowledged is lost, nothing is executed twice."""

import time
from collections.abc import Iterator

import pytest

from tests.faults.conftest import Furnished
from tests.faults.ledger import Ledger, check_doors
from tests.faults.survivor import Survivor
from tests.journeys.person import Person, until
from tests.journeys.product import Product

pytestmark = [pytest.mark.journey, pytest.mark.server]

SENDING, ASKED, DECIDING, ENDING = "sending", "waiting for the request", "deciding", "waiting for the end"
# The point, and the step during which the person sees the server die. The assistant lists the tasks first, in a round
# of its own; so the second pass of a point is about the deletion, and the third round gives the answer.
POINTS = [
    ("intake.committed", SENDING),
    ("think.before_model", ASKED),
    ("think.before_commit", ASKED),
    ("think.proposed", ASKED),
    ("act.intended", ASKED),
    ("think.proposed:2", ASKED),
    ("approval.opened", ASKED),
    ("decision.received", DECIDING),
    ("approval.closed", DECIDING),
    ("act.before_gate:2", ENDING),
    ("act.intended:2", ENDING),
    ("act.executed:2", ENDING),
    ("act.recorded:2", ENDING),
    ("think.before_model:3", ENDING),
    ("think.mid_stream", ENDING),
    ("think.before_commit:3", ENDING),
    ("think.committed", ENDING),
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """What was seen at each point; written to crash-points.txt in pytest's temporary folder."""
    rows: list[str] = []
    yield rows
    (tmp_path_factory.getbasetemp() / "crash-points.txt").write_text("\n".join([*rows, ""]), "utf-8")


SOON = {"act.before_gate:2", "act.intended:2"}


class TestKilledAt:
    @pytest.mark.parametrize(("point", "step"), POINTS)
    async def test_nothing_is_lost_and_nothing_happens_twice(
        self, product: Product, furnished: Furnished, ledger: Ledger, table: list[str], point: str, step: str
    ):
        await product.start(ASSENT_FAULT_POINT=point)
        async with Person(product.url, furnished.token) as person:
            survivor = Survivor(product, person)
            turn_id, seconds = await _delete_a_task(survivor, furnished.conversation_id)
            await check_doors(person, furnished.conversation_id, ledger)
            tasks = await person.reply(furnished.conversation_id, "list my tasks")
            await until(ledger.is_settled)
        await product.kill()
        ledger.check()
        events = [one["event"]["type"] for one in ledger.events(furnished.conversation_id) if _is_of(one, turn_id)]
        table.append(f"{point:<22} died while {survivor.deaths}, ended {seconds:4.1f} s after: {' '.join(events)}")

        # Between a decision and what it leads to, either may be cut off first.
        assert survivor.deaths in ([step], [ENDING] if step == DECIDING else [DECIDING] if point in SOON else [step])
        assert "Call Ben" in tasks
        assert "Buy milk" not in tasks
        assert ledger.count("tasks WHERE title = 'Buy milk' AND deleted_at IS NOT NULL") == 1
        assert ledger.count("audit WHERE kind = 'approval.approved'") == 1
        assert ledger.count("decisions WHERE state = 'accepted'") == 1


async def _delete_a_task(survivor: Survivor, conversation_id: str) -> tuple[str, float]:
    """Go from the message to its answer; gives the turn, and the seconds from the decision to its end."""
    person = survivor.person

    async def send() -> str:
        said = await person.say(conversation_id, "delete the task Buy milk", client_id="delete-1")
        return str(said["turn_id"])

    turn_id = await survivor.does(SENDING, send)
    approval = await survivor.does(ASKED, person.asked)
    answer = await survivor.does(DECIDING, lambda: person.decide(approval, decision_id="yes-1"))
    assert answer.status_code in {200, 202}, answer.text
    assert await survivor.does(ENDING, send) == turn_id
    began = time.monotonic()
    turn = await survivor.does(ENDING, lambda: person.ended(turn_id))
    assert turn["state"] == "finished", turn
    return turn_id, time.monotonic() - began


def _is_of(row: dict, turn_id: str) -> bool:
    event = row["event"]
    found = event.get("turn", {}).get("id") or next(
        (event[noun]["turn_id"] for noun in ("message", "call", "approval") if event.get(noun)), None
    )
    return found == turn_id
