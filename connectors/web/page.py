"""The parent's side of the child that takes the text out of a page."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Any

import connectors
from connectors.base import PermanentFailure

_ROOT = Path(connectors.__file__).parent.parent
_SECONDS = 12.0


async def take_out(body: bytes, charset: str | None, url: str, seconds: float = _SECONDS) -> dict[str, Any]:
    """Give title, text and links of a page of HTML; PermanentFailure when it takes too long or cannot be read."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "connectors.web.child", charset or "", url),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        cwd=_ROOT,
        env={"PATH": os.defpath, "PYTHONPATH": str(_ROOT), "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            told, _ = await child.communicate(body)
    except TimeoutError:
        raise PermanentFailure("It takes longer to read the page than a page may.") from None
    finally:
        await _end(child)
    if child.returncode:
        raise PermanentFailure("The page cannot be read: its content made the reader fail.")
    taken: dict[str, Any] = json.loads(told)
    return taken


async def _end(child: Process) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.kill()
    await child.wait()
    transport: Any = child._transport  # type: ignore[attr-defined]
    transport.close()
