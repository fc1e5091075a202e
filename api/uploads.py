"""Files on their way in: read as they come, never over the limit, stored under a random name or not at all."""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from core.errors import Invalid, TooLarge
from core.media import HEAD, clean_name, media_type_of

_PART = 1_000_000
_AROUND = 65_536
"""So many bytes of a request may be about the file: its borders, its name, other fields."""


@dataclass(frozen=True)
class Stored:
    """A file that is in the uploads folder."""

    key: str
    path: Path
    size: int
    sha256: str
    media_type: str


@asynccontextmanager
async def form_of(request: Request, max_bytes: int) -> AsyncIterator[FormData]:
    """Read a multipart form with one file; what it holds is gone when the block ends.

    Raises TooLarge at the first byte that is too many, Invalid when it is no such form.
    """
    parser = MultiPartParser(
        request.headers, bounded(request, max_bytes + _AROUND), max_files=1, max_fields=8, max_part_size=_AROUND
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        message = f"This is no form with a file: {error.message}"
        raise Invalid(message) from None
    try:
        yield form
    finally:
        await form.close()


async def bounded(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """Give a request's body as it comes; raises TooLarge, or Invalid when the client went away."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared[:20]) > max_bytes:
        _refuse(max_bytes)
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > max_bytes:
                _refuse(max_bytes)
            yield part
    except ClientDisconnect:
        message = "The request ended before it was whole."
        raise Invalid(message) from None


def file_in(form: FormData, max_bytes: int) -> tuple[UploadFile, str]:
    """Give the form's file and its name as it is kept; raises Invalid, TooLarge."""
    found = form.get("file")
    if not isinstance(found, UploadFile):
        message = "Send the file as the field `file`, with its name."
        raise Invalid(message)
    if not found.size:
        message = "This file is empty."
        raise Invalid(message)
    if found.size > max_bytes:
        _refuse(max_bytes)
    return found, clean_name(found.filename or "")


def _refuse(max_bytes: int) -> NoReturn:
    message = f"A file has at most {max_bytes} bytes."
    raise TooLarge(message, max_bytes=max_bytes)


@asynccontextmanager
async def stored(source: IO[bytes], name: str, folder: Path) -> AsyncIterator[Stored]:
    """Store a file under a random key; an error in the block erases it. Raises UnknownMedia for what nobody reads."""
    kept = await asyncio.to_thread(_store, source, name, folder)
    try:
        yield kept
    except BaseException:
        await asyncio.shield(asyncio.to_thread(kept.path.unlink, missing_ok=True))
        raise


def _store(source: IO[bytes], name: str, folder: Path) -> Stored:
    media_type = _sniff(source, name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = secrets.token_hex(32)
    path, digest, size = folder / key, hashlib.sha256(), 0
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            while part := source.read(_PART):
                file.write(part)
                digest.update(part)
                size += len(part)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Stored(key, path, size, digest.hexdigest(), media_type)


def _sniff(source: IO[bytes], name: str) -> str:
    size = source.seek(0, os.SEEK_END)
    source.seek(max(0, size - HEAD))
    tail = source.read(HEAD)
    source.seek(0)
    head = source.read(HEAD)
    source.seek(0)
    return media_type_of(name, head, tail)
