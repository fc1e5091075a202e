"""From a message to the actions that it asks for: by the examples first, by the words that they share otherwise."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from workers.llm.offline import fill
from workers.llm.offline.align import Match, Pattern, align
from workers.llm.offline.phrases import is_request, readings, without_politeness
from workers.llm.offline.tools import Tool
from workers.llm.offline.words import content_words, is_verb, same, tokenize

ENOUGH = 0.6
MARGIN = 0.1
TIE = 0.02
MOST_CUTS = 40
_PARTS = re.compile(r"(?:\s*[,;]\s*(?:and\s+)?(?:then\s+)?|\s+and\s+(?:then\s+)?|\s+then\s+|\s*\n\s*)", re.IGNORECASE)


@dataclass(frozen=True)
class Intent:
    """An action that a message asks for: arguments found, things named, arguments still missing."""

    tool: Tool
    arguments: dict[str, Any]
    named: dict[str, str] = field(default_factory=dict)
    score: float = 0.0
    whole: bool = False
    by_meaning: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """Required properties that nothing was said about."""
        return tuple(name for name in self.tool.required if name not in self.arguments and name not in self.named)


def understand(text: str, tools: Sequence[Tool]) -> list[Intent]:
    """Give the actions that the text asks for, in its order; none when it asks for nothing that is known."""
    if not is_request(text):
        return []
    whole = best_intent(text, tools)
    parts = _parts(without_politeness(text))
    if len(parts) > 1:
        several = [best_intent(part, tools) for part in parts]
        found = [one for one in several if one is not None and not one.missing]
        if len(found) == len(parts):
            return found
    return [whole] if whole is not None else []


def _parts(text: str) -> list[str]:
    """Cut at "and", commas and line ends outside quotes, before each word that is a verb."""
    quotes = [(one.start, one.end) for one in tokenize(text) if one.quoted]
    cuts = [
        found.span()
        for found in islice(_PARTS.finditer(text), MOST_CUTS)
        if not any(start <= found.start() < end for start, end in quotes)
        and (words := content_words(text[found.end() : found.end() + 60])[:1])
        and (is_verb(words[0]) or words[0] == "remind")
    ]
    starts = [0, *(end for _, end in cuts)]
    ends = [*(start for start, _ in cuts), len(text)]
    return [part for start, end in zip(starts, ends, strict=True) if (part := text[start:end].strip())]


def best_intent(text: str, tools: Sequence[Tool]) -> Intent | None:
    """Give the one action that the text asks for; None when none fits well, or two fit equally well."""
    found = [one for reading in readings(text) for one in _by_example(reading, tools)]
    found = found or _by_words(text, tools)
    ranked = sorted(found, key=lambda intent: (-intent.score, len(intent.missing)))
    if not ranked or ranked[0].score < ENOUGH:
        return None
    rivals = [one for one in ranked if one.tool.name != ranked[0].tool.name]
    if rivals and ranked[0].score - rivals[0].score < TIE and len(rivals[0].missing) <= len(ranked[0].missing):
        return None
    return ranked[0]


def _by_example(text: str, tools: Sequence[Tool]) -> list[Intent]:
    tokens = tokenize(text)
    found: list[Intent] = []
    for tool in tools:
        for pattern in tool.patterns:
            match = align(pattern, tokens)
            if match is not None and (intent := _from_match(text, tool, pattern, match, tools)) is not None:
                found.append(intent)
    return found


def _from_match(text: str, tool: Tool, pattern: Pattern, match: Match, tools: Sequence[Tool]) -> Intent | None:
    slots = {name: text[start:end] for name, (start, end) in match.slots.items()}
    filled = fill.from_slots(tool, slots, with_noun=bool(match.words & tool.nouns))
    exact = [token.plain for token in tokenize(text)] == [piece.word for piece in pattern.pieces]
    if filled is None or not (match.firm or filled.sure or exact):
        return None
    others = frozenset(word for other in tools if other.namespace != tool.namespace for word in [other.noun]) - {""}
    strange = others & frozenset(word for value in slots.values() for word in content_words(value)[:1])
    arguments = filled.arguments | fill.keyed(tool, text, tuple(filled.arguments))
    intent = Intent(tool, arguments, filled.named, match.score, whole=not pattern.slots)
    if filled.sure or (not pattern.slots and not intent.missing):
        return replace(intent, score=match.score + 0.5)
    return replace(intent, score=match.score - 0.4) if strange else intent


def _by_words(text: str, tools: Sequence[Tool]) -> list[Intent]:
    """Rank by shared words, rare ones counting more. The verb has to be there; a bare question counts as "list"."""
    said = [word for reading in readings(text) for word in content_words(reading)]
    if not any(is_verb(word) for word in said) and text.rstrip().endswith("?"):
        said.insert(0, "list")  # in front: the word is ours, and names nothing that was asked about
    known = Counter(word for tool in tools for word in tool.words)
    found = [(one, tool) for tool in tools if (one := _shared(said, tool, known, len(tools))) > 0]
    ranked = sorted(found, key=lambda pair: -pair[0])
    if not ranked or (len(ranked) > 1 and ranked[0][0] - ranked[1][0] < MARGIN):
        return []
    score, tool = ranked[0]
    filled = fill.from_text(tool, text)
    return [Intent(tool, filled.arguments, filled.named, score)]


def _shared(said: Sequence[str], tool: Tool, known: Counter[str], count: int) -> float:
    """Give the share, by weight, of the said words that speak for the tool; 0 without verb and noun."""
    if not any(same(word, verb) for word in said for verb in tool.verbs) or not set(said[1:]) & tool.nouns:
        return 0.0

    def weight(word: str) -> float:
        return 0.3 if word not in known and not is_verb(word) else math.log(1 + (count + 1) / (1 + known[word]))

    matched = sum(weight(word) for word in said if any(same(word, own) for own in tool.words))
    return matched / (sum(weight(word) for word in said) or 1.0)
