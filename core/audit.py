"""The audit chain: each row's HMAC covers the row and the one before, so that a change, a gap or a cut shows."""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from core.digest import canonical
from core.keys import UnknownKey
from core.values import Value

FIRST = "0" * 64


class Link(Value):
    """One row of the chain as the HMAC sees it."""

    workspace_id: str
    number: int
    at: datetime
    actor: str
    kind: str
    subject: str
    body: dict[str, Any]
    key_id: str
    previous: str


class Head(Value):
    """Where a chain ended at a time: what is published outside, so that a chain cut off after that shows."""

    workspace_id: str
    number: int
    mac: str
    at: datetime


class Verdict(Value):
    """What a check of a chain found: `broken_at` is the number of the first row that does not fit."""

    rows: int
    intact: bool
    broken_at: int | None = None
    reason: str | None = None


def mac_of(key: bytes, link: Link) -> str:
    """Give the row's HMAC-SHA256 in hex."""
    return hmac.new(key, canonical(link.model_dump(mode="json")), hashlib.sha256).hexdigest()


class Verifier:
    """Checks rows in their order, one by one, in constant memory."""

    def __init__(self, key: Callable[[str], bytes], published: Iterable[Head] = ()) -> None:
        """Take the function that finds a key by its id (it raises UnknownKey), and heads published earlier."""
        self._key = key
        self._published: dict[int, set[str]] = {}
        for head in published:
            self._published.setdefault(head.number, set()).add(head.mac)
        self._rows = 0
        self._previous = FIRST
        self._broken: Verdict | None = None

    def feed(self, rows: Iterable[tuple[Link, str]]) -> None:
        """Check the next rows, each with the HMAC it was stored with."""
        for link, mac in rows:
            if self._broken is None:
                self._check(link, mac)

    def _check(self, link: Link, mac: str) -> None:
        expected = self._rows + 1
        if link.number != expected:
            self._break(expected, "a row is missing or out of order")
        elif link.previous != self._previous:
            self._break(expected, "the row does not follow the one before it")
        elif not self._fits(link, mac):
            self._break(expected, "the row was changed")
        elif self._published.get(expected, {mac}) != {mac}:
            self._break(expected, "another row was published under this number")
        else:
            self._rows, self._previous = expected, mac

    def _fits(self, link: Link, mac: str) -> bool:
        try:
            return hmac.compare_digest(mac_of(self._key(link.key_id), link), mac)
        except UnknownKey:
            return False

    def _break(self, number: int, reason: str) -> None:
        self._broken = Verdict(rows=self._rows, intact=False, broken_at=number, reason=reason)

    def verdict(self, head: tuple[int, str]) -> Verdict:
        """Compare with where the chain should end; a missing tail shows here."""
        if self._broken is not None:
            return self._broken
        last = max(self._published, default=0)
        if last > self._rows:
            reason = f"the chain is cut off here: {last} rows were published"
            return Verdict(rows=self._rows, intact=False, broken_at=self._rows + 1, reason=reason)
        if (self._rows, self._previous) != head:
            return Verdict(rows=self._rows, intact=False, broken_at=self._rows + 1, reason="the chain is cut off here")
        return Verdict(rows=self._rows, intact=True)
