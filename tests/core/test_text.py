"""Text from anyone: what no store keeps is refused or cleaned, what hides is shown."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from core.text import (
    MAX_DEPTH,
    SafeStr,
    SpokenStr,
    check_json,
    check_text,
    clean_text,
    has_hidden,
    is_hidden,
    on_a_line,
    reveal,
)

any_text = st.text(st.characters(exclude_categories=[]))


class TestSafe:
    @pytest.mark.parametrize("bad", ["\x00", "a\x00b", chr(0xD800), chr(0xDFFF), "x" + chr(0xD83D)])
    def test_refuses_nul_and_lone_surrogates(self, bad: str):
        with pytest.raises(ValidationError):
            TypeAdapter(SafeStr).validate_python(bad)

    @given(any_text)
    def test_passes_exactly_what_utf_8_and_a_store_keep(self, text: str):
        keeps = "\x00" not in text and not any("\ud800" <= one <= "\udfff" for one in text)
        try:
            assert check_text(text) == text
        except ValueError:
            assert not keeps
        else:
            assert keeps

    @pytest.mark.parametrize("blank", ["", " ", "\n\t", chr(0x2003)])
    def test_spoken_text_has_something_to_see(self, blank: str):
        with pytest.raises(ValidationError):
            TypeAdapter(SpokenStr).validate_python(blank)


class TestClean:
    @given(any_text)
    def test_makes_any_text_safe_and_leaves_safe_text_alone(self, text: str):
        cleaned = clean_text(text)

        assert check_text(cleaned) == cleaned
        try:
            check_text(text)
        except ValueError:
            assert "\ufffd" in cleaned or cleaned != text
        else:
            assert cleaned == text


class TestJson:
    def test_refuses_what_is_too_deep_without_falling_over(self):
        deep = json.loads("[" * 900 + "]" * 900)

        with pytest.raises(ValueError, match="deeper"):
            check_json(deep)

    def test_passes_what_is_just_deep_enough(self):
        value: list = []
        for _ in range(MAX_DEPTH):
            value = [value]

        assert check_json(value) == value

    @pytest.mark.parametrize("bad", [{"a": ["\x00"]}, {"\ud800": 1}, ["\ud800"]])
    def test_looks_into_keys_and_values(self, bad: object):
        with pytest.raises(ValueError, match="must not contain"):
            check_json(bad)


class TestReveal:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("abc", "abc"),
            ("a\n\tb", "a\n\tb"),
            ("evil\u202etxt.exe", "evil[U+202E]txt.exe"),
            ("zero\u200bwidth", "zero[U+200B]width"),
            ("\x1b[31m", "[U+001B][31m"),
            ("\U000e0041", "[U+E0041]"),
            ("é 日本 🎉", "é 日本 🎉"),
            ("a\u034fb\u3164\uffa0", "a[U+034F]b[U+3164][U+FFA0]"),
            ("a\ufe0f\U000e0100\u180b", "a[U+FE0F][U+E0100][U+180B]"),
            ("\u2800\ufe0f", "[U+2800][U+FE0F]"),
            ("\u26a0\ufe0f \u2764\ufe0e\ufe0f", "\u26a0\ufe0f \u2764\ufe0e[U+FE0F]"),
            ("\ufe0f", "[U+FE0F]"),
        ],
    )
    def test_writes_out_what_hides(self, text: str, shown: str):
        assert reveal(text) == shown

    def test_on_a_line_there_is_one(self):
        assert on_a_line("a\n\tb\r\u2028c") == "a⏎⇥b[U+000D][U+2028]c"

    @given(any_text)
    def test_what_it_wrote_has_nothing_hidden_but_what_symbols_take(self, text: str):
        assert not has_hidden(reveal(text))
        assert {one for one in reveal(text) if is_hidden(one)} <= set("\ufe0e\ufe0f")
