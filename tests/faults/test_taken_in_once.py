"""`kill -9` while something is taken in: documents, imported conversations, edits and new answers are there once."""

from typing import Any

import pytest

from tests.faults.conftest import Furnished
from tests.faults.ledger import Ledger, check_doors
from tests.faults.survivor import Survivor
from tests.journeys.person import Person, until
from tests.journeys.product import Product

pytestmark = [pytest.mark.journey, pytest.mark.server]
BOOK = "\n\n".join(
    f"Chapter {number}. " + f"On day {number} the keeper of the lighthouse wrote about the weather. " * 14
    for number in range(160)
).encode()


async def upload(person: Person, conversation_id: str) -> str:
    data = {"conversation_id": conversation_id}
    answer = await person.http.post("/documents", files={"file": ("book.txt", BOOK)}, data=data)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def read(person: Person, document_id: str) -> dict[str, Any]:
    """Wait until a document is read; gives it."""

    async def look() -> dict[str, Any] | None:
        found: dict[str, Any] = await person.get(f"/documents/{document_id}")
        return found if found["state"] in {"ready", "failed"} else None

    found: dict[str, Any] = await until(look)
    return found


class TestDocument:
    @pytest.mark.parametrize("point", ["document.begun", "document.stored", "document.stored:3", "document.ready"])
    async def test_killed_while_it_is_read_it_becomes_ready_with_each_piece_once(
        self, product: Product, furnished: Furnished, ledger: Ledger, point: str
    ):
        await product.start(ASSENT_FAULT_POINT=point)
        async with Person(product.url, furnished.token) as person:
            survivor = Survivor(product, person)
            document_id = await upload(person, furnished.conversation_id)
            await survivor.does("reading", lambda: read(person, document_id))
            await survivor.sees_it_die("reading")
            document = await read(person, document_id)
            await until(ledger.is_settled)
            await check_doors(person, furnished.conversation_id, ledger)
        await product.kill()
        ledger.check()
        texts = [row["text"] for row in ledger.rows("SELECT text FROM chunks ORDER BY number")]

        assert (document["state"], document["chunks_done"]) == ("ready", len(texts))
        assert len(texts) > 100
        assert len(set(texts)) == len(texts)
        assert all(any(f"Chapter {number}. " in text for text in texts) for number in range(160))


class TestImport:
    @pytest.mark.parametrize("point", ["import.stored", "import.committed"])
    async def test_killed_over_it_and_sent_again_it_is_there_once_with_its_document(
        self, product: Product, furnished: Furnished, ledger: Ledger, point: str
    ):
        await product.start(ASSENT_FAULT_POINT=point)
        async with Person(product.url, furnished.token) as person:
            survivor = Survivor(product, person)
            await read(person, await upload(person, furnished.conversation_id))
            exported = await person.http.get(f"/conversations/{furnished.conversation_id}/export?attachments=true")
            assert exported.status_code == 200

            async def bring() -> dict[str, Any]:
                headers = {"content-type": "application/zip"}
                answer = await person.http.post("/conversations/import", content=exported.content, headers=headers)
                assert answer.status_code in {200, 201}, answer.text
                found: dict[str, Any] = answer.json()
                return found

            first = await survivor.does("importing", bring)
            again = await survivor.does("importing", bring)
            new = first["conversation"]["id"]
            there = (await person.get(f"/documents?conversation_id={new}"))["items"]
            document = await read(person, there[0]["id"])
            both = [await person.messages(one) for one in (furnished.conversation_id, new)]
            await until(ledger.is_settled)
            await check_doors(person, furnished.conversation_id, ledger)
        await product.kill()
        ledger.check()

        assert survivor.deaths == ["importing"]
        assert (first["duplicate"], again["duplicate"]) == (point == "import.committed", True)
        assert again["conversation"]["id"] == new
        assert ledger.count("conversations WHERE origin_channel = 'import'") == ledger.count("imports") == 1
        assert (len(there), document["state"]) == (1, "ready")
        assert [one["text"] for one in both[0]] == [one["text"] for one in both[1]]


class TestVersion:
    @pytest.mark.parametrize("kind", ["edit", "regenerate"])
    async def test_killed_between_commit_and_answer_and_sent_again_it_is_one_version(
        self, product: Product, furnished: Furnished, ledger: Ledger, kind: str
    ):
        await product.start(ASSENT_FAULT_POINT="intake.committed:2")
        async with Person(product.url, furnished.token) as person:
            survivor = Survivor(product, person)
            said = await person.say(furnished.conversation_id, "add the task Buy bread", wait=30)
            path = f"/messages/{said['message_id']}/edit" if kind == "edit" else f"/turns/{said['turn_id']}/regenerate"
            body = {"client_message_id": "once"} | ({"text": "add the task Buy rye"} if kind == "edit" else {})
            made = await survivor.does("making", lambda: person.post(path, body))
            turn = await person.ended(made["turn_id"])
            again = await person.post(path, body)
            versions = (await person.get(f"/messages/{said['message_id']}/versions"))["items"]
            await until(ledger.is_settled)
        await product.kill()
        ledger.check()

        assert survivor.deaths == ["making"]
        assert (made["duplicate"], again["turn_id"], again["duplicate"]) == (True, made["turn_id"], True)
        assert [one["action"] for one in made["already_done"]] == ["tasks.add"]
        assert turn["state"] == "finished"
        assert ledger.count("branches") == 1
        assert [one["turn"]["id"] for one in versions] == [said["turn_id"], made["turn_id"]]
        assert ledger.count("tasks WHERE title = 'Buy bread'") == 1
        assert ledger.count("tasks WHERE title = 'Buy rye'") == (kind == "edit")
