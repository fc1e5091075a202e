"""The chain without a database: the HMAC covers every member of a row."""

from datetime import UTC, datetime
from typing import Any

import pytest

from core.audit import FIRST, Link, Verifier, mac_of
from core.keys import UnknownKey

KEY = b"k" * 32
LINK = Link(
    workspace_id="w",
    number=1,
    at=datetime(2026, 1, 1, tzinfo=UTC),
    actor="a",
    kind="k",
    subject="s",
    body={"x": 1},
    key_id="one",
    previous=FIRST,
)


def key_of(key_id: str) -> bytes:
    if key_id != "one":
        raise UnknownKey(key_id)
    return KEY


class TestMac:
    @pytest.mark.parametrize("name", sorted(Link.model_fields))
    def test_covers_each_member(self, name: str):
        other: Any = {
            "number": 2,
            "at": datetime(2026, 1, 2, tzinfo=UTC),
            "body": {"x": 2},
        }.get(name, "other")

        assert mac_of(KEY, LINK.model_copy(update={name: other})) != mac_of(KEY, LINK)

    def test_needs_the_key(self):
        assert mac_of(b"other", LINK) != mac_of(KEY, LINK)


class TestVerifier:
    def test_says_where_the_first_break_is_and_stays_with_it(self):
        second = LINK.model_copy(update={"number": 2, "previous": mac_of(KEY, LINK)})
        verifier = Verifier(key_of)
        verifier.feed([(LINK, mac_of(KEY, LINK)), (second, "0" * 64), (second, mac_of(KEY, second))])

        verdict = verifier.verdict((2, mac_of(KEY, second)))

        assert (verdict.intact, verdict.rows, verdict.broken_at) == (False, 1, 2)

    def test_takes_a_row_with_an_unknown_key_for_a_changed_one(self):
        forged = LINK.model_copy(update={"key_id": "two"})
        verifier = Verifier(key_of)
        verifier.feed([(forged, mac_of(KEY, forged))])

        assert verifier.verdict((1, mac_of(KEY, forged))).broken_at == 1
