"""The index: what a scope may see, however names are spelt; two rankings in one; what it does without tables."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from core.permissions import Principal
from tests.workers.memory.stage import Stage
from workers.memory.index import LanceIndex
from workers.memory.port import MemoryUnavailable, Scope

HOSTILE = [
    "' OR '1'='1",
    "' OR workspace_id != '",
    "x' OR 1=1 --",
    "x'; DROP TABLE messages_1; --",
    '" OR ""="',
    "`workspace_id`",
    "%",
    "*",
    "\\' OR true --",
    "x\x00' OR 1=1",
    "workspace_id IS NOT NULL",
    "' UNION SELECT * FROM messages_1 WHERE 'a'='a",
    "\u2019 OR 1=1",
    "') OR ('1'='1",
    "",
    "a" * 100_000,
]


@pytest.fixture
async def two(stage: Stage) -> tuple[Principal, Principal]:
    """Ana and Ben of two workspaces, each with a talk, a fact and a document."""
    people = (await stage.person(), await stage.person())
    for who in people:
        conversation_id = await stage.conversation(who)
        await stage.talk(who, conversation_id, "the harbour is closed on Sundays", "noted about the harbour")
        await stage.know(who, "lives near the harbour")
        await stage.upload(who, None, "harbour rules, first page", "harbour rules, second page")
    await stage.learn()
    return people


class TestScope:
    async def test_everybody_sees_their_own(self, stage: Stage, two: tuple[Principal, Principal]):
        found = [await stage.find(who, "harbour", limit=20) for who in two]

        assert [len(hits) for hits in found] == [5, 5]
        assert {hit.id for hit in found[0]}.isdisjoint(hit.id for hit in found[1])
        assert {hit.kind for hit in found[0]} == {"message", "fact", "document"}

    async def test_a_hostile_name_is_only_a_name(self, stage: Stage, two: tuple[Principal, Principal]):
        ana = two[0]
        scope = Scope(ana.workspace_id, ana.user_id, "", alone=True)
        vector = (await stage.embedder.embed(["harbour"]))[0]

        for evil in HOSTILE:
            for changed in (
                replace(scope, workspace_id=evil),
                replace(scope, user_id=evil),
                replace(scope, conversation_id=evil or "-", alone=False),
            ):
                hits = await stage.index.search(changed, "harbour", vector, kinds=("message", "fact"), limit=50)
                assert hits == [], evil

    async def test_a_hostile_question_finds_nothing_of_others(self, stage: Stage, two: tuple[Principal, Principal]):
        mine = {hit.id for hit in await stage.find(two[0], "harbour", limit=50)}

        for evil in HOSTILE:
            assert {hit.id for hit in await stage.find(two[0], evil, limit=50)} <= mine, evil

    async def test_among_others_only_the_conversation_and_the_documents_of_all(self, stage: Stage):
        ana = await stage.person()
        here, elsewhere = await stage.conversation(ana), await stage.conversation(ana)
        for conversation_id in (here, elsewhere):
            await stage.talk(ana, conversation_id, "the harbour is closed")
            await stage.upload(ana, conversation_id, "harbour papers")
        await stage.upload(ana, None, "harbour rules")
        await stage.know(ana, "lives near the harbour")
        await stage.learn()

        found = await stage.find(ana, "harbour", conversation_id=here, alone=False, limit=50)
        alone = await stage.find(ana, "harbour", conversation_id=here, limit=50)

        assert Counter((hit.kind, hit.conversation_id) for hit in found) == {
            ("message", here): 2, ("document", here): 1, ("document", None): 1
        }  # fmt: skip
        assert {hit.conversation_id for hit in alone} == {here, elsewhere, None}


class TestRanking:
    async def test_what_both_rankings_like_is_first(self, stage: Stage):
        ana = await stage.person()
        conversation_id = await stage.conversation(ana)
        for text in ("my dentist is in Elm Street", "the dog is called Bruno", "we fly to Lisbon in May"):
            await stage.talk(ana, conversation_id, text)
        await stage.learn()

        hits = await stage.find(ana, "where is my dentist", kinds=("message",), limit=3)

        assert (hits[0].vector_rank, hits[0].text_rank) == (1, 1)
        assert hits[0].similarity is not None
        assert hits[0].similarity > 0.3
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert len({hit.id for hit in hits}) == len(hits)

    async def test_words_alone_are_enough(self, stage: Stage):
        ana = await stage.person()
        await stage.talk(ana, await stage.conversation(ana), "the dentist, 我们在北京见面, naïve")
        await stage.learn()
        scope = Scope(ana.workspace_id, ana.user_id, "", alone=True)

        for words in ("dentists", "北京", "naive"):
            hits = await stage.index.search(scope, words, None, kinds=("message",), limit=3)
            assert [(hit.vector_rank, hit.text_rank, hit.similarity) for hit in hits] == [(None, 1, None)], words

    async def test_another_models_vector_is_left_out(self, stage: Stage):
        ana = await stage.person()
        await stage.talk(ana, await stage.conversation(ana), "the dentist")
        await stage.learn()
        scope = Scope(ana.workspace_id, ana.user_id, "", alone=True)

        hits = await stage.index.search(scope, "dentist", [1.0, 0.0], kinds=("message",), limit=3)

        assert [(hit.vector_rank, hit.text_rank) for hit in hits] == [(None, 1)]


class TestWithoutTables:
    async def test_it_says_that_it_is_not_built(self, stage: Stage):
        ana = await stage.person()

        with pytest.raises(MemoryUnavailable):
            await stage.find(ana, "anything")

    async def test_many_may_ask_at_once_while_it_opens(self, stage: Stage):
        ana = await stage.person()
        await stage.talk(ana, await stage.conversation(ana), "the dentist")
        await stage.learn()
        stage.index = LanceIndex(stage.folder)

        found = await asyncio.gather(*(stage.find(ana, "dentist") for _ in range(8)))

        assert {len(hits) for hits in found} == {2}
