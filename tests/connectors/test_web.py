"""Pages as text: what is read, what is refused, and in which words."""

import pytest

from connectors.base import ConnectorError, PermanentFailure, Throttled, Unreachable
from connectors.guarded import AddressRefused
from connectors.web.charsets import as_text, media_type_of
from connectors.web.child import page_of
from connectors.web.connector import WebConnector
from connectors.web.page import take_out
from tests.connectors.ssrf import CORPUS


@pytest.fixture
def web(hostile):
    return WebConnector([hostile.address])


@pytest.fixture
def fetch(web, context):
    async def call(url, **more):
        return await web.execute("fetch", {"url": url, **more}, context())

    return call


@pytest.fixture
def typed(fetch, hostile):
    """Fetch a body of a type."""

    async def call(kind, body, **more):
        return await fetch(hostile.url(f"/typed?{kind.replace(' ', '%20')}&{body.hex()}"), **more)

    return call


class TestPages:
    async def test_a_page_is_its_title_its_text_and_its_links(self, fetch, hostile):
        assert await fetch(hostile.url()) == {
            "title": "Hello",
            "text": "A page.\nMore",
            "links": [{"url": hostile.url("/next"), "text": "More"}],
            "type": "text/html",
            "url": hostile.url(),
            "status": 200,
            "cut": False,
        }

    async def test_a_long_one_is_cut_and_says_so(self, typed):
        told = await typed("text/plain", b"word " * 400, max_characters=1000)

        assert (len(told["text"]), told["cut"]) == (1000, True)

    async def test_code_styles_and_comments_are_no_text(self):
        page = page_of(
            b"<title> A \n b </title><body>One<!-- no --><script>no()</script><style>no</style><p>Two<br>three"
            b"<ul><li>x<li>y</ul><template>no</template><noscript>no</noscript>",
            "utf-8",
            "http://x.example/",
        )

        assert (page["title"], page["text"]) == ("A b", "One\nTwo\nthree\nx\ny")

    def test_links_lead_to_the_web_only(self):
        body = (
            b"<a href='/a'>A</a><a href='//b.example/'>B</a><a href='javascript:x()'>J</a><a href='mailto:x@y.z'>M</a>"
            b"<a href='http://['>?</a><a href='#here'>H</a><a href='/a#again'>A</a>"
        )
        page = page_of(body, None, "https://x.example/p")

        assert [one["url"] for one in page["links"]] == [
            "https://x.example/a",
            "https://b.example/",
            "https://x.example/p",
        ]

    async def test_a_page_of_a_thousand_storeys_is_read(self):
        told = await take_out(b"<div>" * 20_000 + b"roof", None, "http://x.example/")

        assert told["text"] == "roof"

    async def test_a_page_that_takes_too_long_is_left(self):
        with pytest.raises(PermanentFailure, match="longer to read"):
            await take_out(b"<p>" * 100_000, None, "http://x.example/", seconds=0.05)

    @pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/problem+json", "text/csv"])
    async def test_other_text_is_taken_as_it_is(self, typed, kind):
        told = await typed(kind, '{"größe": 3}'.encode())

        assert (told["text"], told["type"]) == ('{"größe": 3}', kind)

    @pytest.mark.parametrize("kind", ["image/png", "application/pdf", "application/octet-stream", "video/mp4"])
    async def test_what_is_no_text_is_named(self, typed, kind):
        with pytest.raises(PermanentFailure, match=f"no text that can be read .{kind}"):
            await typed(kind, b"\x00\x01\x02")

    async def test_what_lies_about_being_text_is_refused(self, typed):
        with pytest.raises(PermanentFailure, match="and is not"):
            await typed("text/plain", b"\x7fELF\x00\x00")


class TestCharsets:
    @pytest.mark.parametrize(
        ("kind", "body", "text"),
        [
            ("text/plain; charset=iso-8859-1", "Größe".encode("latin-1"), "Größe"),
            ("text/plain; charset=utf-16", "Größe".encode("utf-16"), "Größe"),
            ("text/plain; charset=utf-8", "Größe".encode("latin-1"), "Gr\ufffd\ufffde"),
            ("text/plain; charset=no-such-thing", "Größe".encode(), "Größe"),
            ("text/plain; charset=idna", "Größe".encode(), "Größe"),
            ("text/plain; charset=unicode_escape", b"\\u0041", "\\u0041"),
            ('text/plain; charset="UTF-8"', "Größe".encode(), "Größe"),
            ("text/plain; charset=latin-1", "\ufeffGröße".encode("utf-8"), "Größe"),
            ("text/plain; charset=iso-8859-99", "Größe".encode(), "Größe"),
        ],
    )
    def test_text_is_read_as_it_is_named_if_that_can_be(self, kind, body, text):
        media_type, charset = media_type_of(kind)

        assert (media_type, as_text(body, charset)) == ("text/plain", text)

    async def test_a_page_may_say_so_itself(self, typed):
        body = '<meta charset="windows-1252"><p>Größe €'.encode("windows-1252")

        assert (await typed("text/html", body))["text"] == "Größe €"
        assert (await typed("text/html; charset=cp99999", body))["text"] == "Größe €"


class TestRefusals:
    @pytest.mark.parametrize("url", CORPUS)
    async def test_the_corpus_is_refused_in_a_sentence(self, context, url):
        with pytest.raises(ConnectorError) as refused:
            await WebConnector().execute("fetch", {"url": url}, context())

        assert refused.value.detail.endswith(".")

    @pytest.mark.parametrize(
        ("path", "error", "says"),
        [
            ("/status?404", PermanentFailure, "is not there"),
            ("/status?403", PermanentFailure, "is not for everybody"),
            ("/status?204", PermanentFailure, "no page at this address"),
            ("/status?500", Unreachable, "trouble of its own"),
            ("/status?429", Throttled, "fewer requests"),
            ("/bomb", PermanentFailure, "larger than"),
            ("/brotli", PermanentFailure, "compressed"),
            ("/endless", PermanentFailure, "larger than"),
            ("/garbage", Unreachable, "did not answer as a web server does"),
            ("/to?302&http://169.254.169.254/", AddressRefused, "private or special network"),
            ("/loop", PermanentFailure, "redirects more than 5 times"),
        ],
    )
    async def test_each_says_what_is_the_matter(self, fetch, hostile, path, error, says):
        with pytest.raises(error, match=says):
            await fetch(hostile.url(path))

    async def test_a_service_may_say_when_to_come_again(self, fetch, hostile):
        with pytest.raises(Throttled) as busy:
            await fetch(hostile.url("/status?429"))

        assert busy.value.retry_after == 7

    async def test_hosts_that_people_chose_are_not_named(self, web):
        first, again, other = (
            web.host_of("fetch", {"url": url})
            for url in ("https://Clinic.example/a", "https://clinic.example./b", "https://other.example/")
        )

        assert first == again != other
        assert first.startswith("#")
        assert "clinic" not in first
