"""Recall: what a turn is given, what it is never given, and that a turn goes on whatever memory does."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import now
from core.ids import new_id
from core.store import recalls
from core.store.messages import reply_id
from core.store.recollections import Whose
from core.store.work import change
from core.tables.memory import Chunk, Document, Fact
from core.tables.talk import Branch, Conversation, Message, Participant
from core.tables.work import Turn
from tests.doubles.embedder import WordEmbedder
from tests.doubles.index import BoundlessIndex
from workers.memory.index import LanceIndex
from workers.memory.port import Hit
from workers.memory.recall import Asked, Recaller, score_of

MONEY = "I have 5000 dollars in my savings account"
QUESTION = "How many dollars are in my savings account?"


class Remembering:
    """A recaller over a world, with an index that gives everything."""

    def __init__(self, world):
        self.world = world
        self.embedder = WordEmbedder()
        self.index = BoundlessIndex(world.database, self.embedder)
        self.recaller = self.made()

    def made(self, *, seconds=20.0, tokens=1500, index=None):
        return Recaller(self.world.database, self.embedder, index or self.index, seconds=seconds, tokens=tokens)

    async def told(self, who, text, conversation_id=None, *others):
        """Somebody said this in a turn that has ended."""
        conversation_id = conversation_id or await self.world.conversation(who, *others)
        turn, _ = await self.world.say(who, conversation_id, text)
        await self.world.alter(Turn, turn.id, state="finished")
        await self.world.alter(Conversation, conversation_id, active_turn_id=None)
        return turn

    async def asked(self, who, text=QUESTION, *others, conversation_id=None):
        conversation_id = conversation_id or await self.world.conversation(who, *others)
        turn, _ = await self.world.say(who, conversation_id, text)
        return Asked(turn.id, text, Whose(who.workspace_id, who.user_id, conversation_id, alone=False))

    async def fact(self, who, text):
        row = Fact(
            id=new_id("fct"),
            workspace_id=who.workspace_id,
            user_id=who.user_id,
            text=text,
            origin="said",
            created_at=now(),
            updated_at=now(),
        )
        await self.world.add(row)
        return row.id

    async def document(self, who, text, conversation_id=None, **more):
        at = now()
        row = Document(
            id=new_id("doc"),
            workspace_id=who.workspace_id,
            conversation_id=conversation_id,
            owner_id=who.user_id,
            name="savings.pdf",
            media_type="application/pdf",
            size=1,
            sha256="0" * 64,
            storage_key="x",
            state="ready",
            created_at=at,
            updated_at=at,
            **more,
        )
        chunk = Chunk(id=new_id("chk"), document_id=row.id, number=0, page=3, text=text)
        await self.world.add(row, chunk)
        return chunk.id

    async def texts(self, asked, seen=frozenset()):
        return [one.text for one in (await self.recaller.recall(asked, seen)).items]


@pytest.fixture
def memory(world):
    return Remembering(world)


@pytest.fixture
async def ana(world):
    return await world.person()


class TestWhatIsGiven:
    async def test_what_was_said_in_another_conversation(self, memory, ana):
        turn = await memory.told(ana, MONEY)
        found = await memory.recaller.recall(await memory.asked(ana), frozenset())

        assert [one.text for one in found.items] == [MONEY]
        assert found.is_new
        [citation] = found.view.items
        assert (citation.kind, citation.id, citation.conversation_id) == (
            "message",
            turn.message_id,
            turn.conversation_id,
        )
        assert citation.reason == "alike in meaning"
        assert citation.score > 0

    async def test_all_facts_while_they_fit(self, memory, ana):
        await memory.fact(ana, "I am allergic to nuts")
        found = await memory.recaller.recall(await memory.asked(ana, "What is for dinner?"), frozenset())

        assert [(one.kind, one.text) for one in found.items] == [("fact", "I am allergic to nuts")]
        assert found.view.items[0].reason in {"one of the facts about you", "alike in meaning"}

    async def test_of_many_facts_those_that_fit_best(self, memory, ana):
        for number in range(60):
            await memory.fact(ana, f"Something else of no use at all, with number {number} and more words")
        await memory.fact(ana, MONEY)
        memory.recaller = memory.made(tokens=400)
        texts = await memory.texts(await memory.asked(ana))

        assert texts[0] == MONEY
        assert sum(map(len, texts)) < 400 * 4

    async def test_a_page_of_a_document_with_its_name(self, memory, ana):
        chunk_id = await memory.document(ana, MONEY)
        found = await memory.recaller.recall(await memory.asked(ana), frozenset())

        [citation] = found.view.items
        assert (citation.kind, citation.id, citation.page, citation.name) == ("document", chunk_id, 3, "savings.pdf")

    async def test_the_same_words_once(self, memory, ana):
        await memory.told(ana, MONEY)
        await memory.told(ana, MONEY.upper())
        await memory.fact(ana, MONEY)

        assert len(await memory.texts(await memory.asked(ana))) == 1

    async def test_not_what_the_window_shows(self, memory, ana):
        turn = await memory.told(ana, MONEY)

        assert await memory.texts(await memory.asked(ana), frozenset({turn.id})) == []

    async def test_nothing_near_is_nothing_at_all(self, memory, ana):
        await memory.told(ana, "Zebras graze quietly")
        found = await memory.recaller.recall(await memory.asked(ana), frozenset())

        assert (found.items, found.view) == ((), None)
        assert found.vector is not None

    async def test_the_offline_assistant_is_no_source(self, memory, ana, world):
        turn = await memory.told(ana, "Hello")
        said = Message(
            id=reply_id(turn.id),
            conversation_id=turn.conversation_id,
            workspace_id=turn.workspace_id,
            turn_id=turn.id,
            position=999,
            role="assistant",
            text=MONEY,
            channel="rest",
            model="offline assistant",
            created_at=now(),
        )
        await world.add(said)
        before = await memory.texts(await memory.asked(ana))
        await world.alter(Message, said.id, model="gpt")

        assert (before, await memory.texts(await memory.asked(ana))) == ([], [MONEY])

    async def test_what_is_new_counts_a_little_more(self):
        at = now()
        old, new = (Hit("message", "x", 0.01, 1, 1, None, at - timedelta(days=days)) for days in (3650, 0))

        assert score_of(new, at) == pytest.approx(0.012)
        assert score_of(old, at) == pytest.approx(0.01, rel=0.01)


class TestWhatIsNever:
    async def test_what_others_said_or_know(self, memory, ana, world):
        bo, eve = await world.person(ana.workspace_id), await world.person()
        for other in (bo, eve):
            await memory.told(other, MONEY)
            await memory.fact(other, MONEY)
        await memory.document(eve, MONEY)
        theirs = await world.conversation(bo)
        await memory.document(bo, MONEY, theirs)

        assert await memory.texts(await memory.asked(ana)) == []

    async def test_what_is_deleted_or_forgotten(self, memory, ana, world):
        gone = await memory.told(ana, MONEY)
        await world.alter(Conversation, gone.conversation_id, deleted_at=now())
        await memory.document(ana, f"{MONEY} there", gone.conversation_id)
        forgotten = await memory.told(ana, f"{MONEY}!")
        await world.alter(Message, forgotten.message_id, forgotten_at=now())
        await memory.document(ana, f"{MONEY} too", deleted_at=now())

        assert await memory.texts(await memory.asked(ana)) == []

    async def test_what_she_left(self, memory, ana, world):
        bo = await world.person(ana.workspace_id)
        turn = await memory.told(bo, MONEY, None, ana)
        async with world.database.writing() as session:
            await session.delete(await session.get_one(Participant, (turn.conversation_id, ana.user_id)))

        assert await memory.texts(await memory.asked(ana)) == []

    async def test_versions_that_were_edited_away(self, memory, ana, world):
        turn = await memory.told(ana, MONEY)
        branch = Branch(
            id=new_id("brn"),
            conversation_id=turn.conversation_id,
            forked_at=turn.place,
            begun_at=turn.place + 1,
            replaces_turn_id=turn.id,
            reason="edit",
            created_by=ana.user_id,
            created_at=now(),
        )
        await world.add(branch)
        before = await memory.texts(await memory.asked(ana))
        await world.alter(Conversation, turn.conversation_id, active_branch_id=branch.id)

        assert (before, await memory.texts(await memory.asked(ana))) == ([MONEY], [])

    async def test_with_two_people_only_what_both_may_know(self, memory, ana, world):
        bo = await world.person(ana.workspace_id)
        await memory.told(ana, f"{MONEY} elsewhere")
        await memory.fact(ana, f"{MONEY} as a fact")
        shared = await world.conversation(ana, bo)
        await memory.told(bo, f"{MONEY} here", shared)
        await memory.document(ana, f"{MONEY} in a file here", shared)
        await memory.document(ana, f"{MONEY} in the house")
        await memory.document(ana, f"{MONEY} in my own talk", await world.conversation(ana))
        texts = await memory.texts(await memory.asked(ana, conversation_id=shared))

        assert sorted(text.removeprefix(MONEY) for text in texts) == [" here", " in a file here", " in the house"]
        assert memory.index.asked[-1][0].alone is False


class TestGoingOn:
    async def test_an_embedder_that_hangs(self, memory, ana):
        async def hang(texts):
            await asyncio.Event().wait()

        memory.embedder.embed = hang
        memory.recaller = memory.made(seconds=0.02)
        found = await memory.recaller.recall(await memory.asked(ana), frozenset())

        assert (found.view.state, found.is_new, found.items) == ("skipped", True, ())
        assert found.view.reason == "Memory did not answer within 20 ms, so this goes on without it."

    async def test_an_index_that_hangs(self, memory, ana):
        memory.index.never = True
        memory.recaller = memory.made(seconds=0.05)

        assert (await memory.recaller.recall(await memory.asked(ana), frozenset())).view.state == "skipped"

    async def test_while_it_warms_up_it_says_so(self, memory, ana):
        memory.embedder.is_ready = False
        found = await memory.recaller.recall(await memory.asked(ana), frozenset())

        assert (found.view.state, found.view.reason) == ("skipped", "Memory is still warming up.")

    async def test_an_error_is_told_without_its_words(self, memory, ana):
        memory.index.error = RuntimeError("secret path")
        found = await memory.recaller.recall(await memory.asked(ana), frozenset())

        assert found.view.reason == "Memory could not be searched, so this goes on without it."

    async def test_a_folder_that_cannot_be_read(self, memory, ana, tmp_path: Path):
        folder = tmp_path / "memory"
        folder.write_text("this is no folder")
        memory.recaller = memory.made(index=LanceIndex(folder))
        found = await memory.recaller.recall(await memory.asked(ana), frozenset())

        assert found.view.state == "skipped"
        assert found.view.reason


class TestOnce:
    async def test_a_turn_is_given_what_it_was_given(self, memory, ana, world):
        await memory.told(ana, MONEY)
        asked = await memory.asked(ana)
        first = await memory.recaller.recall(asked, frozenset())
        async with change(world.database, world.rooms) as work:
            await recalls.note(work, asked.whose.conversation_id, first.view)
        again = await memory.recaller.recall(asked, frozenset())
        later = await memory.recaller.again(asked)

        assert len(memory.index.asked) == 1
        assert [one.text for one in again.items] == [one.text for one in later.items] == [MONEY]
        assert not again.is_new

    async def test_but_not_what_was_forgotten_meanwhile(self, memory, ana, world):
        turn = await memory.told(ana, MONEY)
        asked = await memory.asked(ana)
        first = await memory.recaller.recall(asked, frozenset())
        async with change(world.database, world.rooms) as work:
            await recalls.note(work, asked.whose.conversation_id, first.view)
        await world.alter(Message, turn.message_id, forgotten_at=now())

        assert (await memory.recaller.again(asked)).items == ()

    async def test_a_later_round_never_looks(self, memory, ana):
        await memory.told(ana, MONEY)
        found = await memory.recaller.again(await memory.asked(ana))

        assert (found.items, memory.index.asked) == ((), [])
