"""What a message is for, and how hard it is."""

import pytest

from tests.doubles.embedder import WordEmbedder
from workers.thinking.intent import EXAMPLES, IntentReader, by_words, complexity_of

SAID = {
    "Thanks a lot!": "thanks",
    "Hello": "small_talk",
    "Good morning!": "small_talk",
    "remember that I like tea": "remember",
    "Remember to call Bo": "action",
    "/do tasks.list": "action",
    "What is the time?": "question",
    "No, the other one": "correction",
    "This does not work at all": "complaint",
    "I live in Hamburg": "remember",
    "Please delete the old file": "action",
}


class TestWords:
    @pytest.mark.parametrize(("said", "intent"), SAID.items())
    def test_plain_words_tell(self, said, intent):
        found = by_words(said)

        assert found is not None
        assert found[0] == intent
        assert 0 < found[1] <= 1

    def test_what_nothing_tells_is_not_guessed(self):
        reading = IntentReader(None).read("purple monkey", None)

        assert (reading.intent, reading.confidence) == (None, None)


class TestLikeness:
    async def test_the_nearest_examples_tell(self):
        embedder = WordEmbedder()
        reader = IntentReader(embedder)
        said = "so my order never arrived, and nobody there answers"
        [vector] = await embedder.embed([said])
        first = reader.read(said, vector)
        await reader.prepared()
        second = reader.read(said, vector)

        assert first.intent is None
        assert second.intent == "complaint"
        assert second.confidence is not None
        assert 0.5 < second.confidence <= 1

    async def test_it_prepares_once(self):
        embedder = WordEmbedder()
        reader = IntentReader(embedder)
        [vector] = await embedder.embed(["x"])
        for _ in range(3):
            reader.read("purple monkey", vector)
        await reader.prepared()
        reader.read("purple monkey", vector)

        assert len(embedder.asked) == 1 + sum(map(len, EXAMPLES.values()))

    async def test_an_embedder_that_fails_leaves_the_words(self):
        embedder = WordEmbedder()
        [vector] = await embedder.embed(["x"])
        embedder.is_ready = False
        reader = IntentReader(embedder)
        reader.read("Is it good?", vector)
        await reader.prepared()

        assert reader.read("Is it good?", vector).intent == "question"


class TestComplexity:
    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            ("Thanks!", "low"),
            ("What is the capital of Portugal?", "low"),
            ("Could you look at the three reports from last week and tell me which numbers changed?", "medium"),
            ("Compare both offers step by step", "high"),
            ("```python\nprint(1)\n```", "high"),
            ("Solve ∫ x dx", "high"),
            ("word " * 400, "high"),
        ],
    )
    def test_by_length_and_marks(self, said, expected):
        assert complexity_of(said, None) == expected
