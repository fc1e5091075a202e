"""The child process that takes the text out of a page: nothing that a page holds is parsed by a worker itself.

Bytes of HTML come by standard input, JSON with title, text and links goes out; `argv`: the charset, the page's address.
"""

import json
import re
import sys
from typing import Any
from urllib.parse import urljoin

MAX_LINKS = 100
MAX_TITLE = 300
MAX_TEXT = 60_000
CPU_SECONDS = 8
MEMORY_BYTES = 700_000_000
_DROPPED = ("title", "script", "style", "noscript", "template", "svg", "head", "iframe", "object", "canvas")
_BLOCKS = re.compile(
    r"h[1-6]|p|div|li|ul|ol|table|tr|pre|blockquote|section|article|header|footer|main|nav|aside|form|figure|dl|dt|dd"
    r"|hr|br|body"
)
_SPACE = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*")


def page_of(body: bytes, charset: str | None, url: str) -> dict[str, Any]:
    """Give title, text and links of a page; `cut` when its text is longer than MAX_TEXT characters."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(body, "html.parser", from_encoding=charset)
    title = " ".join(soup.title.get_text().split())[:MAX_TITLE] if soup.title is not None else ""
    for dropped in soup.find_all(_DROPPED):
        dropped.extract()
    text = _text(soup)
    return {"title": title, "text": text[:MAX_TEXT], "cut": len(text) > MAX_TEXT, "links": _links(soup, url)}


def _text(soup: Any) -> str:
    from bs4.element import NavigableString, Tag

    parts: list[str] = []
    for one in soup.descendants:
        if isinstance(one, Tag):
            parts.append("\n" if _BLOCKS.fullmatch(one.name) else "")
        elif type(one) is NavigableString:  # comments and declarations are of its subclasses
            ended = one.parent is not None and one.next_sibling is None and _BLOCKS.fullmatch(one.parent.name)
            parts.append(str(one).replace("\n", " ") + ("\n" if ended else ""))
    return _LINES.sub("\n", _SPACE.sub(" ", "".join(parts))).strip()


def _links(soup: Any, url: str) -> list[dict[str, str]]:
    found: dict[str, str] = {}
    for anchor in soup.find_all("a", href=True):
        if len(found) == MAX_LINKS:
            break
        try:
            target = urljoin(url, str(anchor["href"]).strip()).partition("#")[0]
        except ValueError:
            continue
        if target.startswith(("http://", "https://")) and len(target) <= 2000:  # noqa: PLR2004 - as the action takes
            found.setdefault(target, " ".join(anchor.get_text().split())[:100])
    return [{"url": target, "text": text} for target, text in found.items()]


def _limit() -> None:
    sys.dont_write_bytecode = True
    try:
        import resource
    except ImportError:  # Windows has none; the parent's clock still ends it
        return
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":  # elsewhere the limit is not kept, or not to be had
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def main() -> None:
    """Read, take out, write."""
    import warnings

    warnings.simplefilter("ignore")  # what libraries think of a page is of no use to anyone
    _limit()
    body = sys.stdin.buffer.read()
    sys.stdout.write(json.dumps(page_of(body, sys.argv[1] or None, sys.argv[2])))


if __name__ == "__main__":
    main()
