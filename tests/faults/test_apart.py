"""The roles in processes of their own, with memory: the worker remembers and reads, the api tells and finds."""

from pathlib import Path
from typing import Any

import pytest

from tests.faults.apart import Apart
from tests.faults.conftest import Furnished
from tests.faults.ledger import Ledger, check_doors
from tests.journeys.person import Person, until
from tests.journeys.product import Product

pytestmark = [pytest.mark.journey, pytest.mark.server]
WARM = 300.0


class TestRolesApart:
    async def test_memory_works_across_them_and_after_the_worker_is_lost(
        self, apart: Apart, furnished: Furnished, ledger: Ledger, embed_python: Path
    ):
        await apart.open(ASSENT_MEMORY="true", ASSENT_EMBED_PYTHON=str(embed_python))
        async with Person(apart.api.url, furnished.token) as person:
            await person.reply(furnished.conversation_id, "my dentist is in Elm Street")
            data = {"conversation_id": furnished.conversation_id}
            menu = b"On Friday the canteen serves lentil soup."
            added = await person.http.post("/documents", files={"file": ("menu.txt", menu)}, data=data)
            document_id = added.json()["id"]
            view = await until(lambda: _ready_with(person, 1), WARM)
            health = (await person.get("/health"))["parts"]["memory"]
            document = await person.get(f"/documents/{document_id}")
            recalled = await _recall(person, furnished.conversation_id, "when is there soup in the canteen?")
            found = await person.get("/search?q=tooth doctor")
            verdict = await person.post("/memory/verify")

            await apart.workers[0].kill()
            alone = await person.get("/search?q=dentist")
            waiting = await person.say(furnished.conversation_id, "and where is my dentist?")
            await apart.add_worker()
            turn = await person.ended(waiting["turn_id"])
            await until(lambda: _ready_with(person, 1), WARM)
            again = await _recall(person, await person.conversation(), "where is my dentist?")
            clean = await person.post("/memory/verify")
            await until(ledger.is_settled)
            await check_doors(person, furnished.conversation_id, ledger)
        ledger.check()

        assert (view["dimension"], view["rows"]["documents"]) == (384, 1)
        assert (health["state"], health["facts"]["memory"]) == ("ok", "ready")
        assert document["state"] == "ready"
        assert ("document", document_id) in {(one["kind"], one["id"]) for one in recalled["items"]} or any(
            one["kind"] == "document" and one["name"] == "menu.txt" for one in recalled["items"]
        )
        assert found["meaning"], found
        assert any(one["meaning"] and not one["words"] for one in found["items"])
        assert verdict["clean"]
        assert (alone["meaning"], [one["words"] for one in alone["items"]][:1]) == (False, [True])
        assert turn["state"] == "finished"
        assert any(one["kind"] == "message" for one in again["items"])
        assert clean["clean"]


class TestOneFolder:
    async def test_a_second_product_on_the_same_data_does_not_start(self, product: Product, tmp_path: Path):
        await product.start()
        other = Product(tmp_path / "other")
        other.data = product.data
        (tmp_path / "other").mkdir()
        await other.launch()
        code = await other.died()
        async with Person(product.url) as person:
            health = await person.get("/health")

        assert code not in {0, -9}
        assert "Traceback" not in other.said
        assert str(product.data) in other.said or "already" in other.said, other.said
        assert health["status"] == "ok"


async def _ready_with(person: Person, documents: int) -> dict[str, Any] | None:
    view: dict[str, Any] = await person.get("/memory")
    done = view["state"] == "ready" and not view["waiting"] and view["rows"].get("documents") == documents
    return view if done else None


async def _recall(person: Person, conversation_id: str, text: str) -> dict[str, Any]:
    said = await person.say(conversation_id, text, wait=30)
    found: dict[str, Any] = await person.get(f"/turns/{said['turn_id']}/recall")
    assert found["state"] == "done", found
    return found
