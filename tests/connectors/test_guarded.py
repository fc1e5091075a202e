"""Where calls by HTTP may go, and how much of an answer is taken."""

import asyncio
import ipaddress
import ssl

import httpcore
import httpx
import pytest

from connectors.addresses import PrivateHosts, is_public
from connectors.base import ConnectorError, PermanentFailure, Unreachable
from connectors.fetching import fetch
from connectors.guarded import AddressRefused, AnswerRefused, Guard, open_guarded
from core.errors import Misconfigured
from tests.connectors.hostile import PAGE, hostile_server
from tests.connectors.ssrf import CORPUS

PUBLIC = "93.184.215.14"


@pytest.fixture
async def client(hostile):
    """A client whose operator allowed the hostile server, and nothing else."""
    async with open_guarded([hostile.address]) as opened:
        yield opened


@pytest.fixture
async def strict():
    """A client with no private host allowed."""
    async with open_guarded() as opened:
        yield opened


def answering(*addresses):
    async def resolve(host, port):
        return list(addresses)

    return resolve


class TestAddresses:
    @pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "2a00:1450:4001:81b::200e"])
    def test_public_ones_are(self, address):
        assert is_public(ipaddress.ip_address(address))

    @pytest.mark.parametrize(
        "address",
        [
            *("127.0.0.1", "10.1.2.3", "172.31.255.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
            *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.0.192"),
            *("192.0.2.1", "203.0.113.9", "192.88.99.1", "168.63.129.16", "100.100.100.200"),
            *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::808:808"),
            *("64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1"),
            *("3fff::1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1", "5f00::1"),
            "2606:4700::5efe:7f00:1",
        ],
    )
    def test_others_are_not(self, address):
        assert not is_public(ipaddress.ip_address(address))

    @pytest.mark.parametrize("entry", ["nonsense", "host:", ":80", "host:99999", "10.0.0.0/99", "host:٣"])
    def test_an_entry_that_is_none_is_named(self, entry):
        with pytest.raises(Misconfigured, match="private_hosts"):
            PrivateHosts.parse([entry])


class TestGuard:
    @pytest.mark.parametrize("url", CORPUS)
    async def test_the_corpus_is_refused(self, strict, url):
        """Refused before anything is connected: the host lies nowhere, or where it must not."""
        with pytest.raises(ConnectorError) as refused:
            await fetch(strict, url, seconds=5)

        assert isinstance(refused.value, AddressRefused | PermanentFailure | Unreachable)

    async def test_no_connection_is_opened_before_all_addresses_are_checked(self, hostile):
        async with open_guarded(resolve=answering(PUBLIC, "127.0.0.1"), ports=frozenset({hostile.port})) as client:
            with pytest.raises(AddressRefused):
                await fetch(client, hostile.url(host="example.com"))

        assert hostile.heads == []

    async def test_a_name_that_changes_its_address_is_reached_where_it_was_checked(self, hostile):
        asked = []

        async def rebinding(host, port):
            asked.append(host)
            return [PUBLIC] if len(asked) == 1 else ["127.0.0.1"]

        guard = Guard(PrivateHosts(), ports=frozenset({hostile.port}), resolve=rebinding)

        assert await guard.addresses("rebind.example", hostile.port) == [PUBLIC]
        with pytest.raises(AddressRefused):
            await guard.connect_tcp("rebind.example", hostile.port)
        assert (len(asked), hostile.heads) == (2, [])

    async def test_the_checked_address_is_the_one_that_is_connected_to(self, hostile):
        resolved = []

        async def resolve(host, port):
            resolved.append(host)
            return ["127.0.0.1"]

        async with open_guarded(["127.0.0.0/8"], resolve=resolve) as client:
            found = await fetch(client, hostile.url(host="service.internal"))

        assert (found.body, resolved) == (PAGE, ["service.internal"])
        assert f"Host: service.internal:{hostile.port}" in hostile.heads[0]

    async def test_every_connection_of_the_client_is_opened_by_the_guard(self, strict):
        """httpx has no argument for a network backend: hold that the place where we put it is the one it uses."""
        transport = strict._transport

        assert isinstance(transport._pool, httpcore.AsyncConnectionPool)
        assert isinstance(transport._pool._network_backend, Guard)
        assert strict._mounts == {}
        assert not strict.follow_redirects

    async def test_proxies_of_the_environment_are_not_used(self, monkeypatch, hostile):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{hostile.address}")
        async with open_guarded(resolve=answering("127.0.0.1")) as client:
            with pytest.raises(AddressRefused):
                await fetch(client, "http://example.com/")

        assert hostile.heads == []

    async def test_a_private_service_is_reached_at_its_port_only(self, client, hostile):
        assert (await fetch(client, hostile.url())).body == PAGE
        with pytest.raises(AddressRefused):
            await fetch(client, f"http://127.0.0.1:{hostile.port + 1}/page")

    async def test_ports_are_few(self, strict):
        with pytest.raises(AddressRefused, match="Port 22"):
            await fetch(strict, "http://example.com:22/")

    async def test_a_certificate_must_be_of_the_name_that_was_asked_for(self):
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        seen = []
        server.sni_callback = lambda _socket, name, _context: seen.append(name)
        plain = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0, ssl=server)
        port = plain.sockets[0].getsockname()[1]
        async with open_guarded(["127.0.0.0/8"], resolve=answering("127.0.0.1")) as client:
            with pytest.raises(Unreachable):
                await fetch(client, f"https://service.internal:{port}/")
        plain.close()

        assert seen == ["service.internal"]

    async def test_local_sockets_are_not_reached(self):
        with pytest.raises(AddressRefused):
            await Guard(PrivateHosts()).connect_unix_socket("/run/docker.sock")

    async def test_the_client_alone_is_as_guarded(self, client, hostile):
        with pytest.raises(AddressRefused):
            await client.get("http://127.0.0.1/")
        with pytest.raises(AnswerRefused, match="compressed"):
            await client.get(hostile.url("/bomb"))
        with pytest.raises(AnswerRefused, match="larger"):
            await client.get(hostile.url("/endless"))
        assert (await client.get(hostile.url("/to?302&/page"))).status_code == 302

    async def test_cookies_are_not_kept(self, client, hostile):
        await client.get(hostile.url("/cookie"))
        await client.get(hostile.url())

        assert "cookie" not in hostile.heads[1].lower()


