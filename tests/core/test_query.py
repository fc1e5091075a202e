"""What is looked for, and where it stands in a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.query import fragments, terms_of


def marked(text: str, query: str) -> list[str]:
    return [one.text[mark.start : mark.end] for one in fragments(text, terms_of(query)) for mark in one.marks]


class TestTerms:
    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("Bread cheese", [("bread",), ("cheese",)]),
            ('"fresh bread" now', [("fresh", "bread"), ("now",)]),
            ('"never closed', [("never", "closed")]),
            ("text:* OR NEAR(a)", [("text",), ("or",), ("near", "a")]),
            ("Caf\u00e9 caf\u00e9", [("cafe",), ("cafe",)]),
        ],
    )
    def test_words_and_phrases_only(self, query, words):
        assert [term.words for term in terms_of(query)] == words

    @pytest.mark.parametrize("query", ["", "  ", '""', "* - ^", " ".join(map(str, range(17)))])
    def test_nothing_to_look_for_and_too_much_are_refused(self, query):
        with pytest.raises(Invalid):
            terms_of(query)


class TestFragments:
    def test_marks_are_where_the_words_are(self):
        assert marked("The CAF\u00c9 sells fresh  bread, cafe au lait.", 'cafe "fresh bread"') == [
            "CAF\u00c9",
            "fresh  bread",
            "cafe",
        ]

    def test_a_long_text_is_shown_in_parts(self):
        text = "bread " + "x " * 500 + "bread " + "y " * 500
        found = fragments(text, terms_of("bread"))

        assert len(found) == 2
        assert [text[one.offset : one.offset + len(one.text)] == one.text for one in found] == [True, True]
        assert max(len(one.text) for one in found) < 200

    def test_what_fits_by_meaning_alone_is_shown_from_its_beginning(self):
        [found] = fragments("Nothing of it here.", terms_of("bread"))

        assert (found.text, found.marks) == ("Nothing of it here.", ())

    @given(st.text(max_size=300), st.text(alphabet='ab "\u00df\u0130', min_size=1, max_size=20))
    def test_every_mark_is_inside_its_fragment(self, text, query):
        try:
            terms = terms_of(query)
        except Invalid:
            return
        for one in fragments(f"{text} {query} {text}", terms):
            assert all(0 <= mark.start < mark.end <= len(one.text) for mark in one.marks)
