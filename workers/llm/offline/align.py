"""Lays an example, such as "delete the task {title}", along a text, and gives what stands at its placeholders."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from workers.llm.offline.words import STOP_WORDS, WEAK, Token, is_verb, looks_up, plain, same

EXACT, ALIKE, SKIPPED = 0.2, 0.15, -0.15
_PIECE = re.compile(r"\{(\w+)\}|\S+")
_FILLER = STOP_WORDS - {"have", "it", "this", "that", "these"} | {"to-do", "todo"}
_BETWEEN = frozenset({"to", "in", "into", "on", "onto", "at", "with", "for", "as", "of"})


@dataclass(frozen=True)
class Piece:
    """A word of an example, or a placeholder (`slot`)."""

    word: str
    slot: bool


@dataclass(frozen=True)
class Pattern:
    """An example as pieces; its first meaningful word is its verb."""

    pieces: tuple[Piece, ...]
    verb: int

    @property
    def slots(self) -> tuple[str, ...]:
        return tuple(piece.word for piece in self.pieces if piece.slot)


@dataclass(frozen=True)
class Match:
    """How well an example fits; `slots` are places in the text (start, end); `words` the words found in it."""

    score: float
    slots: dict[str, tuple[int, int]]
    words: frozenset[str]
    firm: bool


def compile_pattern(example: str) -> Pattern | None:
    """Read an example; None when it has no word to go by."""
    pieces: list[Piece] = []
    for found in _PIECE.finditer(re.sub(r"(\{\w+\})", r" \1 ", example.replace('"', " "))):
        if found.group(1):
            pieces.append(Piece(found.group(1), slot=True))
        elif word := plain(found.group()):
            pieces.append(Piece(word, slot=False))
    meaning = [place for place, one in enumerate(pieces) if not one.slot and one.word not in STOP_WORDS]
    verbs = [place for place in meaning if is_verb(pieces[place].word)]
    if not meaning:
        return None
    return Pattern(tuple(pieces), (verbs or meaning)[0])


@dataclass(frozen=True)
class _Found:
    score: float
    slots: tuple[tuple[str, int, int], ...] = ()
    words: tuple[str, ...] = ()


def align(pattern: Pattern, tokens: tuple[Token, ...]) -> Match | None:
    """Give the best way in which the example covers the whole text; None when there is none."""
    best = _Aligner(pattern, tokens).best(0, 0)
    if best is None:
        return None
    slots = {name: (tokens[start].start, tokens[end - 1].end) for name, start, end in best.slots}
    verb = pattern.pieces[pattern.verb].word
    return Match(1.0 + best.score, slots, frozenset(best.words), _is_firm(verb, best.words))


def _is_firm(verb: str, words: tuple[str, ...]) -> bool:
    """Tell whether the verb says enough by itself, or has a noun beside it."""
    said = [word for word in words if same(word, verb)]
    if len(words) > len(said):
        return True
    return not looks_up(verb) and any(word == verb or word not in WEAK for word in said)


class _Aligner:
    """Finds the best alignment by trying all, each once."""

    def __init__(self, pattern: Pattern, tokens: tuple[Token, ...]) -> None:
        self._pattern = pattern
        self._tokens = tokens
        self._known: dict[tuple[int, int], _Found | None] = {}

    def best(self, at: int, place: int) -> _Found | None:
        if (at, place) not in self._known:
            self._known[at, place] = None
            ways = [way for option in self._options(at, place) if (way := option()) is not None]
            self._known[at, place] = max(ways, key=lambda way: way.score, default=None)
        return self._known[at, place]

    def _options(self, at: int, place: int) -> list[Callable[[], _Found | None]]:
        options: list[Callable[[], _Found | None]] = []
        if at == len(self._pattern.pieces):
            return [lambda: _Found(0.0)] if self._only_filler(place) else []
        piece = self._pattern.pieces[at]
        if place < len(self._tokens) and self._is_filler(place):
            options.append(lambda: self.best(at, place + 1))
        if piece.slot:
            options += [lambda end=end: self._slot(at, place, end) for end in self._ends(at, place)]  # type: ignore[misc]
            return options
        if place < len(self._tokens) and self._says(place, piece.word):
            options.append(lambda: self._word(at, place))
        if at != self._pattern.verb:
            options.append(lambda: self._skip(at, place))
        return options

    def _word(self, at: int, place: int) -> _Found | None:
        word = self._pattern.pieces[at].word
        said = self._tokens[place].plain
        if word in STOP_WORDS:
            return _plus(self.best(at + 1, place + 1), 0.01)
        return _plus(self.best(at + 1, place + 1), EXACT if said == word else ALIKE, word=said)

    def _skip(self, at: int, place: int) -> _Found | None:
        return _plus(self.best(at + 1, place), 0.0 if self._pattern.pieces[at].word in STOP_WORDS else SKIPPED)

    def _slot(self, at: int, place: int, end: int) -> _Found | None:
        rest = self.best(at + 1, end)
        if rest is None:
            return None
        return _Found(rest.score, ((self._pattern.pieces[at].word, place, end), *rest.slots), rest.words)

    def _ends(self, at: int, place: int) -> list[int]:
        later = [piece.word for piece in self._pattern.pieces[at + 1 :] if not piece.slot]
        last = len(self._tokens)
        inner = [end for end in range(place + 1, last) if any(self._says(end, word) for word in later)]
        return inner + ([last] if place < last else [])

    def _says(self, place: int, word: str) -> bool:
        token = self._tokens[place]
        return not token.quoted and (same(token.plain, word) or {token.plain, word} <= _BETWEEN)

    def _is_filler(self, place: int) -> bool:
        return not self._tokens[place].quoted and self._tokens[place].plain in _FILLER

    def _only_filler(self, place: int) -> bool:
        return all(self._is_filler(one) for one in range(place, len(self._tokens)))


def _plus(found: _Found | None, score: float, word: str | None = None) -> _Found | None:
    if found is None:
        return None
    words = found.words if word is None else (word, *found.words)
    return _Found(found.score + score, found.slots, words)
