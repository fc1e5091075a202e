"""Ids sort by time, never repeat, and derived ones are always the same."""

import re
import time

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from core.ids import ClientId, Id, derived_id, new_id, new_secret, secret_hash

parts = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])) | st.integers(), min_size=1, max_size=4)


class TestNew:
    def test_is_an_id_and_never_the_same(self):
        made = [new_id("trn") for _ in range(2000)]

        assert len(set(made)) == len(made)
        assert all(TypeAdapter(Id).validate_python(one) == one for one in made)

    def test_sorts_by_its_millisecond(self):
        first = new_id("trn")
        until = time.time_ns() // 1_000_000 + 2
        while time.time_ns() // 1_000_000 < until:
            pass

        assert first < new_id("trn")

    def test_of_one_millisecond_sort_as_they_were_made(self):
        made = [new_id("trn") for _ in range(2000)]

        assert made == sorted(made)

    def test_sort_as_they_were_made_when_the_clock_is_set_back(self, monkeypatch):
        first = new_id("trn")
        monkeypatch.setattr(time, "time_ns", lambda: 0)
        later = [new_id("trn") for _ in range(20)]

        assert [first, *later] == sorted([first, *later])


class TestDerived:
    @given(parts)
    def test_is_an_id_and_always_the_same(self, given_parts: list):
        made = derived_id("cal", *given_parts)

        assert made == derived_id("cal", *given_parts)
        assert re.fullmatch(r"cal_[0-9a-z]{26}", made)

    @given(parts, parts)
    def test_differs_when_a_part_does(self, first: list, second: list):
        same = [str(one) for one in first] == [str(one) for one in second]

        assert (derived_id("cal", *first) == derived_id("cal", *second)) == same

    def test_keeps_parts_apart(self):
        assert derived_id("cal", "a", "bc") != derived_id("cal", "ab", "c")


class TestClientId:
    def test_is_short_and_plain(self):
        adapter = TypeAdapter(ClientId)

        assert adapter.validate_python("a-Z_0.9:x") == "a-Z_0.9:x"
        for bad in ("", "x" * 65, "a b", "a\n", "é", "a/b"):
            assert not _is_valid(adapter, bad)


def _is_valid(adapter: TypeAdapter, value: str) -> bool:
    try:
        adapter.validate_python(value)
    except ValueError:
        return False
    return True


class TestSecret:
    def test_has_256_bits_and_is_kept_only_as_a_hash(self):
        secret = new_secret()

        assert len(secret) == 43
        assert secret != new_secret()
        assert len(secret_hash(secret)) == 64
        assert secret not in secret_hash(secret)
