"""Kills from outside: the whole product, its Temporal server, a worker in mid-sentence, everything over a deadline."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from core.clock import now
from tests.doubles.openai_server import Answer, Double, Script, serving
from tests.faults.apart import Apart
from tests.faults.conftest import Furnished
from tests.faults.ledger import Ledger, check_doors
from tests.journeys.person import Listener, Person, until
from tests.journeys.product import Product

pytestmark = [pytest.mark.journey, pytest.mark.server]
STORY = "Once upon a time there was a worker that was lost in the middle of a sentence and another one told all of it."


@pytest_asyncio.fixture(loop_scope="session")
async def storyteller() -> AsyncIterator[Double]:
    """A model that tells one story, slowly."""
    async with serving(Script([Answer(text=STORY, delay_seconds=0.2)])) as double:
        yield double


def asking(double: Double) -> dict[str, str]:
    return {"ASSENT_MODEL_BASE_URL": double.base_url, "ASSENT_MODEL_NAME": "slow", "ASSENT_MODEL_API_KEY": "none"}


class TestWholeProduct:
    async def test_killed_while_an_approval_waits_it_takes_the_decision_after_the_restart(
        self, product: Product, furnished: Furnished, ledger: Ledger
    ):
        await product.start()
        async with Person(product.url, furnished.token) as person:
            said = await person.say(furnished.conversation_id, "delete the task Buy milk", wait=30)
            approval = await person.asked()
            await product.kill()
            await product.start()
            person.move(product.url)
            again = await person.asked()
            decided = await person.decide(approval)
            turn = await person.ended(said["turn_id"])
            await check_doors(person, furnished.conversation_id, ledger)
            await until(ledger.is_settled)
        await product.kill()
        ledger.check()

        assert again == approval
        assert (decided.status_code, turn["state"]) == (200, "finished")
        assert ledger.count("tasks WHERE deleted_at IS NOT NULL") == 1

    async def test_asked_to_end_during_a_turn_it_ends_and_the_turn_goes_on_after_the_restart(
        self, product: Product, furnished: Furnished, ledger: Ledger, storyteller: Double
    ):
        await product.start(**asking(storyteller))
        async with Person(product.url, furnished.token) as person:
            async with Listener(person, furnished.conversation_id) as listener:
                said = await person.say(furnished.conversation_id, "tell me a story")
                await listener.until(lambda it: len(it.deltas) > 2)
            code, _ = await product.stop()
            await product.start(**asking(storyteller))
            person.move(product.url)
            turn = await person.ended(said["turn_id"])
            told = await person.messages(furnished.conversation_id)
            await check_doors(person, furnished.conversation_id, ledger)
            await until(ledger.is_settled)
        await product.kill()
        ledger.check()

        assert code == 0
        assert turn["state"] == "finished"
        assert told[-1]["text"] == STORY


class TestTemporalServer:
    async def test_killed_alone_it_comes_back_and_nothing_said_meanwhile_is_lost(
        self, product: Product, furnished: Furnished, ledger: Ledger
    ):
        await product.start()
        async with Person(product.url, furnished.token) as person:
            waiting = await person.say(furnished.conversation_id, "delete the task Buy milk", wait=30)
            first = product.temporal()
            first.kill()
            said = await person.say(furnished.conversation_id, "add the task Water plants")
            await until(lambda: _replaced(product, first))
            await until(lambda: _state(person, {"ok"}))
            turn = await person.ended(said["turn_id"])
            decided = await person.decide(await person.asked())
            deleted = await person.ended(waiting["turn_id"])
            listed = await person.reply(furnished.conversation_id, "list my tasks")
            await check_doors(person, furnished.conversation_id, ledger)
            await until(ledger.is_settled)
        await product.kill()
        ledger.check()

        assert (turn["state"], decided.status_code, deleted["state"]) == ("finished", 200, "finished")
        assert ("Water plants" in listed, "Buy milk" in listed) == (True, False)

    async def test_with_its_temporal_server_frozen_health_tells_it_and_messages_are_taken_in(
        self, product: Product, furnished: Furnished
    ):
        await product.start()
        async with Person(product.url, furnished.token) as person:
            frozen = product.temporal()
            frozen.suspend()
            unwell = await until(lambda: _state(person, {"down", "degraded"}))
            ready = await person.http.get("/ready")
            said = await person.say(furnished.conversation_id, "add the task Water plants")
            with suppress(psutil.NoSuchProcess):  # it may have been replaced by now
                frozen.resume()
            turn = await person.ended(said["turn_id"])
            await until(lambda: _state(person, {"ok"}))

        assert unwell["parts"]["temporal"]["state"] == "down"
        assert unwell["parts"]["database"]["state"] == "ok"
        assert (ready.status_code, ready.json()) == (200, {"ready": True})
        assert turn["state"] == "finished"


async def _replaced(product: Product, first: psutil.Process) -> bool:
    """Whether another Temporal server runs; there is none for a moment. That health tells it, the frozen one shows."""
    try:
        return product.temporal().pid != first.pid
    except (StopIteration, psutil.NoSuchProcess):
        return False


class TestWorker:
    async def test_lost_in_mid_sentence_another_tells_the_whole_and_the_listener_sees_one_restart(
        self, apart: Apart, furnished: Furnished, ledger: Ledger, storyteller: Double
    ):
        await apart.open(**asking(storyteller))
        async with (
            Person(apart.api.url, furnished.token) as person,
            Listener(person, furnished.conversation_id) as heard,
        ):
            said = await person.say(furnished.conversation_id, "tell me a story")
            await until(lambda: _partial(person, said["turn_id"]))
            await apart.workers[0].kill()
            await apart.add_worker()
            turn = await person.ended(said["turn_id"])
            await heard.until(lambda it: "turn.finished" in it.types())
            told = await person.messages(furnished.conversation_id)
            await check_doors(person, furnished.conversation_id, ledger)
            await until(ledger.is_settled)
        ledger.check()

        assert (turn["state"], turn["attempt"]) == ("finished", 2)
        assert heard.types().count("turn.restarted") == 1
        assert told[-1]["text"] == STORY
        assert [one["seq"] for one in heard.envelopes] == sorted({one["seq"] for one in heard.envelopes})


class TestDeadline:
    async def test_over_it_while_no_worker_runs_no_decision_counts(
        self, apart: Apart, furnished: Furnished, ledger: Ledger
    ):
        await apart.open(ASSENT_APPROVAL_EXPIRY_SECONDS="20")
        async with Person(apart.api.url, furnished.token) as person:
            said = [
                await person.say(furnished.conversation_id, f"delete the task {title}", wait=30)
                for title in ("Buy milk", "Call Ben")
            ]
            early, late = sorted(await person.pending(), key=lambda one: str(one["expires_at"]))
            await apart.workers[0].kill()
            in_time = await person.decide(early, decision_id="in-time")
            await until(lambda: _is_over(late))
            too_late = await person.decide(late, decision_id="too-late")
            await apart.add_worker()
            turns = [await person.ended(one["turn_id"]) for one in said]
            listed = await person.reply(furnished.conversation_id, "list my tasks")
            approvals = [await person.get(f"/approvals/{one['id']}") for one in (early, late)]
            await until(ledger.is_settled)
            await check_doors(person, furnished.conversation_id, ledger)
        ledger.check()

        assert (in_time.status_code, in_time.json()["state"]) == (202, "received"), in_time.text
        assert (too_late.status_code, too_late.json()["code"]) == (409, "expired"), too_late.text
        assert [one["state"] for one in approvals] == ["expired", "expired"]
        assert [one["state"] for one in turns] == ["finished", "finished"]
        assert ("Buy milk" in listed, "Call Ben" in listed) == (True, True)
        assert ledger.count("tasks WHERE deleted_at IS NOT NULL") == 0


class TestCopy:
    async def test_a_copy_of_the_data_works_elsewhere_while_the_original_runs(
        self, product: Product, furnished: Furnished, tmp_path: Path
    ):
        other = Product(tmp_path / "other")
        other.copy_from(furnished.data)
        try:
            await product.start()
            await other.start()
            for one in (product, other):
                async with Person(one.url, furnished.token) as person:
                    listed = await person.reply(furnished.conversation_id, "list my tasks")
                    assert "Buy milk" in listed
        finally:
            await other.close()

        assert other.url != product.url
        assert other.alarms() == []


async def _state(person: Person, wanted: set[str]) -> dict | None:
    found: dict = (await person.http.get("/health")).json()
    return found if found["status"] in wanted else None


async def _partial(person: Person, turn_id: str) -> bool:
    found = await person.get(f"/turns/{turn_id}/partial")
    return found is not None and len(found["text"]) > 10


async def _is_over(approval: dict) -> bool:
    return now().isoformat() > approval["expires_at"].replace("Z", "+00:00")
