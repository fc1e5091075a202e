"""What a message is for, and how hard it is: by the nearest of some labelled sentences, by a few words otherwise."""

import asyncio
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from typing import Literal

from workers.memory.port import Embedder, MemoryUnavailable, Vector

Complexity = Literal["low", "medium", "high"]

EXAMPLES: dict[str, tuple[str, ...]] = {
    "question": (
        "What is the capital of Portugal?", "How does a heat pump work?", "Why is the build failing?",
        "When is my next appointment?", "Who wrote this report?", "Which of these two is cheaper?",
        "How much money do I have?", "Can you explain what this means?", "Is it going to rain tomorrow?",
        "What did I tell you about my budget?", "Tell me about the history of Lisbon.", "Where did I put the contract?",
    ),
    "action": (
        "Add milk to my shopping list.", "Delete the old task.", "Send Ana an e-mail about the meeting.",
        "Remind me to call the dentist tomorrow.", "Create a new file with these notes.", "Show me my open tasks.",
        "Book a table for two on Friday.", "Refund the customer 240 euros.", "Write a letter to the landlord.",
        "Cancel my order.", "Read the file notes.txt.", "Mark the report as done.",
    ),
    "small_talk": (
        "Hello!", "Good morning, how are you?", "Hi there", "What's up?", "Nice to meet you.",
        "Have a good weekend!", "Tell me a joke.", "You are funny.", "See you later, bye!",
    ),
    "remember": (
        "Remember that I am allergic to nuts.", "I have $5000 in savings.", "My wife's name is Clara.",
        "I live in Hamburg.", "Note that my birthday is the third of May.", "Keep in mind that I prefer short answers.",
        "For your information, our office moved to the second floor.", "I work as a teacher.",
    ),
    "correction": (
        "No, that is not what I meant.", "That's wrong, it was on Tuesday.", "I meant the other file.",
        "Actually, make it three instead of two.", "You misunderstood me.", "Not that one, the first one.",
        "Please correct the date, it is the 5th.",
    ),
    "thanks": (
        "Thank you!", "Thanks a lot, that helped.", "Great, perfect.", "Much appreciated.", "Cheers, well done.",
        "That was very helpful, thank you so much.",
    ),
    "complaint": (
        "This does not work at all.", "I am very unhappy with the service.", "You keep making the same mistake.",
        "My order never arrived and nobody answers.", "This is unacceptable.", "Why does it take so long?",
        "The product broke after one day.",
    ),
}  # fmt: skip
_NEAREST, _UNRELATED, _ALIKE = 5, 0.15, 0.65
_PREPARING_SECONDS = 30.0

_RULES: tuple[tuple[str, float, re.Pattern[str]], ...] = tuple(
    (intent, confidence, re.compile(pattern, re.IGNORECASE))
    for intent, confidence, pattern in (
        ("action", 0.99, r"^\s*/do\b"),
        ("remember", 0.9, r"^(?:please\s+)?(?:remember (?!to\b)|keep in mind\b|note that\b|forget\b)"),
        ("action", 0.8, r"^(?:please\s+)?remember to\b"),
        ("thanks", 0.9, r"^(?:thanks|thank you|thx|cheers)\b[^?]{0,60}$"),
        ("small_talk", 0.9, r"^(?:hi|hello|hey|good (?:morning|afternoon|evening)|bye|goodbye)\b[\s,!.\w]{0,30}\??$"),
        ("correction", 0.7, r"^(?:no|nope|actually|wrong)\b[,.\s]|\bi meant\b|\bnot what i (?:meant|asked)\b"),
        ("complaint", 0.6, r"\b(?:unacceptable|does(?:n't| not) work|never works|complain|annoyed|unhappy with)\b"),
        ("question", 0.85, r"^(?:what|who|whom|whose|when|where|why|how|which)\b.*\?\s*$"),
        ("question", 0.6, r"\?\s*$|^(?:what|who|whom|whose|when|where|why|how|which|is|are|does|do|did|was|were)\b"),
        ("remember", 0.4, r"^(?:i (?:am|have|live|work|like|prefer|was|own)|i'm|my \w+(?:'s \w+)? (?:is|are))\b"),
        (
            "action",
            0.4,
            r"^(?:please\s+)?(?:add|create|delete|remove|send|show|list|write|read|open|make|book|cancel)\b",
        ),
    )
)
_HARD = re.compile(
    r"```|^\s{4}\S.*[;{}]\s*$|\bdef \w+\(|\bSELECT\b.+\bFROM\b|[∑∫√≤≥≠]|\\(?:frac|int|sum)\b|\d\s*[*/^=]\s*\(|"
    r"\b(?:prove|derive|step by step|compare|analy[sz]e|refactor|debug|trade-?offs?|design|optimi[sz]e|evaluate)\b",
    re.IGNORECASE | re.MULTILINE,
)
_LONG, _SHORT, _WORDS_OF_EASY = 1500, 200, 12
_EASY = frozenset({"small_talk", "thanks", "remember"})


