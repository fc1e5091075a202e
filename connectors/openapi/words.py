"""Words of a document: cleaned, cut and marked as its own; names made of them; what risk they tell of."""

import hashlib
import re
import unicodedata
from typing import Any

from connectors.manifest import Risk
from core.text import clean_text, reveal

MAX_NAME = 38
_HASH = 6
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[^a-z0-9]+")
_READING = frozenset({"GET", "HEAD"})


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORDS = (
    (
        Risk.ADMIN,
        _set(
            "admin administrator permission permissions role roles acl credential credentials secret secrets password "
            "passwords impersonate apikey apikeys privilege privileges sudo token tokens"
        ),
    ),
    (
        Risk.DESTRUCTIVE,
        _set(
            "delete deletes remove removes destroy purge erase wipe drop revoke terminate truncate uninstall "
            "deactivate cancel void reset kill"
        ),
    ),
    (
        Risk.MONEY,
        _set(
            "pay pays payment payments payout payouts charge charges refund refunds transfer transfers purchase "
            "purchases checkout buy sell billing invoice invoices withdraw withdrawal withdrawals deposit deposits "
            "subscription subscriptions donation donations order orders trade trades wire"
        ),
    ),
    (
        Risk.EXTERNAL_COMMS,
        _set(
            "send sends email emails mail mails sms message messages notify notification notifications invite invites "
            "invitation invitations publish publishes broadcast tweet tweets dial fax announce announcement"
        ),
    ),
)
_CHANGING = _set(
    "create add insert update set edit modify patch put post save write send delete remove destroy purge cancel revoke "
    "reset start stop restart run execute trigger enable disable approve reject pay charge refund transfer buy sell "
    "void wipe drop upload import submit apply assign move rename archive invite publish"
)


def said(text: Any, limit: int) -> str:
    """Give a document's words on one line, with what is hidden in them shown, at most `limit` characters."""
    if not isinstance(text, str):
        return ""
    line = " ".join(reveal(clean_text(text[: limit * 4])).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def quoted(text: Any, limit: int) -> str:
    """Give a document's words so that nobody takes them for ours; empty when it has none."""
    words = said(text, limit).replace('"', "'")
    return f'The document says: "{words}"' if words else ""


def word_of(text: Any) -> str:
    """Make small ASCII letters, digits and single underscores of anything; may be empty."""
    if not isinstance(text, str):
        return ""
    plain = unicodedata.normalize("NFKD", text[:400]).encode("ascii", "ignore").decode()
    return _OTHER.sub("_", _CAMEL.sub("_", plain).lower()).strip("_")


def action_name(operation_id: Any, method: str, path: str, taken: set[str]) -> str:
    """Name an action: by its id, else by method and path; long names and clashes get a mark of their own."""
    name = word_of(operation_id) or word_of(f"{method}_{path}") or method.lower()
    if not name[0].isalpha():
        name = f"{method.lower()}_{name}"
    if len(name) > MAX_NAME or name in taken:
        mark = hashlib.sha256(f"{method} {path}".encode()).hexdigest()[:_HASH]
        name = f"{name[: MAX_NAME - _HASH - 1].rstrip('_')}_{mark}"
    return name


def argument_name(name: str, place: str, taken: set[str]) -> str:
    """Name an argument; a name that is there already is told apart by its place."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", unicodedata.normalize("NFKD", name)).strip("_")[:48] or place
    chosen, number = plain, 2
    if chosen in taken or chosen == "body":
        chosen = f"{plain}_{place}"
    while chosen in taken:
        chosen, number = f"{plain}_{place}_{number}", number + 1
    return chosen


def risk_of(method: str, path: str, operation_id: Any, summary: Any) -> Risk:
    """Guess what an operation can do to people, the gravest first; who reviews it may know better."""
    names = f"{word_of(operation_id)}_{word_of(path)}".split("_")
    if method in _READING:
        begins = [word_of(operation_id).partition("_")[0], word_of(path.rpartition("/")[2]).partition("_")[0]]
        return Risk.READ if not _CHANGING.intersection(begins) else _gravest(names)
    if method == "DELETE":
        return Risk.DESTRUCTIVE
    return _gravest([*names, *word_of(summary).split("_")[:12]])


def _gravest(words: list[str]) -> Risk:
    there = set(words)
    return next((risk for risk, known in _WORDS if known & there), Risk.WRITE)
