"""The page and the server call the same characters hidden."""

import json
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

import api.page.serve
from core.text import is_hidden, reveal
from tests.page.test_reducer import NODE

TEXTS = ["a\u034fb\u3164", "\u26a0\ufe0f", "\u2800\ufe0f", "a\ufe0f", "\u2764\ufe0e\ufe0f", "\U000e0100", "a\n\tb\x1b"]


@pytest.fixture
def run(tmp_path):
    """Give what a script prints that may use `reveal` of the page."""

    def said(body: str):
        dom = Path(api.page.serve.__file__).parent / "static" / "dom.js"
        whole = f'import {{ reveal }} from "{dom.as_uri()}";\nprocess.stdout.write(JSON.stringify({body}));'
        script: Path = tmp_path / "script.mjs"
        script.write_text(whole, "utf-8")
        done = subprocess.run([str(NODE), str(script)], capture_output=True, check=True, timeout=60)
        return json.loads(done.stdout)

    return said


class TestHidden:
    def test_each_character_is_hidden_in_both_or_in_neither(self, run):
        every = f"Array.from({{ length: {sys.maxunicode + 1} }}, (_, code) => code)"
        shown = run(f"{every}.filter((code) => reveal(String.fromCodePoint(code)) !== String.fromCodePoint(code))")
        known = {code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) != "Cn"}

        assert sorted({code for code in known if is_hidden(chr(code))} ^ (known & set(shown)))[:20] == []

    def test_texts_are_written_the_same(self, run):
        assert run(f"{json.dumps(TEXTS)}.map(reveal)") == [reveal(text) for text in TEXTS]
