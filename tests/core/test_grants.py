"""What "always allow" covers: patterns of each kind, and that nothing slips past one."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.digest import canonical
from core.policy import grants

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
SCHEMA = {
    "type": "object",
    "properties": {
        "to": {"type": "array", "items": {"type": "string"}},
        "path": {"type": "string"},
        "amount": {"type": "number"},
        "key": {"type": "string", "x-secret": True},
    },
}


def one(kind: str, given_value: Any, **more: Any) -> bool:
    return grants.fits({"a": {"kind": kind, **more}}, {"a": given_value})


@pytest.mark.parametrize(
    ("kind", "more", "value", "fits"),
    [
        ("exact", {"value": "x"}, "x", True),
        ("exact", {"value": "x"}, "X", False),
        ("exact", {"value": 1}, True, False),
        ("exact", {"value": 1}, 1.0, True),
        ("exact", {"value": "1"}, 1, False),
        ("exact", {"value": None}, None, True),
        ("one_of", {"values": ["a", "b"]}, "b", True),
        ("one_of", {"values": ["a", "b"]}, ["a", "b"], False),
        ("prefix", {"text": "Re: "}, "Re: hello", True),
        ("prefix", {"text": "Re: "}, ["Re: hello"], False),
        ("under", {"path": "notes"}, "notes/today.txt", True),
        ("under", {"path": "notes/"}, "notes/a/b.txt", True),
        ("under", {"path": "notes"}, "notes", False),
        ("under", {"path": "notes"}, "notes2/a", False),
        ("under", {"path": "notes"}, "notes/../secret", False),
        ("under", {"path": "notes"}, "notes//secret", False),
        ("under", {"path": "notes"}, "notes\\..\\secret", False),
        ("under", {"path": "notes"}, "/notes/a", False),
        ("under", {"path": "/srv/a"}, "/srv/a/b", True),
        ("under", {"path": "/srv/a"}, "/srv/ab", False),
        ("under", {"path": "notes"}, "notes/\u202etxt", False),
        ("domain", {"domain": "example.com"}, "ana@example.com", True),
        ("domain", {"domain": "example.com"}, "ana@MAIL.example.com", True),
        ("domain", {"domain": "example.com"}, "https://www.example.com/a?b=c", True),
        ("domain", {"domain": "example.com"}, "ana@badexample.com", False),
        ("domain", {"domain": "example.com"}, "ana@example.com, eve@evil.com", False),
        ("domain", {"domain": "example.com"}, "Eve <eve@evil.com> ana@example.com", False),
        ("domain", {"domain": "example.com"}, "https://example.com@evil.com/", False),
        ("domain", {"domain": "example.com"}, "https://evil.com\\@example.com/", False),
        ("domain", {"domain": "example.com"}, "https://evil.com/example.com", False),
        ("domain", {"domain": "example.com"}, "https://evil.com#@example.com", False),
        ("domain", {"domain": "example.com"}, "javascript://example.com/%0aalert(1)", False),
        ("domain", {"domain": "example.com"}, "https://example.com:8443/", False),
        ("domain", {"domain": "example.com"}, "https://exam\u200bple.com/", False),
        ("domain", {"domain": "example.com"}, "https://ex\u0430mple.com/", False),
        ("domain", {"domain": "example.com"}, "ana@example.com\n", False),
        ("domain", {"domain": "example.com"}, "example.com", False),
        ("at_most", {"number": 100}, 100, True),
        ("at_most", {"number": 100}, 0, True),
        ("at_most", {"number": 100}, 100.01, False),
        ("at_most", {"number": 100}, -5000, False),
        ("at_most", {"number": 100}, True, False),
        ("at_most", {"number": 100}, "50", False),
        ("each", {"of": {"kind": "domain", "domain": "example.com"}}, ["a@example.com"], True),
        ("each", {"of": {"kind": "domain", "domain": "example.com"}}, ["a@example.com", "b@evil.com"], False),
        ("each", {"of": {"kind": "domain", "domain": "example.com"}}, [], False),
        ("each", {"of": {"kind": "domain", "domain": "example.com"}}, "a@example.com", False),
        ("any", {}, {"what": "ever"}, True),
        ("unheard_of", {}, "x", False),
        ("exact", {"value": "x", "or": "y"}, "x", False),
    ],
)
def test_each_kind_lets_pass_what_it_says(kind: str, more: dict[str, Any], value: Any, fits: bool):
    assert one(kind, value, **more) is fits


class TestWhole:
    def test_what_no_pattern_names_must_be_absent(self):
        patterns = {"a": {"kind": "exact", "value": 1}}

        assert grants.fits(patterns, {"a": 1})
        assert not grants.fits(patterns, {"a": 1, "b": 2})
        assert not grants.fits(patterns, {})
        assert grants.fits(patterns | {"b": {"kind": "any"}}, {"a": 1})

    def test_what_is_no_pattern_covers_nothing(self):
        broken: Any
        for broken in (None, [], "any", {"a": None}, {"a": {"kind": "at_most", "number": "nan"}}):
            assert not grants.fits(broken, {"a": 1})

    def test_no_patterns_cover_only_a_call_without_arguments(self):
        assert grants.fits({}, {})
        assert not grants.fits({}, {"a": 1})

    @given(st.dictionaries(TEXT, JSON, max_size=4), st.dictionaries(TEXT, JSON, max_size=4))
    def test_exact_patterns_cover_exactly_their_arguments(self, known: dict[str, Any], other: dict[str, Any]):
        patterns = {name: {"kind": "exact", "value": value} for name, value in known.items()}

        assert grants.fits(patterns, known)
        assume(canonical(known) != canonical(other))
        assert not grants.fits(patterns, other)

    @given(st.text(max_size=30))
    def test_nothing_that_leaves_the_folder_is_under_it(self, text: str):
        if one("under", f"notes/{text}", path="notes"):
            assert ".." not in text.split("/")
            assert "\\" not in text

    @given(st.text(max_size=20), st.text(max_size=20))
    def test_nobody_elsewhere_is_in_a_domain(self, before: str, after: str):
        assert not one("domain", f"{before}@evil.test", domain="example.com")
        assert not one("domain", f"https://evil.test/{before}example.com{after}", domain="example.com")


class TestSuggest:
    def test_the_tightest_comes_first_and_each_fits_the_call(self):
        arguments = {"to": ["a@example.com", "b@example.com"], "path": "notes/a.txt", "amount": 12.5, "key": "s3cret"}
        choices = grants.suggest(arguments, SCHEMA)

        kinds = {choice.argument: [option.kind for option in choice.options] for choice in choices}
        assert kinds == {
            "to": ["exact", "each", "any"],
            "path": ["exact", "under", "any"],
            "amount": ["exact", "at_most", "any"],
            "key": ["any"],
        }
        assert grants.fits(grants.tightest(choices), arguments)
        for choice in choices:
            for option in choice.options:
                patterns = grants.tightest(choices) | {choice.argument: option.model_dump(mode="json")}
                assert grants.fits(patterns, arguments)

    @given(st.dictionaries(st.sampled_from(["to", "path", "amount"]), JSON))
    def test_whatever_the_call_the_tightest_covers_it(self, arguments: dict[str, Any]):
        assert grants.fits(grants.tightest(grants.suggest(arguments, SCHEMA)), arguments)

    def test_what_it_says_shows_hidden_characters(self):
        (choice,) = grants.suggest({"path": "a\u202eb"}, SCHEMA)

        assert choice.says[0] == 'exactly "a[U+202E]b"'


class TestCheck:
    def test_a_secret_is_never_written_down(self):
        with pytest.raises(ValueError, match="secret"):
            grants.check({"key": {"kind": "exact", "value": "s3cret"}}, SCHEMA)
        grants.check({"key": {"kind": "any"}}, SCHEMA)

    def test_an_unknown_argument_is_refused(self):
        with pytest.raises(ValueError, match="no argument other"):
            grants.check({"other": {"kind": "any"}}, SCHEMA)
