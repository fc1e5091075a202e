"""What a message comes near to, when its words fit nothing: an action, or something that was recalled."""

import asyncio
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import mul

from workers.llm.offline import phrases
from workers.llm.offline.talk import Exchange
from workers.llm.offline.tools import Tool
from workers.llm.offline.words import content_words
from workers.llm.port import Recalled
from workers.memory.port import Embedder, MemoryUnavailable, Vector

NEAR, MARGIN = 0.42, 0.04
"""An action is chosen from this cosine on, when the next one is so much farther. Measured with the bundled model."""
ANSWERS, BESIDE = 0.35, 0.75
"""A recalled text answers from this cosine on; others beside it when they have this share of the best one's."""
MOST_TOLD = 3
SECONDS = 2.0
_SLOT = re.compile(r"\{\w+\}")


@dataclass(frozen=True)
class Meant:
    """What messages come near to: `tools` by message; `told` answers the last one, best first."""

    tools: dict[str, Tool] = field(default_factory=dict)
    told: tuple[Recalled, ...] = ()


NOTHING = Meant()


class Meaning:
    """Compares by vectors where an embedder is ready; recalled texts by their words where it is not."""

    def __init__(self, embedder: Embedder | None) -> None:
        """Take the embedder, if memory is there."""
        self._embedder = embedder
        self._model = ""
        self._vectors: dict[str, Vector] = {}

    async def read(self, talk: Sequence[Exchange], tools: Sequence[Tool], recalled: Sequence[Recalled]) -> Meant:
        """Give what the last message, and the one before, come near to. It never raises."""
        asked = [one.said for one in talk[-2:] if one.said.strip()]
        if not asked:
            return NOTHING
        by_words = Meant(told=_sharing_words(talk[-1].said, recalled))
        if self._embedder is None or not self._embedder.is_ready:
            return by_words
        try:
            async with asyncio.timeout(SECONDS):
                return await self._by_vectors(self._embedder, asked, tools, recalled)
        except (MemoryUnavailable, TimeoutError):
            return by_words

    async def _by_vectors(
        self, embedder: Embedder, asked: Sequence[str], tools: Sequence[Tool], recalled: Sequence[Recalled]
    ) -> Meant:
        if embedder.model != self._model:
            self._vectors, self._model = {}, embedder.model
        examples = {tool.name: _examples(tool) for tool in tools}
        unknown = [text for texts in examples.values() for text in texts if text not in self._vectors]
        vectors = await embedder.embed([*asked, *(one.text for one in recalled), *unknown])
        self._vectors |= zip(unknown, vectors[len(asked) + len(recalled) :], strict=True)
        chosen = {
            said: tool
            for said, vector in zip(asked, vectors, strict=False)
            if (tool := self._nearest(vector, tools, examples)) is not None
        }
        likeness = [cosine(vectors[len(asked) - 1], one) for one in vectors[len(asked) : len(asked) + len(recalled)]]
        told = _answering(asked[-1], recalled, likeness)
        return Meant({} if told and phrases.is_question(asked[-1]) else chosen, told)

    def _nearest(self, vector: Vector, tools: Sequence[Tool], examples: dict[str, list[str]]) -> Tool | None:
        scores = [(max(cosine(vector, self._vectors[one]) for one in examples[tool.name]), tool) for tool in tools]
        ranked = sorted(scores, key=lambda pair: -pair[0])
        if not ranked or ranked[0][0] < NEAR:
            return None
        if len(ranked) > 1 and ranked[0][0] - ranked[1][0] < MARGIN:
            return None
        return ranked[0][1]


def cosine(one: Vector, other: Vector) -> float:
    """Give how alike two unit vectors are."""
    return math.fsum(map(mul, one, other))


def _examples(tool: Tool) -> list[str]:
    """Give the sentences that ask for a tool, and what it does, without placeholders."""
    texts = (" ".join(_SLOT.sub(" ", one).split()) for one in tool.spec.examples)
    return [tool.spec.description, *(one for one in texts if one)]


def _answering(said: str, recalled: Sequence[Recalled], likeness: Sequence[float]) -> tuple[Recalled, ...]:
    if not phrases.is_question(said):
        return ()
    ranked = sorted(zip(likeness, range(len(recalled)), strict=True), reverse=True)
    best = ranked[0][0] if ranked else 0.0
    near = [recalled[place] for score, place in ranked if score >= max(ANSWERS, best * BESIDE)]
    return tuple(one for one in near if not _asks(one))[:MOST_TOLD]


def _sharing_words(said: str, recalled: Sequence[Recalled]) -> tuple[Recalled, ...]:
    if not phrases.is_question(said):
        return ()
    words = set(content_words(said)) - phrases.QUESTION_WORDS
    shared = [(len(words & set(content_words(one.text))), one) for one in recalled if not _asks(one)]
    ranked = sorted((pair for pair in shared if pair[0]), key=lambda pair: -pair[0])
    return tuple(one for _, one in ranked[:MOST_TOLD])


def _asks(one: Recalled) -> bool:
    """Whether it is itself a question, which answers none."""
    return one.origin in {"own", "other"} and one.text.rstrip().endswith("?")
