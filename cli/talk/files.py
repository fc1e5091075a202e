"""Files to and from the server: sent as they are read, kept only when they came whole."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx

from cli.talk.server import HEADERS, Server, answer
from core.errors import Invalid, Unavailable

_LONG = httpx.Timeout(30, read=300, write=300)


async def send_form(server: Server, path: str, file: Path, fields: Mapping[str, str]) -> Any:
    """Send a file as a form; raises Invalid when it cannot be read."""
    content = await _read(file)
    return await _send(server, path, files={"file": (file.name, content)}, data=dict(fields))


async def send_whole(server: Server, path: str, file: Path, query: Mapping[str, str]) -> Any:
    """Send a file as the body; raises Invalid when it cannot be read."""
    content = await _read(file)
    media_type = "application/zip" if content.startswith(b"PK") else "application/json"
    return await _send(server, path, content=content, params=dict(query), headers={"Content-Type": media_type})


async def _send(server: Server, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> Any:
    for last in (False, True):
        known = {**HEADERS, **(headers or {}), "Authorization": f"Bearer {await server.token(renew=last)}"}
        try:
            response = await server.client.post(path, headers=known, timeout=_LONG, **more)
        except httpx.TransportError as error:
            raise _away(error) from None
        if response.status_code != httpx.codes.UNAUTHORIZED or last:
            break
    return answer(response)


async def parts(server: Server, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
    """Give what the path answers, as it comes; raises as `Server.streamed` does."""
    async with server.streamed(path, query, _LONG) as response:
        async for part in response.aiter_bytes():
            yield part


async def keep(found: AsyncIterator[bytes], file: Path, *, force: bool) -> int:
    """Write to a file that appears only whole; returns its size. Raises Invalid when it is there and not `force`."""
    target = anyio.Path(file)
    if await target.exists() and not force:
        message = f"{file} is there already: --force writes over it."
        raise Invalid(message)
    beside = anyio.Path(file.with_name(f".{file.name}.{os.getpid()}.part"))
    size = 0
    try:
        async with await anyio.open_file(beside, "xb") as out:
            async for part in found:
                size += len(part)
                await out.write(part)
        await beside.replace(target)
    except OSError as error:
        message = f"{file} cannot be written: {error.strerror or error}"
        raise Invalid(message) from None
    finally:
        with suppress(OSError):
            await beside.unlink(missing_ok=True)
    return size


async def _read(file: Path) -> bytes:
    try:
        return await anyio.Path(file).read_bytes()
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror or error}"
        raise Invalid(message) from None


def _away(error: httpx.TransportError) -> Unavailable:
    return Unavailable(f"The server cannot be reached: {str(error) or type(error).__name__}")
