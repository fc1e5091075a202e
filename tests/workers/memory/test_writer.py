"""The one writer: the index says what SQL says, whatever happened on the way."""

import asyncio

from core.clock import now
from core.store import memory_status, remembered
from core.tables.memory import Document, Fact
from core.tables.talk import Conversation
from tests.doubles.embedder import WordEmbedder
from tests.workers.memory.stage import Stage, view, within
from tests.world import eventually
from workers.memory.keeper import Keeper
from workers.memory.memory import Forgetful


class TestLearning:
    async def test_what_was_said_is_found_and_agrees_with_sql(self, stage: Stage):
        ana = await stage.person()
        conversation_id = await stage.conversation(ana)
        await stage.talk(ana, conversation_id, "my dentist is in Elm Street", "Noted: the dentist.")
        await stage.know(ana, "has a dentist")
        await stage.upload(ana, None, "dentists of the town", "page two")

        await stage.learn()

        assert await stage.waiting() == 0
        assert {hit.kind for hit in await stage.find(ana, "dentist")} == {"message", "fact", "document"}
        verdict = await stage.verify()
        assert verdict.clean, verdict
        assert [(one.in_sql, one.in_index) for one in verdict.shelves] == [(2, 2), (1, 1), (2, 2)]
        assert (await view(stage)).rows == {"messages": 2, "facts": 1, "documents": 2}

    async def test_a_turn_that_has_not_ended_is_not_yet_said(self, stage: Stage):
        ana = await stage.person()
        turn, _ = await stage.say(ana, await stage.conversation(ana), "the dentist")
        await stage.note("turn", turn.id)

        await stage.learn()

        assert await stage.find(ana, "dentist") == []
        assert (await stage.verify()).clean

    async def test_the_same_change_again_embeds_and_adds_nothing(self, stage: Stage):
        ana = await stage.person()
        turn_id = await stage.talk(ana, await stage.conversation(ana), "the dentist")
        await stage.learn()
        asked = list(stage.embedder.asked)
        await stage.note("turn", turn_id)
        await stage.note("turn", turn_id)

        done = await stage.learn()

        assert stage.embedder.asked == asked
        assert (done.erased, await stage.waiting()) == (False, 0)
        assert (await stage.verify()).clean

    async def test_a_fact_that_was_edited_says_the_new_thing_only(self, stage: Stage):
        ana = await stage.person()
        fact_id = await stage.know(ana, "lives in Lisbon")
        await stage.learn()
        await stage.alter(Fact, fact_id, text="lives in Porto")
        await stage.note("fact", fact_id)

        done = await stage.learn()

        assert done.erased
        assert (await stage.verify()).clean
        hits = await stage.find(ana, "Porto", kinds=("fact",))
        assert [(hit.id, hit.text_rank) for hit in hits] == [(fact_id, 1)]

    async def test_a_deleted_conversation_goes_and_comes_back(self, stage: Stage):
        ana = await stage.person()
        conversation_id = await stage.conversation(ana)
        for number in range(3):
            await stage.talk(ana, conversation_id, f"the dentist, {number}")
        await stage.upload(ana, conversation_id, "the dentist's letter")
        await stage.learn()

        await stage.alter(Conversation, conversation_id, deleted_at=now())
        await stage.note("conversation", conversation_id)
        await stage.learn()
        gone, clean = await stage.find(ana, "dentist"), (await stage.verify()).clean
        await stage.alter(Conversation, conversation_id, deleted_at=None)
        await stage.note("conversation", conversation_id)
        await stage.learn()

        assert (gone, clean) == ([], True)
        assert len(await stage.find(ana, "dentist", limit=20)) == 7
        assert (await stage.verify()).clean

    async def test_without_an_embedder_nothing_is_lost(self, stage: Stage):
        ana = await stage.person()
        await stage.talk(ana, await stage.conversation(ana), "the dentist")
        stage.embedder.is_ready = False

        done = await stage.learn()
        waiting = await stage.waiting()
        stage.embedder.is_ready = True
        await stage.learn()

        assert (done.ready, waiting) == (False, 1)
        assert len(await stage.find(ana, "dentist")) == 2

    async def test_many_changes_are_learned_in_batches(self, stage: Stage):
        ana = await stage.person()
        conversation_id = await stage.conversation(ana)
        turns = [await stage.talk(ana, conversation_id, f"dentist number {number}") for number in range(5)]
        await stage.learn()
        for turn_id in turns * 100:
            await stage.note("turn", turn_id)

        done = await stage.learn()

        assert (done.batches, await stage.waiting()) == (3, 0)
        assert (await stage.verify()).clean


