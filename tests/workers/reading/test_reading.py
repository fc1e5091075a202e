"""What is taken out of files, and that no file takes more than its due."""

import codecs
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.media import DOCX, HTML, MARKDOWN, PDF, PLAIN
from tests.workers.reading import corpus
from workers.reading.bounds import BOUNDS, Unreadable
from workers.reading.process import Text, read

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def reading(tmp_path: Path):
    async def read_it(data: bytes, media_type: str, **bounds: Any) -> Text:
        file = tmp_path / "upload"
        file.write_bytes(data)
        return await read(file, media_type, replace(BOUNDS, **bounds))

    return read_it


def whole(text: Text) -> str:
    return "\n".join(piece.text for piece in text.pieces)


class TestFormats:
    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b"Plain words.\r\n\r\nMore.", "Plain words.\n\nMore."),
            (codecs.BOM_UTF8 + "Grüße".encode(), "Grüße"),
            (codecs.BOM_UTF16_LE + "Grüße".encode("utf-16-le"), "Grüße"),
            (codecs.BOM_UTF16_BE + "Grüße".encode("utf-16-be"), "Grüße"),
        ],
    )
    async def test_text_of_any_unicode_encoding(self, reading, data, expected):
        found = await reading(data, PLAIN)

        assert (whole(found), found.note) == (expected, None)

    async def test_what_cannot_be_decoded_is_replaced_and_said(self, reading):
        found = await reading(b"caf\xe9 is open", PLAIN)

        assert whole(found) == "caf\ufffd is open"
        assert "could not be read" in str(found.note)

    async def test_html_gives_its_words_and_drops_its_scripts(self, reading):
        page = (
            b"<!doctype html><title>Prices</title><style>p{}</style><script>steal()</script>"
            b"<h1>Bread</h1><p>A <b>loaf</b> costs <i>3</i> EUR.<p>Rolls<br>are sold out.<!-- hidden -->"
            b"<svg><script>more()</script></svg><div>Open <noscript>evil</noscript>daily</div>"
        )
        text = whole(await reading(page, HTML))

        assert [word for word in ("steal", "more()", "p{}", "hidden", "evil") if word in text] == []
        assert "A loaf costs 3 EUR." in text
        assert "Rolls\nare sold out." in text
        assert "Open daily" in text

    async def test_word_gives_paragraphs_headings_and_rows(self, reading):
        data = corpus.word("First.", "Second.", heading="On bread", rows=[("Loaf", "3 EUR"), ("Roll", "1 EUR")])
        text = whole(await reading(data, DOCX))

        assert text.split("\n\n") == ["On bread", "First.", "Second.", "Loaf | 3 EUR", "Roll | 1 EUR"]

    async def test_pdf_gives_the_page_of_each_piece(self, reading):
        found = await reading(corpus.pdf("Bread. " * 100, "Cheese. " * 100, "Wine. " * 100), PDF)
        by_word = {piece.text.split(".")[0]: piece.page for piece in found.pieces}

        assert found.pages == 3
        assert by_word["Bread"] == 1
        assert {piece.page for piece in found.pieces} == {1, 2, 3}

    async def test_markdown_begins_a_piece_at_a_heading(self, reading):
        section = "Some words about it. " * 30
        data = f"# One\n\n{section}\n\n```\n# no heading\n```\n\n# Two\n\n{section}".encode()
        found = await reading(data, MARKDOWN)

        assert [piece.text.split("\n")[0] for piece in found.pieces] == ["# One", "# Two"]


class TestHostileFiles:
    @pytest.mark.parametrize(
        ("data", "media_type", "sentence"),
        [
            (corpus.altered_word({"word/media/x.bmp": bytes(30_000_000)}), DOCX, "bomb"),
            (corpus.altered_word({}, more=1_100), DOCX, "at most 1000"),
            (corpus.laughs(), DOCX, "entities"),
            (corpus.thief("/etc/hostname"), DOCX, "entities"),
            (corpus.word("Hello")[:-200], DOCX, "damaged"),
            (b"PK\x03\x04word/" + bytes(100), DOCX, "damaged"),
            (corpus.altered_word({"word/document.xml": corpus.body("<w:p>" * 300 + "</w:p>" * 300)}), DOCX, "damaged"),
            (corpus.pdf("Hello")[:150], PDF, "damaged"),
            (b"%PDF-1.7\n" + bytes(range(256)) * 20, PDF, "damaged"),
            (corpus.encrypted_pdf("secret"), PDF, "password"),
            (corpus.pdf(*[" "] * 2_001), PDF, "2001 pages"),
            (corpus.pdf(" "), PDF, "no text"),
            (b" \n\t\n ", PLAIN, "no text"),
            (b"<html><script>only()</script></html>", HTML, "no text"),
        ],
    )
    async def test_it_fails_with_a_sentence(self, reading, data, media_type, sentence):
        with pytest.raises(Unreadable, match=sentence):
            await reading(data, media_type)

    async def test_too_much_memory_is_refused(self, reading):
        with pytest.raises(Unreadable):
            await reading(corpus.inflating_pdf(90), PDF, memory=400_000_000)

    async def test_too_much_time_is_refused(self, reading):
        nested = b"<html>" + b"<div>x" * 60_000

        with pytest.raises(Unreadable, match=r"longer|nested"):
            await reading(nested, HTML, cpu_seconds=1)

    async def test_too_much_text_is_refused(self, reading):
        with pytest.raises(Unreadable, match="too much text"):
            await reading(b"word " * 1_000, PLAIN, characters=1_000)

    async def test_an_open_pdf_with_an_owners_password_is_read(self, reading):
        assert "A secret." in whole(await reading(corpus.encrypted_pdf(""), PDF))

    async def test_a_link_in_an_archive_leads_nowhere(self, reading):
        text = whole(await reading(corpus.altered_word({}, link="/etc/hostname"), DOCX))

        assert text == "Hello."

    async def test_wide_cells_are_no_bomb(self, reading):
        cell = (
            '<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="999999999"/></w:tcPr><w:p><w:r><w:t>wide</w:t></w:r></w:p>'
        )
        data = corpus.altered_word({"word/document.xml": corpus.body(f"{cell}</w:tc></w:tr></w:tbl>")})

        assert whole(await reading(data, DOCX)) == "wide"

    async def test_nul_is_replaced(self, reading):
        assert whole(await reading(b"a\x00b", PLAIN)) == "a\ufffdb"


class TestConfinement:
    @pytest.mark.parametrize(
        "wish",
        [
            "import socket; socket.create_connection(('127.0.0.1', 9))",
            "import subprocess; subprocess.run(['true'])",
            "import os; os.system('true')",
            "open('written', 'w')",
        ],
    )
    def test_a_parser_gets_nothing_beyond_its_file(self, tmp_path, wish):
        before = "from workers.reading import child; from workers.reading.bounds import BOUNDS; child._confine(BOUNDS)"
        done = subprocess.run(
            [sys.executable, "-c", f"{before}\n{wish}"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.stderr.splitlines()[-1].startswith("PermissionError: reading a document")
        assert list(tmp_path.iterdir()) == []