class TestRedirects:
    async def test_they_are_followed(self, client, hostile):
        found = await fetch(client, hostile.url("/to?302&/to?307&/page"))

        assert (found.body, found.redirects, found.url) == (PAGE, 2, hostile.url())

    @pytest.mark.parametrize(
        "target", ["http://169.254.169.254/latest/", "http://[::1]/", "http://localhost/", "https://10.0.0.1/"]
    )
    async def test_each_step_is_checked(self, client, hostile, target):
        with pytest.raises(AddressRefused):
            await fetch(client, hostile.url(f"/to?302&{target}"))

    @pytest.mark.parametrize("target", ["file:///etc/passwd", "gopher://127.0.0.1/", "http://[", "javascript:alert(1)"])
    async def test_they_stay_on_the_web(self, client, hostile, target):
        with pytest.raises(PermanentFailure):
            await fetch(client, hostile.url(f"/to?302&{target}"))

    async def test_there_are_five_at_most(self, client, hostile):
        with pytest.raises(PermanentFailure, match="more than 5 times"):
            await fetch(client, hostile.url("/loop"))

        assert len(hostile.heads) == 6

    async def test_credentials_stay_with_the_host_they_were_for(self, hostile):
        async with hostile_server() as other, open_guarded([hostile.address, other.address]) as client:
            secrets = {"authorization": "Bearer x", "x-api-key": "y", "cookie": "z=1"}
            await fetch(client, hostile.url("/to?302&/page"), headers=secrets)
            await fetch(client, hostile.url(f"/to?302&{other.url()}"), headers=secrets)

        assert "Bearer x" in hostile.heads[1]
        assert not any(secret in other.heads[0] for secret in ("Bearer x", "x-api-key", "cookie"))

    async def test_what_was_to_be_sent_stays_too(self, hostile):
        async with hostile_server() as other, open_guarded([hostile.address, other.address]) as client:
            with pytest.raises(PermanentFailure, match="another host"):
                await fetch(client, hostile.url(f"/to?307&{other.url()}"), method="POST", content=b"secret")
            again = await fetch(client, hostile.url(f"/to?303&{other.url()}"), method="POST", content=b"secret")

        assert again.status == 200
        assert [head.split(" ")[0] for head in other.heads] == ["GET"]


class TestAnswers:
    async def test_a_compressed_page_is_unpacked(self, client, hostile):
        assert (await fetch(client, hostile.url("/gzip"))).body == PAGE

    @pytest.mark.parametrize("path", ["/bomb", "/deflate", "/long", "/endless"])
    async def test_what_has_no_end_in_sight_is_cut_off(self, client, hostile, path):
        with pytest.raises(AnswerRefused, match="larger than 2097152 bytes"):
            await fetch(client, hostile.url(path))

    @pytest.mark.parametrize("path", ["/brotli", "/broken"])
    async def test_other_packings_are_refused(self, client, hostile, path):
        with pytest.raises(AnswerRefused, match="compressed"):
            await fetch(client, hostile.url(path))

    @pytest.mark.parametrize("path", ["/drip", "/dripping_head", "/silent"])
    async def test_time_is_bounded_as_a_whole(self, client, hostile, path):
        with pytest.raises(Unreachable, match="took too long"):
            await fetch(client, hostile.url(path), seconds=0.3)

    @pytest.mark.parametrize("count", [300, 1_000_000])
    async def test_headers_are_bounded(self, client, hostile, count):
        with pytest.raises(ConnectorError):
            await fetch(client, hostile.url(f"/headers?{count}"))

    @pytest.mark.parametrize("path", ["/garbage", "/cut"])
    async def test_what_is_no_answer_is_said_to_be_none(self, client, hostile, path):
        with pytest.raises(Unreachable, match="did not answer as a web server does"):
            await fetch(client, hostile.url(path))

    async def test_no_server_is_no_answer(self, strict):
        async with open_guarded(["127.0.0.1:1"]) as client:
            with pytest.raises(Unreachable, match="cannot be reached"):
                await fetch(client, "http://127.0.0.1:1/")

    async def test_the_time_of_httpx_counts_too(self, hostile):
        async with open_guarded([hostile.address], seconds=0.2) as client:
            with pytest.raises(Unreachable, match="took too long"):
                await fetch(client, hostile.url("/silent"), seconds=5)
            with pytest.raises(httpx.ReadTimeout):
                await client.get(hostile.url("/silent"))