class TestErasing:
    async def test_what_was_forgotten_is_in_no_file(self, stage: Stage):
        ana = await stage.person()
        usual, said, deleted = [await stage.conversation(ana) for _ in range(3)]
        for number in range(40):
            await stage.talk(ana, usual, f"something usual, number {number}")
            await stage.know(ana, f"something usual, number {number}")
        await stage.upload(ana, None, *(f"something usual, number {number}" for number in range(40)))
        fact_id = await stage.know(ana, "the key is zyfact9876")
        turn_id = await stage.talk(ana, said, "the key is zymessage9876")
        document_id = await stage.upload(ana, None, "the key is zydocument9876")
        await stage.talk(ana, deleted, "the key is zydeleted9876")
        await stage.learn()
        await stage.tend()
        secrets = ["zyfact9876", "zymessage9876", "zydocument9876", "zydeleted9876"]
        before = [len([hit for hit in await stage.find(ana, secret) if hit.text_rank == 1]) for secret in secrets]

        await stage.delete(Fact, fact_id)
        await stage.note("fact", fact_id)
        await stage.forget_message(turn_id)
        await stage.note("turn", turn_id)
        await stage.alter(Document, document_id, deleted_at=now())
        await stage.note("document", document_id)
        await stage.alter(Conversation, deleted, deleted_at=now())
        await stage.note("conversation", deleted)
        done = await stage.learn()
        ghosts = await stage.ghosts()
        await stage.tend()

        assert before == [1, 1, 1, 1]
        assert (done.erased, ghosts) == (True, 6)
        for secret in secrets:
            assert [hit for hit in await stage.find(ana, secret) if hit.text_rank] == []
            assert stage.holds(secret) == []
        assert stage.place.to_erase() == {}
        assert await stage.ghosts() == 0
        assert (await stage.verify()).clean

    async def test_what_is_forgotten_goes_without_an_embedder_too(self, stage: Stage):
        ana = await stage.person()
        fact_id = await stage.know(ana, "the key is zyxwvut9876")
        await stage.know(ana, "lives in Lisbon")
        await stage.learn()
        stage.embedder.is_ready = False
        await stage.delete(Fact, fact_id)
        await stage.note("fact", fact_id)

        done = await stage.learn()
        await stage.tend()

        assert (done.ready, done.erased) == (False, True)
        assert stage.holds("zyxwvut9876") == []
        assert await stage.ghosts() == 0
        stage.embedder.is_ready = True
        await stage.learn()
        assert (await stage.verify()).clean

    async def test_where_memory_is_turned_off_no_index_keeps_what_is_forgotten(self, stage: Stage):
        ana = await stage.person()
        fact_id = await stage.know(ana, "the key is zyxwvut9876")
        await stage.learn()
        await stage.delete(Fact, fact_id)
        await stage.note("fact", fact_id)
        begun, stop = asyncio.Event(), asyncio.Event()
        begun.set()
        forgetting = asyncio.create_task(Forgetful(stage.database, stage.place).run(begun, stop))

        async def is_gone() -> bool:
            return await stage.waiting() == 0 and not stage.folder.exists()

        await eventually(is_gone)
        stop.set()
        await forgetting

        assert (await view(stage)).state == "off"
        await stage.learn()
        assert (await stage.verify()).clean

    async def test_a_crash_before_the_files_are_tended_leaves_a_note(self, stage: Stage):
        ana = await stage.person()
        await stage.know(ana, "lives in Lisbon")
        fact_id = await stage.know(ana, "the key is zyxwvut9876")
        await stage.learn()
        await stage.delete(Fact, fact_id)
        await stage.note("fact", fact_id)
        await stage.learn()

        stage.use(WordEmbedder())
        await stage.tend()

        assert stage.holds("zyxwvut9876") == []
        assert await stage.ghosts() == 0


