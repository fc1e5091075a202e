"""Takes the text out of a file: one function for each type, which alone loads its parser.

Runs in the child process only.
"""

import codecs
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.media import DOCX, HTML, MARKDOWN, PDF, PLAIN
from workers.reading.bounds import Bounds, Unreadable
from workers.reading.pieces import Block

if TYPE_CHECKING:
    from bs4.element import Tag

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_REPLACED = "Some characters could not be read; each stands as a replacement character."
_HEADING = re.compile(r"#{1,6}\s")
_BLANK_LINES = re.compile(r"\n[ \t]*\n")
_DROPPED = ["script", "style", "template", "noscript", "iframe", "object", "embed", "svg", "math", "canvas"]
_HEADINGS = re.compile(r"title|h[1-6]")
_BLOCKS = re.compile(
    r"title|h[1-6]|address|article|aside|blockquote|body|caption|d[dlt]|details|div|fig(caption|ure)|footer|form|"
    r"header|hr|html|li|main|nav|ol|p|pre|section|summary|table|t[dhr]|ul"
)
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_DECLARATION = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


class Reading:
    """One file's text as blocks; `pages` and `notes` are known once the blocks are all taken."""

    def __init__(self, path: Path, bounds: Bounds) -> None:
        """Read nothing yet."""
        self.path = path
        self.bounds = bounds
        self.pages: int | None = None
        self.notes: list[str] = []

    def blocks(self, media_type: str) -> Iterator[Block]:
        """Give the blocks in order; raises Unreadable."""
        seen = 0
        for block in _READERS[media_type](self):
            seen += len(block.text)
            if seen > self.bounds.characters:
                message = f"There is too much text in it: more than {self.bounds.characters} characters."
                raise Unreadable(message)
            if block.text.strip():
                yield block


def _text(reading: Reading) -> str:
    data = reading.path.read_bytes()
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            text = data[len(bom) :].decode(encoding, "replace")
            break
    else:
        text = data.decode("utf-8", "replace")
    if "\ufffd" in text:
        reading.notes.append(_REPLACED)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _plain(reading: Reading) -> Iterator[Block]:
    for paragraph in _BLANK_LINES.split(_text(reading)):
        yield Block(paragraph)


def _markdown(reading: Reading) -> Iterator[Block]:
    lines: list[str] = []
    fenced = False
    for line in _text(reading).split("\n"):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        is_heading = not fenced and _HEADING.match(line) is not None
        if is_heading or (not fenced and not line.strip()):
            yield Block("\n".join(lines))
            lines = []
        if is_heading:
            yield Block(line, is_heading=True)
        else:
            lines.append(line)
    yield Block("\n".join(lines))


def _html(reading: Reading) -> Iterator[Block]:
    from bs4 import BeautifulSoup
    from bs4.element import NavigableString, Tag

    soup = BeautifulSoup(reading.path.read_bytes(), "html.parser")
    if soup.contains_replacement_characters:
        reading.notes.append(_REPLACED)
    for dropped in soup.find_all(_DROPPED):
        dropped.extract()
    block: Tag | None = None
    texts: list[str] = []
    for one in soup.descendants:
        if isinstance(one, Tag) and one.name == "br":
            texts.append("\n")
        if type(one) is not NavigableString:  # comments, declarations and the like are of its subclasses
            continue
        around = one.find_parent(lambda tag: _BLOCKS.fullmatch(tag.name) is not None)
        if around is not block:
            yield _html_block(block, texts)
            block, texts = around, []
        texts.append(str(one))
    yield _html_block(block, texts)


def _html_block(block: "Tag | None", texts: list[str]) -> Block:
    name = "" if block is None else block.name
    text = "".join(texts)
    if name != "pre":
        text = (
            "\n".join(" ".join(line.split()) for line in text.split("\n")) if "\n" in texts else " ".join(text.split())
        )
    return Block(text, is_heading=_HEADINGS.fullmatch(name) is not None)