@dataclass(frozen=True)
class Reading:
    """What a message is for, None when nothing tells; `confidence` is 0 to 1."""

    intent: str | None
    confidence: float | None
    complexity: Complexity


class IntentReader:
    """Reads messages. The examples are embedded once, in the background, when the embedder is ready."""

    def __init__(self, embedder: Embedder | None) -> None:
        """Without an embedder, words decide."""
        self._embedder = embedder
        self._known: list[tuple[str, Vector]] = []
        self._preparing: asyncio.Task[None] | None = None

    def read(self, text: str, vector: Vector | None) -> Reading:
        """Give the intent of a message with this vector, at once. Plain words count more than likeness."""
        found = by_words(text)
        if vector is not None and (found is None or found[1] < _ALIKE):
            self._prepare()
            nearest = _nearest(vector, self._known)
            if nearest is not None and (found is None or nearest[1] > found[1]):
                found = nearest
        intent, confidence = found or (None, None)
        return Reading(intent, confidence, complexity_of(text, intent))

    async def prepared(self) -> None:
        """Wait until the examples are embedded, if that is under way."""
        if self._preparing is not None:
            await self._preparing

    def _prepare(self) -> None:
        if self._known or self._embedder is None or self._preparing is not None:
            return
        self._preparing = asyncio.create_task(self._embed(self._embedder))
        self._preparing.add_done_callback(lambda _: setattr(self, "_preparing", None))

    async def _embed(self, embedder: Embedder) -> None:
        said = [(intent, text) for intent, texts in EXAMPLES.items() for text in texts]
        try:
            async with asyncio.timeout(_PREPARING_SECONDS):
                vectors = await embedder.embed([text for _, text in said])
        except (MemoryUnavailable, TimeoutError):
            return  # the next message tries again
        self._known = [(intent, vector) for (intent, _), vector in zip(said, vectors, strict=True)]


def by_words(text: str) -> tuple[str, float] | None:
    """Give the intent that plain words show, with how sure that is."""
    said = text.strip()
    return next(((intent, confidence) for intent, confidence, rule in _RULES if rule.search(said)), None)


def complexity_of(text: str, intent: str | None) -> Complexity:
    """Give how hard a message is, by its length, its intent, and marks of code, mathematics and reasoning."""
    if len(text) > _LONG or _HARD.search(text):
        return "high"
    if intent in _EASY and len(text) <= _SHORT:
        return "low"
    return "low" if len(text.split()) <= _WORDS_OF_EASY and "\n" not in text.strip() else "medium"


def cosine(one: Vector, other: Vector) -> float:
    """Give how alike two unit vectors are, -1 to 1."""
    return math.fsum(map(mul, one, other))


def _nearest(vector: Vector, known: Sequence[tuple[str, Vector]]) -> tuple[str, float] | None:
    """Give the intent of the nearest examples: their share of the likeness, less where even they are not near."""
    ranked = sorted(((cosine(vector, other), intent) for intent, other in known), reverse=True)[:_NEAREST]
    if not ranked or ranked[0][0] < _UNRELATED:
        return None
    votes: dict[str, float] = defaultdict(float)
    for likeness, intent in ranked:
        votes[intent] += max(0.0, likeness) ** 2
    intent, most = max(votes.items(), key=lambda pair: pair[1])
    near = min(1.0, (ranked[0][0] - _UNRELATED) / (_ALIKE - _UNRELATED))
    return intent, round(most / sum(votes.values()) * near, 3)
