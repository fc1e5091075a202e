"""From a message in no dialect to runs of text with a style, split to a channel's length; a channel adds its own marks.

Markdown is read as far as chats show it: headings, bold, italic, code, lists as they are; a link is its text and its
address, an image its description. What cannot be read is shown as it is.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from core.outgoing import Fact, Headline, Link, OutMessage, Part, Prose, Quoted
from core.values import Value

Style = Literal["plain", "bold", "italic", "code", "block", "quote"]
Measure = Callable[[str], int]
"""Gives how much of a channel's length a text takes."""
_FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)\s*#*$")
_INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|\*\*(?P<bold>[^*\n]+)\*\*|__(?P<strong>[^_\n]+)__"
    r"|(?<![\w*])\*(?P<italic>[^*\s][^*\n]*)\*(?![\w*])|(?<![\w_])_(?P<slanted>[^_\s][^_\n]*)_(?![\w_])"
    r"|!?\[(?P<text>[^\]\n]{0,300})\]\((?P<url>[^)\s]{1,1000})\)"
)


class Run(Value):
    """Some text in one style; `url` makes it a link of ours."""

    text: str
    style: Style = "plain"
    url: str | None = None


def runs_of(message: OutMessage) -> list[Run]:
    """Give a message as runs, its parts on lines of their own."""
    found: list[Run] = []
    for part in message.parts:
        if found:
            found.append(Run(text="\n"))
        found += _runs(part)
    return [run for run in found if run.text]


def _runs(part: Part) -> Iterator[Run]:
    if isinstance(part, Headline):
        yield Run(text=part.text, style="bold")
    elif isinstance(part, Prose):
        yield from markdown(part.text)
    elif isinstance(part, Quoted):
        yield Run(text=f"{part.label}:\n", style="italic")
        yield Run(text=part.text, style="quote")
    elif isinstance(part, Fact):
        yield Run(text=f"{part.label}: ")
        yield Run(text=part.text, style="code")
    elif isinstance(part, Link):
        yield Run(text=part.text, url=part.url)
    else:
        yield Run(text=part.text)


def markdown(text: str) -> Iterator[Run]:
    """Read Markdown line by line."""
    fence, block = None, list[str]()
    for line in text.strip("\n").split("\n"):
        mark = _FENCE.match(line)
        if fence is None and mark is None:
            yield from _line(line)
        elif fence is None and mark is not None:
            fence = mark.group(1)
        elif mark is not None and mark.group(1).startswith(str(fence)):
            yield from (Run(text="\n".join(block), style="block"), Run(text="\n"))
            fence, block = None, []
        else:
            block.append(line)
    if block:
        yield Run(text="\n".join(block), style="block")


def _line(line: str) -> Iterator[Run]:
    heading = _HEADING.match(line)
    if heading is not None:
        yield Run(text=re.sub(r"[*_`]", "", heading.group(1)) + "\n", style="bold")
        return
    at = 0
    for match in _INLINE.finditer(line):
        yield Run(text=line[at : match.start()])
        yield _inline(match)
        at = match.end()
    yield Run(text=line[at:] + "\n")


def _inline(match: re.Match[str]) -> Run:
    found = match.groupdict()
    if found["code"] is not None:
        return Run(text=found["code"], style="code")
    if bold := found["bold"] or found["strong"]:
        return Run(text=bold, style="bold")
    if italic := found["italic"] or found["slanted"]:
        return Run(text=italic, style="italic")
    text, url = found["text"] or "", found["url"] or ""
    return Run(text=url if text == url else f"{text} ({url})")


def split(runs: Iterable[Run], limit: int, measure: Measure = len, most_runs: int = 1000) -> list[list[Run]]:
    """Cut runs into messages of at most `limit` and `most_runs` styled runs, at line ends or blanks where possible."""
    pages: list[list[Run]] = [[]]
    left, styled = limit, 0
    for run in runs:
        rest = run.text
        while rest:
            marked = run.style != "plain" or run.url is not None
            piece = _piece(rest, left, measure) if styled < most_runs or not marked else ""
            if not piece:
                pages.append([])
                left, styled = limit, 0
                continue
            pages[-1].append(run.model_copy(update={"text": piece}))
            styled += marked
            left -= measure(piece)
            rest = rest[len(piece) :]
    return [stripped for page in pages if (stripped := _strip(page))]


def _piece(text: str, left: int, measure: Measure) -> str:
    """Give as much of the text as fits: all of it, or up to a line end, a blank, or, far from both, a character."""
    if measure(text) <= left:
        return text
    cut = text[:left]
    while cut and measure(cut) > left:
        cut = cut[:-1]
    for mark in ("\n", " "):
        at = cut.rfind(mark)
        if at >= len(cut) // 2:
            return cut[: at + 1]
    return cut


def _strip(page: list[Run]) -> list[Run]:
    """Leave out what is blank at both ends."""
    while page and not page[0].text.strip():
        page = page[1:]
    while page and not page[-1].text.strip():
        page = page[:-1]
    if page:
        page = [*page[:-1], page[-1].model_copy(update={"text": page[-1].text.rstrip()})]
    return page
