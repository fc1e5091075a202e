"""The offline assistant by meaning: what no words name, and what was recalled. Vectors are given by the test."""

from datetime import UTC, datetime

import pytest

from tests.workers.llm.tools import FILES, TASKS
from workers.llm.offline.assistant import OfflineAssistant
from workers.llm.offline.meaning import Meaning
from workers.llm.port import AssistantSaid, CallAsked, ModelRequest, Recalled, TextDelta, UserSaid
from workers.memory.port import MemoryUnavailable

AT = datetime(2026, 11, 20, tzinfo=UTC)
MONEY = Recalled("msg_1", "own", "I have $5000", AT)


class Likeness:
    """An embedder in which texts lie on axes: those named in `near` on the axis of that name, others alone."""

    model = "axes"
    is_ready = True

    def __init__(self, near: dict[str, tuple[str, float]]) -> None:
        self.near = near
        self.fails = False

    async def embed(self, texts):
        if self.fails:
            raise MemoryUnavailable("Memory has stopped.")
        return [self._vector(text) for text in texts]

    def _vector(self, text):
        axis, share = self.near.get(text, (text, 1.0))
        vector = [0.0] * 4096
        vector[hash(axis) % 2048] = share
        vector[2048 + hash(text) % 2048] = (1 - share**2) ** 0.5
        return vector


async def ask(assistant, *entries, recalled=(), tools=TASKS + FILES):
    request = ModelRequest("", entries, tools, first_reply=False, recalled=recalled)
    items = [item async for item in assistant.stream(request)]
    text = "".join(item.text for item in items if isinstance(item, TextDelta))
    return text, [(item.name, item.arguments) for item in items if isinstance(item, CallAsked)]


@pytest.fixture
def likeness():
    return Likeness({"Anything pending?": ("list my tasks", 0.6), "list my tasks": ("list my tasks", 1.0)})


class TestActions:
    async def test_the_nearest_is_chosen_and_says_so(self, likeness):
        text, calls = await ask(OfflineAssistant(embedder=likeness), UserSaid("Anything pending?"))

        assert calls == [("tasks.list", {})]
        assert text == "By its meaning I take this as: list task."

    async def test_what_is_far_is_not_guessed(self, likeness):
        likeness.near["Anything pending?"] = ("list my tasks", 0.3)
        text, calls = await ask(OfflineAssistant(embedder=likeness), UserSaid("Anything pending?"))

        assert calls == []
        assert text.startswith("I did not find an action")

    async def test_two_that_are_as_near_are_not_guessed(self, likeness):
        likeness.near["list files"] = ("list my tasks", 0.99)
        _, calls = await ask(OfflineAssistant(embedder=likeness), UserSaid("Anything pending?"))

        assert calls == []

    async def test_what_has_no_form_is_asked_for_and_the_answer_understood(self, likeness):
        likeness.near |= {"Jot this down": ("add", 0.7), "add": ("add", 1.0)}
        assistant = OfflineAssistant(embedder=likeness)
        question, calls = await ask(assistant, UserSaid("Jot this down"))
        _, answered = await ask(assistant, UserSaid("Jot this down"), AssistantSaid(question), UserSaid("Buy bread"))

        assert calls == []
        assert question.endswith("?")
        assert answered == [("tasks.add", {"title": "Buy bread"})]

    async def test_words_come_first(self, likeness):
        likeness.near["list files"] = ("delete the task", 0.9)
        _, calls = await ask(OfflineAssistant(embedder=likeness), UserSaid("list files"))

        assert calls == [("files.list", {})]


class TestRecalled:
    async def test_a_question_is_answered_with_where_it_is_from(self):
        near = Likeness({"Am I rich?": ("money", 0.8), MONEY.text: ("money", 0.8)})
        text, calls = await ask(OfflineAssistant(embedder=near), UserSaid("Am I rich?"), recalled=(MONEY,))

        assert calls == []
        assert text == (
            "I cannot work an answer out, but this is what I remember about it:\n"
            '- You told me on 20 November 2026, in another conversation: "I have $5000"'
        )

    async def test_a_document_is_told_with_its_page(self):
        page = Recalled("chk_1", "document", "The rate is 3 percent", AT, name="rates.pdf", page=2)
        text, _ = await ask(OfflineAssistant(), UserSaid("What is the rate?"), recalled=(page,))

        assert '- The document rates.pdf, page 2: "The rate is 3 percent"' in text

    async def test_without_vectors_shared_words_decide(self):
        other = Recalled("msg_2", "own", "Zebras graze", AT)
        text, _ = await ask(OfflineAssistant(), UserSaid("Do I have $5000 left?"), recalled=(other, MONEY))

        assert "I have $5000" in text
        assert "Zebras" not in text

    async def test_a_question_answers_no_question(self):
        asked = Recalled("msg_2", "own", "How is the rate?", AT)
        text, _ = await ask(OfflineAssistant(), UserSaid("What is the rate?"), recalled=(asked,))

        assert "How is the rate" not in text

    async def test_a_statement_is_not_answered_from_memory(self):
        text, _ = await ask(OfflineAssistant(), UserSaid("I have $5000 too"), recalled=(MONEY,))

        assert "remember" not in text

    async def test_an_embedder_that_fails_changes_nothing(self):
        near = Likeness({})
        near.fails = True
        text, _ = await ask(OfflineAssistant(embedder=near), UserSaid("Do I have $5000 left?"), recalled=(MONEY,))

        assert "I have $5000" in text

    async def test_vectors_of_another_model_are_not_kept(self):
        near = Likeness({})
        meaning = Meaning(near)
        await meaning.read([], [], [])
        near.model = "other"

        assert (await meaning.read([], [], [])).tools == {}
