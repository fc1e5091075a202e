"""What somebody looks for: plain words and "phrases", and where they stand in a text. Nothing in it is an operator."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import Invalid
from core.values import Value

MAX_TERMS = 16
MAX_FRAGMENTS = 3
_AROUND = 80
_TERM = re.compile(r'"([^"]*)"?|([^\s"]+)')
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Term:
    """Words that must stand one after the other: as they were typed, and as they are compared."""

    text: str
    words: tuple[str, ...]


class Mark(Value):
    """A place that fits, in Unicode code points of its fragment's text."""

    start: int
    end: int


class Fragment(Value):
    """A part of a text around places that fit; `offset` is where it begins in the whole text."""

    text: str
    offset: int
    marks: tuple[Mark, ...]


def terms_of(query: str) -> Sequence[Term]:
    """Read a query; raises Invalid when there is nothing to look for in it, or too much."""
    found = []
    for phrase, word in _TERM.findall(query):
        words = tuple(folded for folded, _, _ in _words(phrase or word))
        if words:
            found.append(Term(phrase or word, words))
    if not found:
        message = "There is no word to look for in this."
        raise Invalid(message)
    if len(found) > MAX_TERMS:
        message = f"At most {MAX_TERMS} words and phrases can be looked for at once."
        raise Invalid(message)
    return list(dict.fromkeys(found))


def fragments(text: str, terms: Sequence[Term]) -> tuple[Fragment, ...]:
    """Give the parts of a text to show for what was looked for; its beginning when nothing fits to the letter."""
    marks = _marks(text, terms)
    groups: list[list[Mark]] = []
    for mark in marks:
        if groups and mark.start - groups[-1][-1].end < _AROUND:
            groups[-1].append(mark)
        elif len(groups) < MAX_FRAGMENTS:
            groups.append([mark])
        else:
            break
    if not groups:
        return (Fragment(text=text[: 2 * _AROUND], offset=0, marks=()),)
    return tuple(_fragment(text, group) for group in groups)


def _fragment(text: str, marks: list[Mark]) -> Fragment:
    start, end = max(0, marks[0].start - _AROUND), min(len(text), marks[-1].end + _AROUND)
    if start:
        start = text.find(" ", start, marks[0].start) + 1 or start
    if end < len(text):
        cut = text.rfind(" ", marks[-1].end, end)
        end = cut if cut > 0 else end
    inside = tuple(Mark(start=mark.start - start, end=mark.end - start) for mark in marks)
    return Fragment(text=text[start:end], offset=start, marks=inside)


def _marks(text: str, terms: Sequence[Term]) -> list[Mark]:
    words = list(_words(text))
    by_first: dict[str, list[Term]] = {}
    for term in terms:
        by_first.setdefault(term.words[0], []).append(term)
    marks: list[Mark] = []
    for place, (folded, start, _) in enumerate(words):
        for term in by_first.get(folded, ()):
            found = words[place : place + len(term.words)]
            if tuple(one for one, _, _ in found) == term.words and (not marks or start >= marks[-1].end):
                marks.append(Mark(start=start, end=found[-1][2]))
    return marks


def _words(text: str) -> Iterator[tuple[str, int, int]]:
    """Give each word as it is compared (no case, no diacritics), with where it begins and ends."""
    for found in _WORD.finditer(text):
        yield fold(found.group()), found.start(), found.end()


def fold(word: str) -> str:
    """Give a word as it is compared: without case and diacritics."""
    plain = unicodedata.normalize("NFD", word.casefold())
    return "".join(one for one in plain if not unicodedata.combining(one)) or word
