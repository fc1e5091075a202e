"""The index is built anew from SQL when it is lost, broken, stale or of another model, and goes on where it was cut."""

import os
import shutil
from pathlib import Path

import pytest

from core.store import memory_status, remembered
from tests.doubles.embedder import WordEmbedder
from tests.workers.memory.stage import Stage, view
from workers.memory.keeper import Builder
from workers.memory.port import MemoryUnavailable
from workers.memory.writer import BUILD_ROWS, Condition


class TestRebuilding:
    async def test_another_model_gets_tables_of_its_own(self, stage: Stage):
        ana = await stage.person()
        await stage.talk(ana, await stage.conversation(ana), "the dentist")
        await stage.learn()
        first = stage.place.edition()
        stage.use(WordEmbedder("other-96", dimension=96))
        condition = await stage.writer.condition()

        await stage.learn()

        edition = stage.place.edition()
        assert condition is Condition.OTHER_MODEL
        assert first is not None
        assert edition is not None
        assert (edition.model, edition.dimension, edition.generation) == ("other-96", 96, first.generation + 1)
        assert sorted(one.name for one in stage.folder.glob("*.lance")) == [
            "documents_2.lance", "facts_2.lance", "messages_2.lance"
        ]  # fmt: skip
        assert [hit.vector_rank for hit in await stage.find(ana, "dentist", limit=1)] == [1]
        assert (await stage.verify()).clean

    async def test_an_open_index_turns_to_the_new_tables(self, stage: Stage):
        ana = await stage.person()
        await stage.talk(ana, await stage.conversation(ana), "the dentist")
        await stage.learn()
        before = await stage.find(ana, "dentist")

        await stage.run(stage.writer.rebuild_memory)

        assert await stage.find(ana, "dentist") == before

    async def test_one_that_was_cut_off_goes_on_where_it_was(self, stage: Stage):
        ana = await stage.person()
        for number in range(20):
            await stage.know(ana, f"likes tea of kind {number}")
        await stage.talk(ana, await stage.conversation(ana), "the dentist")
        builder = await Builder.begin(stage.place, stage.embedder.model, 384, resume=True)
        async with stage.database.reading() as session:
            said = await remembered.page(session, "messages", "", BUILD_ROWS)
            known = await remembered.page(session, "facts", "", 20)
        await builder.add(said, stage.embedder)
        builder.turn_to("facts")
        await builder.add(known[:8], stage.embedder)
        # Written, and then killed before it was noted:
        await builder._shelves["facts"].add(known[8:12], await stage.embedder.embed([row.text for row in known[8:12]]))
        stage.use(WordEmbedder())
        condition = await stage.writer.condition()

        await stage.learn()

        assert condition is Condition.CUT_OFF
        assert (await stage.verify()).clean
        assert stage.place.building() is None
        assert len([text for text in stage.embedder.asked if "tea" in text]) == 12
        assert (await view(stage)).rows == {"messages": 2, "facts": 20, "documents": 0}

    @pytest.mark.parametrize("harm", ["folder", "table", "manifest", "edition"])
    async def test_what_is_missing_or_broken_is_built_anew(self, stage: Stage, harm: str):
        ana = await stage.person()
        await stage.talk(ana, await stage.conversation(ana), "the dentist")
        await stage.learn()
        _harm(stage.folder, harm)
        stage.use(WordEmbedder())

        await stage.talk(ana, await stage.conversation(ana), "another dentist")
        await stage.learn()

        assert len(await stage.find(ana, "dentist", limit=10)) == 4
        assert (await stage.verify()).clean
        if harm in {"table", "manifest", "edition"}:
            assert len(list(stage.folder.parent.glob("memory.broken-*"))) == 1

    async def test_a_search_in_a_broken_index_says_so(self, stage: Stage):
        ana = await stage.person()
        await stage.talk(ana, await stage.conversation(ana), "the dentist")
        await stage.learn()
        _harm(stage.folder, "table")
        stage.use(WordEmbedder())

        with pytest.raises(MemoryUnavailable):
            await stage.find(ana, "dentist")
        verdict = await stage.verify()
        assert (verdict.clean, "cannot be read" in verdict.differences[0]) == (False, True)

    async def test_what_was_dropped_while_memory_was_off_comes_with_a_build(self, stage: Stage):
        ana = await stage.person()
        await stage.talk(ana, await stage.conversation(ana), "the dentist")
        await stage.learn()
        await stage.talk(ana, await stage.conversation(ana), "said while memory was off")
        async with stage.database.writing() as session:
            kept = await memory_status.drop_changes(session, more_than=5)
            dropped = await memory_status.drop_changes(session)
        condition = await stage.writer.condition()

        await stage.learn()

        assert (kept, dropped, condition) == (0, 1, Condition.STALE)
        assert (await stage.verify()).clean
        assert await stage.writer.condition() is Condition.GOOD


class TestBrokenWhileItRuns:
    """What is open may remember what the disk has lost, so changes are learned and searches fail."""

    @pytest.mark.parametrize("harm", ["indices", "data", "versions"])
    async def test_a_look_finds_it_and_a_build_mends_it(self, stage: Stage, harm: str):
        ana = await stage.person()
        await stage.talk(ana, await stage.conversation(ana), "the dentist")
        await stage.learn()
        _harm(stage.folder, harm)
        found = await stage.writer.look()
        await stage.learn()
        mended = await stage.writer.look()

        assert found in {Condition.STALE, Condition.BROKEN}
        assert mended is Condition.GOOD
        assert (await stage.verify()).clean
        assert len(await stage.find(ana, "dentist")) == 2

    async def test_a_check_that_finds_it_asks_for_a_build(self, stage: Stage):
        ana = await stage.person()
        await stage.talk(ana, await stage.conversation(ana), "the dentist")
        await stage.learn()
        _harm(stage.folder, "indices")
        verdict = await stage.verify()
        found = await stage.writer.condition()
        await stage.learn()

        assert (verdict.clean, found) == (False, Condition.STALE)
        assert (await stage.verify()).clean

    async def test_a_look_at_a_whole_one_changes_nothing(self, stage: Stage):
        ana = await stage.person()
        empty = await stage.writer.look()
        await stage.learn()
        none_said = await stage.writer.look()
        await stage.talk(ana, await stage.conversation(ana), "the dentist")
        await stage.learn()

        assert (empty, none_said, await stage.writer.look()) == (Condition.MISSING, Condition.GOOD, Condition.GOOD)


def _harm(folder: Path, harm: str) -> None:
    if harm == "folder":
        shutil.rmtree(folder)
    elif harm == "table":
        shutil.rmtree(folder / "messages_1.lance")
    elif harm == "edition":
        (folder / "index.json").write_text("not json {")
    elif harm in {"indices", "data", "versions"}:
        for file in folder.glob("*.lance/**/*"):
            if file.is_file() and harm in str(file.relative_to(folder)):
                file.write_bytes(os.urandom(max(64, file.stat().st_size)))
    else:
        for manifest in (folder / "messages_1.lance" / "_versions").iterdir():
            manifest.write_bytes(b"broken" * 20)
