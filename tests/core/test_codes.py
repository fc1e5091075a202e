"""A prompt's code is short, not misread, and found again by how the hash of its token begins."""

import pytest

from core.codes import ALPHABET, begins_with, code_of, said
from core.ids import new_secret, secret_hash


class TestCode:
    def test_it_is_found_by_how_the_hash_begins(self):
        for _ in range(200):
            token_hash = secret_hash(new_secret())
            code = code_of(token_hash)

            assert len(code) == 6
            assert set(code) <= set(ALPHABET)
            assert token_hash.startswith(begins_with(code) or "-")

    def test_the_ends_of_the_range(self):
        assert (code_of("0" * 64), code_of("f" * 64)) == ("AAAAAA", "999999")
        assert (begins_with("AAAAAA"), begins_with("999999")) == ("0000000", "fffffff")

    def test_what_no_code_can_be_begins_nowhere(self):
        assert [begins_with(word) for word in ("O0I1AB", "%AAAAA", "_AAAAA")] == [None, None, None]

    @pytest.mark.parametrize(
        ("word", "read"),
        [
            ("X7K2QP", ("X7K2QP", None)),
            ("x7k2qp", ("X7K2QP", None)),
            ("X7K2QP-12", ("X7K2QP", "12")),
            ("X7K2QP:", ("X7K2QP", None)),
            ("X7K2QP-0", None),
            ("X7K2QP-", None),
            ("X7K2Q", None),
            ("X7K2QPX", None),
            ("X7K2Q\u00df", None),
            ("", None),
        ],
    )
    def test_how_it_is_said(self, word: str, read: tuple[str, str | None] | None):
        assert said(word) == read
