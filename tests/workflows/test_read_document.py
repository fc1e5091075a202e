"""Reading a document from its upload to its last piece, and a question to memory, on a real Temporal server."""

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import delete
from temporalio.testing import ActivityEnvironment

from core.ids import new_id
from core.store import chunks, documents, lookups
from core.store.documents import Upload
from core.store.work import change
from core.tables.memory import Chunk, Document, MemoryChange
from core.tables.work import Outbox
from tests.workers.reading import corpus
from tests.workflows.stage import Stage
from tests.world import eventually
from workers.reading.read import Reader

pytestmark = pytest.mark.server
WORDS = " ".join(f"This is sentence number {number}." for number in range(2_000)).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "uploads"
    made.mkdir()
    return made


async def upload(stage: Stage, folder: Path, data: bytes, media_type: str = "text/plain") -> str:
    key, document_id = new_id("key"), new_id("doc")
    (folder / key).write_bytes(data)
    found = Upload(
        id=document_id,
        conversation_id=stage.conversation_id,
        name="a",
        media_type=media_type,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        storage_key=key,
    )
    async with change(stage.database, stage.rooms) as work:
        await documents.add(work, stage.ana, found)
    return document_id


async def until(stage: Stage, document_id: str, state: str) -> Document:
    async def reached() -> bool:
        return (await stage.get(Document, document_id)).state == state

    await eventually(reached)
    return await stage.get(Document, document_id)


class TestReadDocument:
    async def test_it_is_read_told_and_noted(self, stage, folder):
        document_id = await upload(stage, folder, WORDS)
        document = await until(stage, document_id, "ready")
        pieces = await stage.all(Chunk, Chunk.document_id == document_id)
        told = [row.body["document"] for row in await stage.events(stage.conversation_id)]

        assert document.chunks_done == document.chunks_total == len(pieces) > 40
        assert sorted(one.number for one in pieces) == list(range(len(pieces)))
        assert [one["state"] for one in told][:2] == ["received", "reading"]
        assert told[-1] == documents.view_of(document).model_dump(mode="json")
        assert [(one.kind, one.ref) for one in await stage.all(MemoryChange)] == [("document", document_id)]

    async def test_a_bad_one_fails_with_a_sentence(self, stage, folder):
        document_id = await upload(stage, folder, corpus.encrypted_pdf("secret"), "application/pdf")
        document = await until(stage, document_id, "failed")

        assert document.detail == "It is protected by a password."

    async def test_what_was_committed_without_a_start_is_started_later(self, idle_stage, folder):
        document_id = await upload(idle_stage, folder, b"Words.")
        assert [one.kind for one in await idle_stage.all(Outbox)] == ["read_document"]

        async with idle_stage.working():
            await until(idle_stage, document_id, "ready")

    async def test_without_memory_a_question_is_answered_with_the_reason(self, stage):
        async with stage.database.writing() as session:
            lookup_id = lookups.add(session, stage.ana, "bread", None)

        answer = await stage.workflows.look_up(lookup_id)

        assert (answer.found, answer.reason) == ((), "Memory is switched off.")


class TestReader:
    """The activity by itself, made twice."""

    @pytest.fixture
    def reader(self, idle_stage: Stage, folder: Path) -> Reader:
        return Reader(idle_stage.database, idle_stage.rooms, folder)

    async def test_it_goes_on_where_another_attempt_was(self, idle_stage, folder, reader):
        document_id = await upload(idle_stage, folder, WORDS)
        await ActivityEnvironment().run(reader.read_document, document_id)
        whole = {one.id: one.text for one in await idle_stage.all(Chunk)}
        async with idle_stage.database.writing() as session:
            await session.execute(delete(Chunk).where(Chunk.number >= 10))
        await idle_stage.alter(Document, document_id, state="reading", chunks_done=10)
        await ActivityEnvironment().run(reader.read_document, document_id)

        assert {one.id: one.text for one in await idle_stage.all(Chunk)} == whole

    async def test_one_deleted_meanwhile_is_left_alone(self, idle_stage, folder, reader):
        document_id = await upload(idle_stage, folder, WORDS)
        async with change(idle_stage.database, idle_stage.rooms) as work:
            await chunks.begin(work, document_id)
            await documents.remove(work, idle_stage.ana, document_id)
        await ActivityEnvironment().run(reader.read_document, document_id)

        assert await idle_stage.all(Chunk) == []

    async def test_files_without_a_document_are_swept_once_they_are_old(self, idle_stage, folder, reader):
        await upload(idle_stage, folder, b"Words.")
        (folder / "left").write_bytes(b"behind")

        assert (await reader.sweep(), await reader.sweep(grace_seconds=-1)) == (0, 1)
        assert len(list(folder.iterdir())) == 1
