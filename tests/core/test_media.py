"""What a file is and what is kept of its name."""

import pytest

from core.media import DOCX, HTML, MARKDOWN, MAX_NAME, PDF, PLAIN, UnknownMedia, clean_name, media_type_of


class TestMediaType:
    @pytest.mark.parametrize(
        ("name", "head", "expected"),
        [
            ("a.txt", b"words", PLAIN),
            ("README", b"words", PLAIN),
            ("a.md", b"# words", MARKDOWN),
            ("a.HTML", b"<p>words", HTML),
            ("a.txt", b"<!DOCTYPE html><p>", HTML),
            ("a.txt", b"\n<html lang=en>", HTML),
            ("a.txt", "wörter".encode("utf-16"), PLAIN),
            ("a.txt", b"caf\xe9", PLAIN),
            ("a.pdf", b"%PDF-1.7 ...", PDF),
            ("a.txt", b"%PDF-1.7 ...", PDF),
            ("a.docx", b"PK\x03\x04 word/document.xml", DOCX),
            ("a.zip", b"PK\x03\x04 word/document.xml", DOCX),
        ],
    )
    def test_content_decides_then_the_name(self, name, head, expected):
        assert media_type_of(name, head, head) == expected

    @pytest.mark.parametrize(
        ("name", "head"),
        [
            ("a.png", b"\x89PNG\r\n\x1a\n\x00"),
            ("a.txt", b"a\x00b"),
            ("a.txt", b"\x7fELF\x02\x01"),
            ("a.svg", b"<svg onload=alert(1)>"),
            ("a.exe", b"MZ words"),
            ("a.pdf", b"only words"),
            ("a.docx", b"only words"),
            ("a.docx", b"PK\x03\x04 xl/workbook.xml"),
            ("a.zip", b"PK\x03\x04 a.txt"),
            ("a.xml", b"<?xml version='1.0'?>"),
        ],
    )
    def test_anything_else_is_refused_in_words(self, name, head):
        with pytest.raises(UnknownMedia, match="Documents are text, Markdown, HTML, PDF or Word"):
            media_type_of(name, head, head)


class TestCleanName:
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("menu.pdf", "menu.pdf"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("C:\\x", "x"),
            ("C:x", "C_x"),
            ("..%2f..%2fx", "%2f..%2fx"),
            ("..", "document"),
            ("", "document"),
            ("/", "document"),
            ("a\x00b\x1b]52;c\x07.txt", "a\ufffdb]52;c.txt"),
            ("gpj\u202etxt.exe", "gpjtxt.exe"),
            ("line\r\nSet-Cookie: x.txt", "lineSet-Cookie_ x.txt"),
            ("\ud800.txt", "txt"),
            ("Grüße.txt", "Grüße.txt"),
        ],
    )
    def test_only_what_can_be_shown_and_saved_is_kept(self, given, kept):
        assert clean_name(given) == kept

    def test_a_long_name_keeps_its_end(self):
        kept = clean_name("x" * 4_096 + ".docx")

        assert (len(kept), kept[-5:]) == (MAX_NAME, ".docx")
