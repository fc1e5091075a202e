"""What a model said about a turn, read strictly: JSON with facts and suggestions, or nothing at all."""

import json
import re

from pydantic import ValidationError

from core.secrecy import looks_secret
from core.text import clean_text, reveal
from core.values import Value
from workers.reflecting.follow_ups import LONGEST as LONGEST_SUGGESTION
from workers.reflecting.follow_ups import MOST as MOST_SUGGESTIONS
from workers.reflecting.follow_ups import is_presentable

MOST_FACTS = 5
LONGEST_FACT = 300
_MOST_READ = 20_000
_WORD = re.compile(r"[^\W_]{3,}")
_STEM = 4
_EMPTY = frozenset(
    _WORD.findall(
        "the user users person their they them his her hers has have had was were are that this with from for and not "
        "but who whom what when where which lives live likes like wants want name named called prefers prefer works "
        "work about into over always never often usually very"
    )
)


class Learnt(Value):
    """What is to be kept of a turn, and what may be said next."""

    facts: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()


def read(answer: str, said: str) -> Learnt:
    """Give what a model's answer says; nothing when it is not exactly what was asked for.

    A fact is kept only when words of it are in `said`, the person's own message: what a tool or a document slipped
    into the talk is no fact about anybody, whatever the model made of it.
    """
    found = _parsed(answer)
    facts = (" ".join(reveal(clean_text(one)).split()) for one in found.facts[:MOST_FACTS])
    offered = (" ".join(clean_text(one).split()) for one in found.suggestions)
    return Learnt(
        facts=tuple(dict.fromkeys(one for one in facts if _is_fact(one, said))),
        suggestions=tuple(dict.fromkeys(one for one in offered if _is_offer(one)))[:MOST_SUGGESTIONS],
    )


def _parsed(answer: str) -> Learnt:
    start, end = answer.find("{"), answer.rfind("}")
    if start < 0 or end < start or len(answer) > _MOST_READ:
        return Learnt()
    try:
        return Learnt.model_validate(json.loads(answer[start : end + 1]))
    except (ValueError, RecursionError, ValidationError):
        return Learnt()


def _is_fact(fact: str, said: str) -> bool:
    return 0 < len(fact) <= LONGEST_FACT and not looks_secret(fact) and is_grounded(fact, said)


def _is_offer(text: str) -> bool:
    return len(text) <= LONGEST_SUGGESTION and is_presentable(text) and not looks_secret(text)


def is_grounded(fact: str, said: str) -> bool:
    """Whether at least one word that carries meaning is in both texts, by its beginning."""
    return bool(_stems(fact) & _stems(said))


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in _WORD.findall(text.casefold()) if word not in _EMPTY}
