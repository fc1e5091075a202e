"""Looking at an endpoint that is none: nothing but a model's API that takes the key is called good."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.workers.llm.models import model_at
from workers.llm import errors, looking

KEY = "sk-very-secret"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
BODIES = {"a page": b"<html>Welcome</html>", "nested JSON": b"[" * 100_000, "no text": b"\xff\xfe\x00"}


@asynccontextmanager
async def endpoint(answer: bytes, *, drips: bool = False):
    """Serve the same bytes to every request; dripping, it never ends. Gives the address and what was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        while drips and not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.05)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", asked


async def check(address: str) -> errors.ModelError:
    model = model_at(address, key=KEY)
    try:
        with pytest.raises(errors.ModelError) as caught:
            await model.check()
    finally:
        await model.aclose()
    return caught.value


class TestLooking:
    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    async def test_what_is_no_api_is_not_called_good(self, body):
        async with endpoint(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body) as (address, _):
            found = await check(address)

        assert KEY not in str(found)

    async def test_a_redirect_is_told_and_not_followed(self):
        async with endpoint(b"") as (other, there):
            moved = f"HTTP/1.1 302 Found\r\nLocation: {other}/models\r\nContent-Length: 0\r\n\r\n".encode()
            async with endpoint(moved) as (address, _):
                found = await check(address)

        assert isinstance(found, errors.ModelRequestRejected)
        assert "another address" in found.detail
        assert there == []

    async def test_one_that_drips_is_not_listened_to_for_long(self, monkeypatch):
        monkeypatch.setattr(looking, "LOOK_SECONDS", 0.3)
        async with endpoint(HEAD + b"Content-Length: 1000000\r\n\r\n", drips=True) as (address, _):
            assert isinstance(await check(address), errors.ModelTimedOut)
