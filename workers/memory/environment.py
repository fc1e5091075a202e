"""Finds the Python that the embedder runs under, and has it set up where this is a checkout."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from workers.memory.embedder import child_environment

SCRIPT = Path(__file__).resolve().parent.parent.parent / "scripts" / "embed.py"
"""There in a checkout only."""
_NEEDED = ("sentence_transformers", "onnxruntime")


class NoEmbedderError(Exception):
    """Why there is none, and what to do about it."""


async def find_python(named: Path | None, tell: Callable[[str], None]) -> Path:
    """Give the Python: the setting's, this one when it has the packages, or one set up now, with progress told.

    `tell` gets lines, the last of them without its end as long as that is being worked on. Raises NoEmbedderError.
    """
    if named is not None:
        if not named.is_file():  # noqa: ASYNC240  one look, before anything runs
            message = f"ASSENT_EMBED_PYTHON names {named}, and there is no such file."
            raise NoEmbedderError(message)
        return named
    if all(find_spec(name) for name in _NEEDED):
        return Path(sys.executable)
    if not SCRIPT.is_file():
        message = "The embedder's packages are not here: set ASSENT_EMBED_PYTHON to a Python that has them."
        raise NoEmbedderError(message)
    return await _set_up(tell)


async def _set_up(tell: Callable[[str], None]) -> Path:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(SCRIPT)),
        stdout=PIPE,
        stderr=PIPE,
        env=child_environment(),
        start_new_session=True,
    )
    try:
        answer, said = await asyncio.gather(_read_all(process), _relay(process, tell))
        code = await process.wait()
    finally:
        _end_group(process)
    if code or not answer:
        message = f"The embedder could not be set up. {said}"
        raise NoEmbedderError(message)
    return Path(answer)


async def _read_all(process: Process) -> str:
    assert process.stdout is not None  # noqa: S101  it was made with a pipe
    return (await process.stdout.read()).decode("utf-8", "replace").strip()


async def _relay(process: Process, tell: Callable[[str], None]) -> str:
    """Tell the line at hand whenever it grows; gives the last lines, which say what went wrong."""
    assert process.stderr is not None  # noqa: S101  it was made with a pipe
    text, last = "", ""
    while more := await process.stderr.read(4096):
        text += more.decode("utf-8", "replace")
        for line in text.splitlines(keepends=True)[-2:]:
            if line != last:
                tell(line)
            last = line
        text = "".join(text.splitlines(keepends=True)[-12:])
    return " ".join(text.split())[:800]


def _end_group(process: Process) -> None:
    """End the set-up with all that it started, when it is cut off: what is half made is not marked as whole."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