class TestVerifying:
    async def test_it_names_what_differs(self, stage: Stage):
        ana = await stage.person()
        ids = [await stage.know(ana, f"fact {number}") for number in range(4)]
        await stage.learn()
        edition = stage.place.edition()
        assert edition is not None
        shelf = (await Keeper.open(stage.place, edition)).shelves["facts"]
        async with stage.database.reading() as session:
            rows = await remembered.by_id(session, "facts", ids)
        vectors = await stage.embedder.embed(["x"])
        await shelf.remove([ids[0]])
        await shelf.add([rows[ids[1]]], vectors)
        await stage.alter(Fact, ids[2], text="something else")
        await stage.delete(Fact, ids[3])

        verdict = await stage.verify()

        assert not verdict.clean
        assert set(verdict.differences) == {
            "facts: 3 in SQL, 4 in the index",
            f"{ids[0]} is not in the index",
            f"{ids[1]} is 2 times in the index",
            f"{ids[2]} says something else in the index",
            f"{ids[3]} should not be in the index",
        }

    async def test_a_twin_is_found_once(self, stage: Stage):
        ana = await stage.person()
        fact_id = await stage.know(ana, "the dentist")
        await stage.learn()
        edition = stage.place.edition()
        assert edition is not None
        shelf = (await Keeper.open(stage.place, edition)).shelves["facts"]
        async with stage.database.reading() as session:
            rows = await remembered.by_id(session, "facts", [fact_id])
        await shelf.add(list(rows.values()), await stage.embedder.embed(["the dentist"]))
        stage.use(WordEmbedder())

        hits = await stage.find(ana, "dentist")
        await stage.note("fact", fact_id)
        await stage.learn()

        assert [(hit.id, hit.vector_rank, hit.text_rank) for hit in hits] == [(fact_id, 1, 1)]
        assert (await stage.verify()).clean


class TestOneWriter:
    async def test_a_second_one_waits(self, stage: Stage):
        ana = await stage.person()
        await stage.know(ana, "the dentist")
        async with stage.place.writing():
            other = asyncio.create_task(stage.learn())
            ended = await within(0.5, asyncio.shield(other))
        await other

        assert not ended
        assert (await stage.verify()).clean

    async def test_many_at_once_leave_one_of_each(self, stage: Stage):
        ana = await stage.person()
        for number in range(40):
            await stage.know(ana, f"fact {number}")
        await stage.learn()
        for row in await stage.all(Fact):
            await stage.alter(Fact, row.id, text=f"{row.text}, edited")
            await stage.note("fact", row.id)

        writers = []
        for _ in range(4):
            other = Stage(stage.database, stage.folder)
            writers.append(other.learn())
        await asyncio.gather(*writers)

        assert (await stage.verify()).clean
        assert (await view(stage)).rows["facts"] == 40


class TestStatus:
    async def test_nobody_has_said_anything_yet(self, stage: Stage):
        assert (await view(stage)).state == "away"

    async def test_a_build_is_not_talked_over(self, stage: Stage):
        async with stage.database.writing() as session:
            await memory_status.write(session, state="rebuilding", sentence="1 of 2", done=1, total=2)
            await memory_status.tell(session, state="ready", sentence="Memory is ready.")

        assert ((await view(stage)).state, (await view(stage)).done) == ("rebuilding", 1)
