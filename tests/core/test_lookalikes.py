"""Hosts in other letters are pointed out, plain ones are not."""

import pytest

from core.lookalikes import MOST, TOO_MANY, warnings_of


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("https://example.com/ä", 0),
        ("ana@example.com", 0),
        ("Grüße an alle", 0),
        ("https://ex\u0430mple.com/path", 1),
        ("ana@ex\u0430mple.com", 1),
        ("https://user@xn--exmple-4nf.com", 1),
        ({"to": ["a@b\u200bc.com", "a@b\u200bc.com"], "n": 3}, 1),
        ([f"https://\u0430{number}.com" for number in range(9)], MOST),
    ],
)
def test_each_odd_host_is_said_once(value: object, count: int):
    assert len(warnings_of(value)) == count


def test_what_has_more_addresses_than_are_looked_at_says_so():
    assert warnings_of("ä " + "a@b " * 10_001)[-1] == TOO_MANY


def test_it_says_what_the_letters_are():
    (said,) = warnings_of("http://\u0430pple.com")

    assert "\\u0430pple.com" in said
