"""A web server of plain sockets that answers as the path says, also in ways no web server should."""

import asyncio
import contextlib
import functools
import gzip
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

PAGE = b"<html><head><title>Hello</title></head><body><p>A page.</p><a href='/next'>More</a></body></html>"
MIB = 1_048_576


@dataclass
class Hostile:
    """Where it listens, and every request head that it got."""

    port: int = 0
    heads: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/page", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            path, _, query = head.split(" ", 2)[1].partition("?")
            await getattr(self, f"_{path.strip('/')}")(writer, query)
            await writer.drain()
        writer.close()

    async def _page(self, writer, query):
        _send(writer, PAGE, "content-type: text/html; charset=utf-8")

    async def _to(self, writer, query):
        status, _, target = query.partition("&")
        writer.write(f"HTTP/1.1 {status} Go\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n".encode())

    async def _loop(self, writer, query):
        await self._to(writer, f"302&/loop?{len(self.heads)}")

    async def _status(self, writer, query):
        writer.write(f"HTTP/1.1 {query} Said\r\ncontent-length: 4\r\nretry-after: 7\r\n\r\nbody".encode())

    async def _gzip(self, writer, query):
        _send(writer, gzip.compress(PAGE), "content-encoding: gzip\r\ncontent-type: text/html")

    async def _bomb(self, writer, query):
        _send(writer, _bomb(), "content-encoding: gzip\r\ncontent-type: text/plain")

    async def _deflate(self, writer, query):
        _send(writer, zlib.compress(bytes(100 * MIB)), "content-encoding: deflate\r\ncontent-type: text/plain")

    async def _brotli(self, writer, query):
        _send(writer, b"\x8b\x02\x80" + bytes(100), "content-encoding: br\r\ncontent-type: text/plain")

    async def _broken(self, writer, query):
        _send(writer, b"this is no gzip", "content-encoding: gzip\r\ncontent-type: text/plain")

    async def _long(self, writer, query):
        _send(writer, b"a" * (3 * MIB), "content-type: text/plain")

    async def _endless(self, writer, query):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
        while True:
            writer.write(b"a" * 65_536)
            await writer.drain()

    async def _drip(self, writer, query):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def _dripping_head(self, writer, query):
        writer.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def _silent(self, writer, query):
        await asyncio.sleep(60)

    async def _headers(self, writer, query):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(int(query)):
            writer.write(b"x-%d: 1\r\n" % number)
            await writer.drain()
        writer.write(b"content-length: 0\r\n\r\n")

    async def _garbage(self, writer, query):
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")

    async def _cut(self, writer, query):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\ncontent-type: text/plain\r\n\r\nonly this")

    async def _typed(self, writer, query):
        kind, _, body = query.partition("&")
        _send(writer, bytes.fromhex(body), f"content-type: {kind.replace('%20', ' ')}")

    async def _cookie(self, writer, query):
        _send(writer, PAGE, "content-type: text/html\r\nset-cookie: secret=1; path=/")


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(bytes(300 * MIB), 1)


def _send(writer, body, headers):
    writer.write(f"HTTP/1.1 200 OK\r\n{headers}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)


@contextlib.asynccontextmanager
async def hostile_server() -> AsyncIterator[Hostile]:
    """Run one on a free port."""
    hostile = Hostile()
    server = await asyncio.start_server(hostile.answer, "127.0.0.1", 0)
    hostile.port = server.sockets[0].getsockname()[1]
    try:
        yield hostile
    finally:
        server.close()
