"""The guarded way out for the MCP SDK, whose HTTP client is httpx2: the same checks as for every other call."""

import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore
import httpcore2
import httpx2

from connectors.addresses import PrivateHosts
from connectors.guarded import AddressRefused, Guard, Resolve, check_answer, resolve_by_system, too_large

MAX_BYTES = 4_194_304
"""Of one answer, also of one that is streamed."""
_CONNECT_SECONDS = 10.0


class Backend(httpcore2.AsyncNetworkBackend):
    """Opens connections for httpcore2, to addresses that `Guard` has checked."""

    def __init__(self, guard: Guard) -> None:
        """Take the guard, which alone decides."""
        self._guard = guard
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the name is httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to a checked address; `timeout` in seconds is for each attempt."""
        seconds = min(timeout or _CONNECT_SECONDS, _CONNECT_SECONDS)
        try:
            addresses = await self._guard.addresses(host, port)
        except httpcore.ConnectError as error:
            raise httpcore2.ConnectError(str(error)) from error
        for address in addresses[:-1]:
            try:
                return await self._backend.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(addresses[-1], port, seconds, local_address, socket_options)

    async def connect_unix_socket(self, *_args: Any, **_more: Any) -> httpcore2.AsyncNetworkStream:
        """Refuse: no address leads to a local socket."""
        raise AddressRefused("Local sockets must not be reached.")

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore2 asks."""
        await self._backend.sleep(seconds)


@cache
def _tls() -> ssl.SSLContext:
    """Read the known certificates once: it takes longer than a call."""
    return httpx2.create_ssl_context(trust_env=False)


class Transport(httpx2.AsyncHTTPTransport):
    """httpx2's own transport on a guarded pool, with limits on what comes back. `refused` is the last answer >= 400."""

    def __init__(self, guard: Guard) -> None:
        """Take the guard."""
        tls = _tls()
        super().__init__(verify=tls, trust_env=False)
        self.refused: httpx2.Response | None = None
        # httpx2 has no argument for it; tests hold that every connection is opened by the guard.
        self._pool = httpcore2.AsyncConnectionPool(ssl_context=tls, network_backend=Backend(guard))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; the answer's body is cut off when it has no end in sight."""
        if request.url.scheme not in {"http", "https"} or not request.url.host:
            raise AddressRefused("Only addresses that start with http:// or https:// can be reached.")
        response = await super().handle_async_request(request)
        try:
            check_answer(request.method, _raw(response), MAX_BYTES)
        except BaseException:
            await response.aclose()
            raise
        if response.is_error and request.method == "POST":
            self.refused = response
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - what an async transport gives
        response.stream = _Counted(response.stream)
        return response


def _raw(response: httpx2.Response) -> Sequence[tuple[bytes, bytes]]:
    return [(name, value) for name, value in response.headers.raw]


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        taken = 0
        async for part in self._stream:
            taken += len(part)
            if taken > MAX_BYTES:
                raise too_large(MAX_BYTES)
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


def guarded_transport(private_hosts: Iterable[str] = (), resolve: Resolve = resolve_by_system) -> Transport:
    """Make a transport; `private_hosts` are what the operator named. Raises Misconfigured."""
    return Transport(Guard(PrivateHosts.parse(private_hosts), resolve=resolve))


def guarded_client(transport: Transport, headers: Mapping[str, str], seconds: float) -> httpx2.AsyncClient:
    """Make the SDK's HTTP client; `seconds` is the longest wait for any one step. Whoever opens it closes it."""
    return httpx2.AsyncClient(
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS)),
        # What one person's call is told must not travel with another's.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"accept-encoding": "identity", "user-agent": "assent", **headers},
    )
