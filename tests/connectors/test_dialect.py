"""Markdown as far as chats show it, and cuts that lose nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.dialect import Run, markdown, runs_of, split
from core.outgoing import Fact, Headline, OutMessage, Plain


def read(text: str) -> list[tuple[str, str]]:
    return [(run.style, run.text) for run in markdown(text) if run.text.strip()]


class TestMarkdown:
    @pytest.mark.parametrize(
        ("text", "runs"),
        [
            ("# Title #", [("bold", "Title\n")]),
            ("a **b** c", [("plain", "a "), ("bold", "b"), ("plain", " c\n")]),
            ("`x < y`", [("code", "x < y")]),
            ("snake_case_name", [("plain", "snake_case_name\n")]),
            ("2 * 3 * 4", [("plain", "2 * 3 * 4\n")]),
            ("[here](https://x.test)", [("plain", "here (https://x.test)")]),
            ("![pic](https://x.test/p)", [("plain", "pic (https://x.test/p)")]),
            ("```py\na\n```\nb", [("block", "a"), ("plain", "b\n")]),
            ("```\nnever closed", [("block", "never closed")]),
            ("**open", [("plain", "**open\n")]),
        ],
    )
    def test_it_reads(self, text, runs):
        assert read(text) == runs

    @given(st.text(max_size=300))
    def test_no_word_is_lost(self, text):
        shown = "".join(run.text for run in markdown(text))
        letters = [one for one in text if one.isalnum()]

        assert [one for one in shown if one.isalnum()] == letters or "```" in text or "~~~" in text


class TestSplit:
    @given(st.lists(st.text(min_size=1, max_size=80), max_size=12), st.integers(2, 60))
    def test_pages_are_short_enough_and_together_the_whole(self, texts, limit):
        runs = [Run(text=text, style="bold" if number % 2 else "plain") for number, text in enumerate(texts)]
        pages = split(runs, limit)

        assert all(sum(len(run.text) for run in page) <= limit for page in pages)
        assert "".join("".join(run.text for page in pages for run in page).split()) == "".join("".join(texts).split())

    def test_parts_stand_on_lines_of_their_own(self):
        message = OutMessage(parts=(Headline(text="H"), Fact(label="to", text="Ana"), Plain(text="P")))

        assert "".join(run.text for run in runs_of(message)) == "H\nto: Ana\nP"
