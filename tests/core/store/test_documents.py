"""Documents, their pieces, exports and imports on both databases."""

import pytest

from core.ids import new_id
from core.store import chunks, documents, export, imports
from core.store.chunks import Piece
from core.store.documents import Upload
from core.store.imports import Source
from core.store.work import change
from core.tables.memory import Chunk, Document, MemoryChange
from core.tables.talk import Message
from tests.world import World


@pytest.fixture
async def ana(world: World):
    return await world.person()


@pytest.fixture
async def talk(world: World, ana) -> str:
    conversation_id = await world.conversation(ana)
    for number in range(3):
        await world.say(ana, conversation_id, f"Number {number}")
    return conversation_id


async def add(world: World, who, conversation_id: str | None) -> str:
    upload = Upload(
        id=new_id("doc"),
        conversation_id=conversation_id,
        name="a.txt",
        media_type="text/plain",
        size=1,
        sha256="0" * 64,
        storage_key="key",
    )
    async with change(world.database, world.rooms) as work:
        await documents.add(work, who, upload)
    return upload.id


class TestPieces:
    async def test_steps_made_twice_are_made_once(self, world, ana, talk):
        document_id = await add(world, ana, talk)
        pieces = [Piece(f"text {number}", number) for number in range(5)]
        for first, part in ((0, pieces[:3]), (0, pieces[:3]), (2, pieces[2:]), (3, pieces[3:])):
            async with change(world.database, world.rooms) as work:
                await chunks.begin(work, document_id)
                assert await chunks.add(work, document_id, first, part, 5, show=True)
        for _ in range(2):
            async with change(world.database, world.rooms) as work:
                await chunks.finish(work, document_id, pages=5, note=None)
        rows = await world.all(Chunk, Chunk.document_id == document_id)
        document = await world.get(Document, document_id)

        assert sorted((row.number, row.text) for row in rows) == [(n, f"text {n}") for n in range(5)]
        assert (document.state, document.chunks_done, document.pages) == ("ready", 5, 5)
        assert len(await world.all(MemoryChange)) == 1
        assert (await world.events(talk))[-1].body["document"] == documents.view_of(document).model_dump(mode="json")

    async def test_nothing_is_written_for_one_that_is_gone(self, world, ana, talk):
        document_id = await add(world, ana, talk)
        async with change(world.database, world.rooms) as work:
            await chunks.begin(work, document_id)
            await documents.remove(work, ana, document_id)
        async with change(world.database, world.rooms) as work:
            assert not await chunks.add(work, document_id, 0, [Piece("late")], 1, show=True)

        assert await world.all(Chunk) == []


class TestFiles:
    async def test_a_conversation_goes_out_and_comes_back(self, world, ana, talk):
        await add(world, ana, talk)
        other = await world.person()
        async with world.database.reading() as session:
            file = await export.whole(session, ana, talk)
        for duplicate in (False, True):
            async with change(world.database, world.rooms) as work:
                view, was_there = await imports.keep(work, other, Source(file, "0" * 64, "once"))
            assert was_there is duplicate
        async with world.database.reading() as session:
            again = await export.whole(session, other, view.id)

        assert [one.text for one in again.messages] == ["Number 0", "Number 1", "Number 2"]
        assert [one.position for one in again.messages] == [one.position for one in file.messages]
        assert [one.name for one in again.documents] == ["a.txt"]
        assert len(await world.all(Message, Message.conversation_id == view.id)) == 3
