"""The parent's side of the child that reads: starts it, takes its pieces, ends it when it takes too long."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import workers
from core.store.chunks import Piece
from workers.reading.bounds import BOUNDS, Bounds, Unreadable

_ROOT = Path(workers.__file__).parent.parent
_LINE = 1_000_000
_TOO_LONG = "It takes longer to read than a document may."


@dataclass(frozen=True)
class Text:
    """A document's text; `note` is what did not go well."""

    pieces: tuple[Piece, ...]
    pages: int | None
    note: str | None


async def read(path: Path, media_type: str, bounds: Bounds = BOUNDS) -> Text:
    """Read a file in a child process; raises Unreadable. A cancelled or overdue child is killed."""
    from workers.reading.child import arguments_for

    child = await asyncio.create_subprocess_exec(
        *arguments_for(path, media_type, bounds),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=DEVNULL,
        cwd=_ROOT,
        env={"PATH": os.defpath, "PYTHONPATH": str(_ROOT), "LC_ALL": "C.UTF-8"},
        limit=_LINE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(bounds.wall_seconds):
            return await _take(child)
    except TimeoutError:
        raise Unreadable(_TOO_LONG) from None
    finally:
        await _end(child)


async def _take(child: Process) -> Text:
    assert child.stdout is not None  # noqa: S101  # it was asked for
    pieces: list[Piece] = []
    async for line in child.stdout:
        said: dict[str, Any] = json.loads(line)
        if "failed" in said:
            raise Unreadable(said["failed"])
        if "text" not in said:
            return Text(tuple(pieces), said["pages"], said["note"])
        pieces.append(Piece(said["text"], said["page"]))
    raise Unreadable(_died(await child.wait()))


def _died(code: int) -> str:
    if code in {-signal.SIGXCPU, -signal.SIGKILL}:
        return _TOO_LONG
    return "It cannot be read: its content made the reader fail."


async def _end(child: Process) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.kill()
    await child.wait()
    transport: Any = child._transport  # type: ignore[attr-defined]
    transport.close()
