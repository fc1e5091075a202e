"""Cuts text into pieces of about the same length, at the borders of sentences and headings, with a small overlap."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

LENGTH = 1_200
OVERLAP = 160
_CLOSING = "\"')\\]\u00bb\u201d\u2019"
_WIDE_ENDS = "\u3002\uff01\uff1f"
_UNIT = re.compile(rf"[^\n]+?(?:[.!?\u2026][{_CLOSING}]*[ \t]+|[{_WIDE_ENDS}]|\n+|\Z)|\n+")


@dataclass(frozen=True)
class Block:
    """A paragraph, a row, a heading; `page` from 1, where there are pages."""

    text: str
    page: int | None = None
    is_heading: bool = False


@dataclass(frozen=True)
class Cut:
    """A piece of text, and the page that what is new in it begins on."""

    text: str
    page: int | None


@dataclass
class _Open:
    """The piece that is being filled; `fresh` is the length of what no piece before it has."""

    units: list[str] = field(default_factory=list)
    page: int | None = None
    length: int = 0
    fresh: int = 0

    def take(self, unit: str, page: int | None) -> None:
        if not self.fresh:
            self.page = page
        self.units.append(unit)
        self.length += len(unit)
        self.fresh += len(unit)

    def close(self) -> Cut | None:
        text = "".join(self.units).strip()
        return Cut(text, self.page) if text and self.fresh else None

    def following(self) -> "_Open":
        """Begin the next one, with the last sentences of this one."""
        units: list[str] = []
        for unit in reversed(self.units):
            if sum(map(len, units)) + len(unit) > OVERLAP:
                break
            units.insert(0, unit)
        return _Open(units=units, length=sum(map(len, units)))


def cut(blocks: Iterable[Block]) -> Iterator[Cut]:
    """Cut blocks into pieces of at most LENGTH characters; a heading begins a piece unless the last is very short."""
    piece = _Open()
    for block in blocks:
        if _ends(piece, block):
            yield from _closed(piece)
            piece = _Open()
        for unit in _units(block):
            if piece.length + len(unit) > LENGTH and piece.fresh:
                yield from _closed(piece)
                piece = piece.following()
            piece.take(unit, block.page)
    yield from _closed(piece)


def _ends(piece: _Open, block: Block) -> bool:
    """Whether a heading or a new page closes the piece that is open."""
    if block.is_heading:
        return piece.fresh >= LENGTH // 4
    return block.page != piece.page and piece.fresh >= LENGTH // 2


def _closed(piece: _Open) -> Iterator[Cut]:
    done = piece.close()
    if done is not None:
        yield done


def _units(block: Block) -> Iterator[str]:
    """Give the sentences of a block, each with the space after it; what is too long for a piece in parts."""
    text = block.text.strip()
    if not text:
        return
    for found in _UNIT.finditer(text + "\n\n"):
        yield from _parts(found.group())


def _parts(sentence: str) -> Iterator[str]:
    most = LENGTH - OVERLAP
    while len(sentence) > most:
        space = sentence.rfind(" ", most // 2, most) + 1
        yield sentence[: space or most]
        sentence = sentence[space or most :]
    if sentence:
        yield sentence
