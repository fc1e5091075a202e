"""What is asked of memory beside recall: vectors asked for before, and looking things up by meaning."""

from collections.abc import Sequence
from pathlib import Path

from core.clock import now
from core.ids import new_id
from core.store import lookups
from core.store.database import Database
from tests.doubles.embedder import WordEmbedder
from tests.world import World
from workers.memory.embedder import URGENT_TEXTS, ChildEmbedder
from workers.memory.embedding_cache import KEPT, AskedBefore
from workers.memory.look_up import Answerer
from workers.memory.port import Hit, Vector


class TestVectorsOfWhatWasAsked:
    async def test_the_same_text_is_embedded_once(self):
        embedder = WordEmbedder()
        asked = AskedBefore(embedder)

        first = await asked.embed(["where is my bike", "tea"])
        again = await asked.embed(["tea", "milk", "where is my bike", "milk"])

        assert [again[0], again[2]] == [first[1], first[0]]
        assert again[1] == again[3] == (await WordEmbedder().embed(["milk"]))[0]
        assert embedder.asked == ["where is my bike", "tea", "milk"]

    async def test_many_go_in_pieces_before_what_is_only_to_be_learned(self):
        sizes: list[int] = []

        class Counting(WordEmbedder):
            async def embed(self, texts: Sequence[str]) -> list[Vector]:
                sizes.append(len(texts))
                return await super().embed(texts)

        texts = [f"example {number}" for number in range(10)]
        assert await AskedBefore(Counting()).embed(texts) == await WordEmbedder().embed(texts)
        assert max(sizes) <= URGENT_TEXTS

    async def test_another_model_is_asked_anew(self):
        embedder = WordEmbedder()
        asked = AskedBefore(embedder)
        await asked.embed(["tea"])
        embedder._model = "other"

        await asked.embed(["tea"])

        assert embedder.asked == ["tea", "tea"]

    async def test_the_oldest_go(self):
        embedder = WordEmbedder()
        asked = AskedBefore(embedder)
        await asked.embed(["tea"])
        for number in range(KEPT):
            await asked.embed([f"question {number}"])

        await asked.embed(["tea"])

        assert embedder.asked.count("tea") == 2


class Ranked:
    """An index that gives these likenesses, the nearest first."""

    def __init__(self, *found: tuple[str, float | None, int | None]) -> None:
        self.found = found

    async def search(self, *_args: object, **_more: object) -> list[Hit]:
        return [
            Hit("message", one, 0.1, place, text_rank, None, now(), similarity)
            for place, (one, similarity, text_rank) in enumerate(self.found, 1)
        ]


class TestLookingUp:
    async def test_the_nearest_of_nothing_is_not_near(self, database: Database):
        ana = await World(database).person()
        async with database.writing() as session:
            lookup_id = lookups.add(session, ana, "quantum chromodynamics", None)
        near, far, sharing_a_word, words_only = (new_id("msg") for _ in range(4))
        index = Ranked((near, 0.6, None), (far, 0.12, None), (sharing_a_word, 0.05, 1), (words_only, None, 2))

        answer = await Answerer(database, WordEmbedder(), index).look_up(lookup_id)

        assert [one.id for one in answer.found] == [near]

    async def test_why_there_is_no_answer_is_the_embedders_word(self, database: Database):
        ana = await World(database).person()
        async with database.writing() as session:
            lookup_id = lookups.add(session, ana, "bikes", None)
        embedder = ChildEmbedder(Path("nowhere"))
        embedder.sentence = "Memory is off. There is no such file."

        answer = await Answerer(database, AskedBefore(embedder), Ranked()).look_up(lookup_id)

        assert (answer.found, answer.reason) == ((), "Memory is off. There is no such file.")
