"""Search in SQL: words, phrases, nobody else's, and nothing that a query could say beyond that."""

import pytest

from core.clock import now
from core.query import terms_of
from core.store import search
from core.tables.talk import Conversation, Message
from tests.world import World


async def found(world: World, who, query: str, conversation_id: str | None = None) -> list[str]:
    async with world.database.reading() as session:
        ids = await search.by_words(session, who, terms_of(query), conversation_id=conversation_id)
        seen = await search.shown(session, who, ids, conversation_id=conversation_id)
    return [seen[one][0].text for one in ids]


@pytest.fixture
async def ana(world: World):
    return await world.person()


@pytest.fixture
async def talk(world: World, ana) -> str:
    conversation_id = await world.conversation(ana)
    for text in ("Buy fresh bread", "Fresh cheese and bread, bread, bread", "fresh fish", 'Say "OR" NEAR text:*'):
        await world.say(ana, conversation_id, text)
    return conversation_id


class TestByWords:
    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("bread", 2),
            ("BREAD fresh", 2),
            ('"fresh bread"', 1),
            ('"bread fresh"', 0),
            ("bread fish", 0),
            ("text:*", 1),
            ("bread OR fish", 0),
            ("fresh NOT bread", 0),
            ("fre*", 0),
            ('") OR 1=1 --', 0),
            ("'; drop table messages", 0),
            ("bread AND (", 1),
            ("^fresh", 3),
            ("{text} : bread", 0),
        ],
    )
    async def test_plain_words_and_phrases_without_operators(self, world, ana, talk, query, count):
        assert len(await found(world, ana, query)) == count

    async def test_the_best_comes_first(self, world, ana, talk):
        assert (await found(world, ana, "bread"))[0].startswith("Fresh cheese")

    async def test_nobody_finds_what_others_said(self, world, ana, talk):
        bo, eve = await world.person(ana.workspace_id), await world.person()

        assert [await found(world, one, "bread") for one in (bo, eve)] == [[], []]

    async def test_what_is_deleted_or_forgotten_is_not_found(self, world, ana, talk):
        [first, _] = await world.all(Message, Message.text.contains("bread"))
        await world.alter(Message, first.id, forgotten_at=now())
        assert len(await found(world, ana, "bread")) == 1

        await world.alter(Conversation, talk, deleted_at=now())
        assert await found(world, ana, "bread") == []

        await world.alter(Conversation, talk, deleted_at=None)
        assert len(await found(world, ana, "bread")) == 1

    async def test_one_conversation_only(self, world, ana, talk):
        other = await world.conversation(ana)
        await world.say(ana, other, "bread elsewhere")

        assert await found(world, ana, "bread", other) == ["bread elsewhere"]

    async def test_it_keeps_up_with_changes_and_deletions(self, world, ana, talk):
        [message] = await world.all(Message, Message.text == "fresh fish")
        await world.alter(Message, message.id, text="no more of it")
        assert await found(world, ana, "fish") == []
        assert await found(world, ana, "more") == ["no more of it"]

        async with world.database.writing() as session:
            await session.delete(await session.get_one(Message, message.id))
        assert await found(world, ana, "more") == []

    async def test_a_huge_text_can_still_be_said(self, world, ana, talk):
        await world.say(ana, talk, " ".join(f"word{number}" for number in range(150_000)))

        assert len(await found(world, ana, "word7")) == 1