def _pdf(reading: Reading) -> Iterator[Block]:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(reading.path)
        if reader.is_encrypted and not reader.decrypt(""):
            message = "It is protected by a password."
            raise Unreadable(message)
        count = len(reader.pages)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, OSError) as error:
        message = "It is no PDF that can be read: it is damaged or not whole."
        raise Unreadable(message) from error
    if count > reading.bounds.pages:
        message = f"It has {count} pages; at most {reading.bounds.pages} are read."
        raise Unreadable(message)
    reading.pages = count
    lost = []
    for number in range(1, count + 1):
        try:
            text = reader.pages[number - 1].extract_text()
        except (MemoryError, RecursionError, Unreadable):
            raise
        except Exception:  # noqa: BLE001  # damaged pages fail in every way there is; the others are still worth it
            lost.append(number)
            continue
        for paragraph in _BLANK_LINES.split(text):
            yield Block(paragraph, page=number)
    if lost:
        shown = ", ".join(map(str, lost[:10])) + (" and more" if len(lost) > 10 else "")  # noqa: PLR2004
        reading.notes.append(f"Damaged and left out: page {shown}.")


def _docx(reading: Reading) -> Iterator[Block]:
    import docx

    _check_archive(reading)
    try:
        document: Any = docx.Document(str(reading.path))
        body = document.element.body
        headings = {style.style_id for style in document.styles if str(style.name).startswith(("Heading", "Title"))}
    except MemoryError:
        raise
    except Exception as error:
        message = "It is no Word document that can be read: it is damaged or not whole."
        raise Unreadable(message) from error
    yield from _docx_blocks(body, headings)


def _check_archive(reading: Reading) -> None:
    """Refuse a bomb by what the archive says of itself; `zipfile` unpacks no more than that."""
    bounds = reading.bounds
    try:
        with zipfile.ZipFile(reading.path) as archive:
            entries = archive.infolist()
            if len(entries) > bounds.entries:
                message = f"It is packed of {len(entries)} parts; at most {bounds.entries} are unpacked."
                raise Unreadable(message)
            total, packed = sum(one.file_size for one in entries), sum(one.compress_size for one in entries)
            if total > bounds.unpacked or (total > bounds.harmless and total > bounds.ratio * max(packed, 1)):
                message = "It unpacks to far more than it is: that is no document but a bomb."
                raise Unreadable(message)
            for entry in entries:
                if entry.filename.endswith((".xml", ".rels")):
                    with archive.open(entry) as part:
                        _check_declarations(part.read(65_536))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        message = "It is no Word document that can be read: it is damaged or not whole."
        raise Unreadable(message) from error


def _check_declarations(head: bytes) -> None:
    if _DECLARATION.search(head.replace(b"\x00", b"")):
        message = "It declares entities of its own, which a Word document has no need of."
        raise Unreadable(message)


def _docx_blocks(parent: Any, headings: set[str]) -> Iterator[Block]:
    for child in parent:
        if child.tag == f"{_W}p":
            style = child.find(f"{_W}pPr/{_W}pStyle")
            is_heading = style is not None and style.get(f"{_W}val") in headings
            yield Block(_docx_text(child), is_heading=is_heading)
        elif child.tag == f"{_W}tbl":
            for row in child.iterchildren(f"{_W}tr"):
                yield Block(" | ".join(_docx_cell(cell) for cell in row.iterchildren(f"{_W}tc")))
        elif child.tag == f"{_W}sdt":
            for content in child.iterchildren(f"{_W}sdtContent"):
                yield from _docx_blocks(content, headings)


def _docx_cell(cell: Any) -> str:
    return " ".join(_docx_text(paragraph) for paragraph in cell.iter(f"{_W}p"))


def _docx_text(paragraph: Any) -> str:
    breaks = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n"}
    return "".join(
        (one.text or "") if one.tag == f"{_W}t" else breaks.get(one.tag, "")
        for one in paragraph.iter(f"{_W}t", *breaks)
    )


_READERS: dict[str, Callable[[Reading], Iterator[Block]]] = {
    PLAIN: _plain,
    MARKDOWN: _markdown,
    HTML: _html,
    PDF: _pdf,
    DOCX: _docx,
}
