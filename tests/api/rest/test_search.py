"""Search over REST: own conversations, highlights as offsets, an answer though memory has none."""

import pytest

from core.messages import Found, LookupAnswer
from core.store import lookups
from core.tables.memory import Lookup
from core.tables.talk import Message
from tests.api.rest.house import House, Person
from tests.world import World


@pytest.fixture
def world(house: House) -> World:
    return World(house.database)


@pytest.fixture
async def talk(ana: Person) -> str:
    made = await ana.ask("POST", "/conversations", json={"title": "Shopping"})
    for number, text in enumerate(["Buy fresh bread", "And cheese", "More bread please"]):
        body = {"text": text, "client_message_id": f"m{number}"}
        await ana.ask("POST", f"/conversations/{made.json()['id']}/messages", json=body)
    return str(made.json()["id"])


class Meaning:
    """A memory that finds what it is told to."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.asked: list[str] = []
        self.found: list[str] = []

    async def look_up(self, lookup_id: str) -> LookupAnswer:
        async with self.house.database.reading() as session:
            row = await lookups.get(session, lookup_id)
        assert row is not None
        self.asked.append(row.text)
        return LookupAnswer(found=tuple(Found(id=one, score=1.0) for one in self.found))


@pytest.fixture
def meaning(house: House, monkeypatch) -> Meaning:
    made = Meaning(house)
    monkeypatch.setattr(house.workflows, "look_up", made.look_up)
    return made


async def message_id(world: World, text: str) -> str:
    [row] = await world.all(Message, Message.text == text)
    return row.id


class TestSearch:
    async def test_hits_say_where_and_what_fits(self, ana, talk):
        page = (await ana.ask("GET", "/search", params={"q": "FRESH"})).json()
        [hit] = page["items"]

        assert (hit["conversation_id"], hit["conversation_title"], page["total"]) == (talk, "Shopping", 1)
        assert hit["fragments"] == [{"text": "Buy fresh bread", "offset": 0, "marks": [{"start": 4, "end": 9}]}]
        assert (hit["words"], hit["meaning"]) == (True, False)

    async def test_without_memory_the_words_are_enough_and_it_says_so(self, ana, talk):
        page = (await ana.ask("GET", "/search", params={"q": "bread"})).json()

        assert (len(page["items"]), page["meaning"]) == (2, False)
        assert page["reason"].endswith(".")

    async def test_meaning_adds_and_ranks(self, ana, talk, world, meaning):
        meaning.found = [await message_id(world, "And cheese"), await message_id(world, "Buy fresh bread")]
        page = (await ana.ask("GET", "/search", params={"q": "bread"})).json()

        assert meaning.asked == ["bread"]
        assert page["items"][0]["fragments"][0]["text"] == "Buy fresh bread"
        assert [(one["words"], one["meaning"]) for one in page["items"]].count((False, True)) == 1
        assert (page["total"], page["meaning"], page["reason"]) == (3, True, None)
        assert await world.all(Lookup) == []

    async def test_memory_never_shows_what_the_person_does_not_see(self, ana, bo, talk, world, meaning):
        meaning.found = [await message_id(world, "And cheese")]
        page = (await bo.ask("GET", "/search", params={"q": "bread"})).json()

        assert page["items"] == []

    async def test_what_is_deleted_is_not_found(self, ana, talk, world, meaning):
        meaning.found = [await message_id(world, "And cheese")]
        await ana.ask("DELETE", f"/conversations/{talk}")

        assert (await ana.ask("GET", "/search", params={"q": "bread"})).json()["items"] == []

    async def test_pages_follow_each_other(self, ana, talk):
        first = (await ana.ask("GET", "/search", params={"q": "bread", "limit": 1})).json()
        second = (await ana.ask("GET", "/search", params={"q": "bread", "limit": 1, "cursor": first["next"]})).json()

        assert first["items"][0]["message_id"] != second["items"][0]["message_id"]
        assert (second["next"], second["total"]) == (None, 2)

    async def test_a_strangers_conversation_is_not_there(self, bo, eve, talk):
        query = {"q": "bread", "conversation_id": talk}

        assert [(await one.ask("GET", "/search", params=query)).status_code for one in (bo, eve)] == [404, 404]

    @pytest.mark.parametrize(
        "query",
        [{}, {"q": ""}, {"q": "***"}, {"q": "a\x00b"}, {"q": "x", "cursor": "-1"}, {"q": "x", "conversation_id": "x"}],
    )
    async def test_what_cannot_be_looked_for_is_refused(self, ana, query):
        assert (await ana.ask("GET", "/search", params=query)).status_code == 422
