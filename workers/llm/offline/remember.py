"""`remember ...` and `forget ...`: what a person asks to be kept or dropped, by fixed words, whatever model answers."""

import re

from core.secrecy import looks_secret
from workers.llm.offline.phrases import without_politeness

LONGEST = 1000
_REMEMBER = re.compile(
    r"^remember(?:\s+(?:that|this))?[\s:,]+(?!(?:to|when|how|why|who|what|where|if|whether|the time)\b)(?P<what>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_FORGET = re.compile(
    r"^forget(?:\s+(?:the fact that|that|about))?[\s:,]+"
    r"(?!(?:it|this|that|to|all|everything|me|us|him|her|them)\b[\s.!]*$|to\b)(?P<what>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_ASKED = re.compile(r"^(?:please\s+)?(?:can|could|would|will) you\b", re.IGNORECASE)
_SECRET = "I keep no passwords, keys or card numbers, so I do not remember this."  # noqa: S105  a sentence
_FULL = (
    "I have as many facts about you as I keep, so I do not remember this, unless it is one of them. "
    "Have me forget some first."
)
_LONG = f"A fact has at most {LONGEST} characters, so I do not remember this."


def to_remember(said: str) -> str | None:
    """Give what a message asks to be remembered; None when it asks for no such thing."""
    return _what(_REMEMBER, said)


def to_forget(said: str) -> str | None:
    """Give what a message asks to be forgotten; None when it asks for no such thing."""
    return _what(_FORGET, said)


def is_keepable(what: str) -> bool:
    """Whether this may be kept as a fact: no secret, not too long."""
    return len(what) <= LONGEST and not looks_secret(what)


def answer(said: str, *, full: bool = False) -> str | None:
    """Give the offline assistant's answer to such a message; None when it is none. `full`: nothing more is kept."""
    if (what := to_remember(said)) is not None:
        if not is_keepable(what):
            return _LONG if len(what) > LONGEST else _SECRET
        return _FULL if full else f"I will remember: {what}"
    if (what := to_forget(said)) is not None:
        return f"I will forget this, if it is one of your facts: {what}"
    return None


def _what(pattern: re.Pattern[str], said: str) -> str | None:
    if said.rstrip().endswith("?") and not _ASKED.match(said.strip()):
        return None
    found = pattern.match(without_politeness(said))
    return (" ".join(found["what"].split()).rstrip(" ?") or None) if found else None
