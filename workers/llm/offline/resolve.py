"""From "the task Buy milk", "it" or "the second one" to an id, by what lists and earlier answers say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workers.llm.offline.talk import DONE, Exchange, items_of, parsed
from workers.llm.offline.tools import Reference
from workers.llm.offline.words import content_words, tokenize

_NTH = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_ORDINALS = {word: place for place, word in enumerate(_NTH)}
_PRONOUNS = frozenset({"it", "that", "this", "them", "that one", "this one", "the one", "the same", "one"})
_PLACE = re.compile(
    rf"^(?:the\s+)?(?P<word>{'|'.join(_ORDINALS)}|last)(?:\s+(?:one|\w+))?$|^(?:number|no\.?|#)?\s*(?P<number>\d{{1,3}})[.)]?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Found:
    """The things that a name may mean: none, one, or several to ask about."""

    things: tuple[dict[str, Any], ...]


def is_pointer(said: str) -> bool:
    """Tell whether the words point at something mentioned before, rather than name it."""
    return _bare(said) in _PRONOUNS or _PLACE.match(_bare(said)) is not None


def _bare(said: str) -> str:
    return re.sub(r"\s+", " ", said.strip(" .!?\"'").lower())


def pointed_at(said: str, reference: Reference, talk: Sequence[Exchange]) -> Found:
    """Give what "it" or "the second one" means: the last list that was shown, or the last thing dealt with."""
    for exchange in reversed(talk):
        for step in reversed(exchange.steps):
            for answer in reversed(step.answers):
                if answer.status != DONE or answer.name.partition(".")[0] != reference.action.partition(".")[0]:
                    continue
                things = _things(parsed(answer), reference)
                if things:
                    return Found(tuple(pick(said, things)))
    return Found(())


def _things(result: Any, reference: Reference) -> list[dict[str, Any]]:
    listed = items_of(result)
    candidates = [result] if listed is None else listed
    return [one for one in candidates if isinstance(one, dict) and reference.value in one]


def pick(said: str, things: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the thing at the place that was said; all of them for "it"; none when the place is not there."""
    place = _PLACE.match(_bare(said))
    if place is None:
        return list(things)
    if (word := place.group("word")) is None:
        at = int(place.group("number")) - 1
    else:
        at = len(things) - 1 if word.lower() == "last" else _ORDINALS[word.lower()]
    return [things[at]] if 0 <= at < len(things) else []


def called(said: str, reference: Reference, result: Any) -> Found:
    """Give the listed things that have this name: the very name first, all its words otherwise."""
    things = _things(result, reference)
    names = {place: str(one.get(reference.match, "")) for place, one in enumerate(things)}
    nouns = content_words(reference.action.partition(".")[0])
    for fits in (_equal, _alike, lambda said, name: _holds(said, name, nouns)):
        found = [things[place] for place, name in names.items() if fits(said, name)]
        if found:
            return Found(tuple(found))
    return Found(())


def _equal(said: str, name: str) -> bool:
    return said.strip().casefold() == name.strip().casefold()


def _words(text: str) -> list[str]:
    return [token.plain.casefold() for token in tokenize(text)]


def _alike(said: str, name: str) -> bool:
    leads = {"the", "a", "an", "my"}
    return [word for word in _words(said) if word not in leads] == [word for word in _words(name) if word not in leads]


def _holds(said: str, name: str, nouns: Sequence[str]) -> bool:
    wanted = set(content_words(said)) - set(nouns)
    return bool(wanted) and wanted <= set(content_words(name))
