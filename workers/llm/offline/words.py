"""Words as the offline assistant sees them: tokens with their place, plain forms, and verbs that mean the same."""

import re
from dataclasses import dataclass

MAX_TOKENS = 300

_TOKEN = re.compile(
    r"\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|(?<![^\s(])'[^']+'(?!\w)|(?<![^\s(])\u2018[^\u2019]+\u2019(?!\w)|[^\s\"“”„«»]+"
)
_EDGES = "\"'“”„\u2018\u2019«».,;:!?()[]…"

# fmt: off
STOP_WORDS = frozenset({
    "a", "an", "the", "my", "our", "your", "this", "these", "some", "any", "me", "us", "i", "you", "we", "to",
    "of", "for", "on", "in", "at", "as", "is", "are", "be", "am", "do", "does", "it", "with", "from", "and",
    "please", "just", "now", "there", "that's", "its", "into", "called", "named", "titled", "saying", "has",
    "have", "all", "by",
})
# fmt: on

VERBS: dict[str, frozenset[str]] = {
    "list": frozenset(["list", "show", "display", "view", "see", "what", "which", "enumerate"]),
    "add": frozenset(["add", "create", "new", "insert", "append", "make", "put", "remind", "note"]),
    "delete": frozenset(["delete", "remove", "erase", "drop", "trash", "discard"]),
    "complete": frozenset(["complete", "finish", "done", "finished", "completed", "tick", "mark", "close"]),
    "read": frozenset(["read", "open", "show", "view", "display", "print", "cat"]),
    "write": frozenset(["write", "save", "store", "put", "create"]),
    "find": frozenset(["find", "search", "lookup", "locate"]),
    "get": frozenset(["get", "fetch", "retrieve", "show"]),
    "update": frozenset(["update", "change", "edit", "modify", "set"]),
    "send": frozenset(["send", "mail", "email", "post"]),
    "cancel": frozenset(["cancel", "revoke"]),
}
# fmt: off
WEAK = frozenset({
    "make", "put", "new", "create", "open", "close", "set", "get", "drop", "mark", "show", "view", "note",
    "post", "what", "which", "done", "finished",
})
# fmt: on
"""Verbs that mean too much: they need a noun beside them, unless the example has the very word."""

_GROUPS: dict[str, frozenset[str]] = {
    word: frozenset(name for name, words in VERBS.items() if word in words)
    for word in frozenset().union(*VERBS.values())
}


@dataclass(frozen=True)
class Token:
    """A word, or a quoted text, and where it stands."""

    plain: str
    start: int
    end: int
    quoted: bool


def plain(word: str) -> str:
    """Give a word in lower case, without punctuation and plural."""
    bare = word.strip(_EDGES).lower().replace("\u2019", "'")
    bare = re.sub(r"'(s|re|d|ll|m)$", "", bare)
    if len(bare) > len("dies") and bare.endswith("ies"):
        return bare[:-3] + "y"
    if len(bare) > len("its") and bare.endswith("s") and not bare.endswith(("ss", "us", "is")):
        return bare[:-1]
    return bare


def unquote(text: str) -> str:
    """Take one pair of quotes away."""
    stripped = text.strip()
    if len(stripped) > 1 and stripped[0] + stripped[-1] in {'""', "''", "“”", "\u2018\u2019", "„“", "„”", "«»"}:
        return stripped[1:-1].strip()
    return stripped


def tokenize(text: str) -> tuple[Token, ...]:
    """Give the words of a text; a quoted text is one. Beyond MAX_TOKENS the rest is one token."""
    tokens: list[Token] = []
    for found in _TOKEN.finditer(text):
        word = found.group()
        quoted = unquote(word) != word and len(word) > 1
        form = unquote(word) if quoted else plain(word)
        if form and len(tokens) < MAX_TOKENS:
            tokens.append(Token(form, found.start(), found.end(), quoted))
        elif form:
            tokens[-1] = Token(tokens[-1].plain, tokens[-1].start, found.end(), quoted=True)
    return tuple(tokens)


def content_words(text: str) -> tuple[str, ...]:
    """Give the plain words that carry meaning, quoted texts left out."""
    return tuple(
        token.plain
        for token in tokenize(re.sub(r"[_.\-/](?=\w)", " ", text))
        if not token.quoted and token.plain not in STOP_WORDS
    )


def is_verb(word: str) -> bool:
    """Tell whether the word is one of the verbs above."""
    return word in _GROUPS


def looks_up(word: str) -> bool:
    """Tell whether the verb only looks for things: such verbs say nothing without a noun."""
    return bool(_GROUPS.get(word, frozenset()) & {"list", "find", "get"})


def same(said: str, meant: str) -> bool:
    """Tell whether a word that was said stands for one that is meant; a weak word stands for itself alone."""
    if said == meant:
        return True
    return (meant not in WEAK or looks_up(meant)) and bool(
        _GROUPS.get(said, frozenset()) & _GROUPS.get(meant, frozenset())
    )
