"""One run of the Temporal server's process, tied to ours by its tether."""

import asyncio
import os
import re
import sys
from contextlib import suppress
from pathlib import Path

from cli.exit import InUse
from cli.serve.lock import take_lock
from cli.serve.temporal_binary import TemporalBinary
from cli.serve.temporal_flags import command_line, environment
from cli.serve.temporal_place import Ports, TemporalPlace
from core.errors import AssentError, Unavailable

_TETHER = Path(__file__).with_name("tether.py")
_STOP_LIMIT = 3.0
_LOCK_WAIT = 15.0
_SHOWN_LOG = 600
_LAST_WORD = re.compile(r"^(panic|fatal error|Error): .*", re.MULTILINE)


class TemporalChild:
    """A started server; it ends when `end` is called, when it dies, or with this process."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        """Keep the tether's process."""
        self._process = process
        self._log = log

    @property
    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Wait for its end; return its exit code."""
        return await self._process.wait()

    async def end(self) -> None:
        """Close the tether's pipe, which ends the server; returns when both are gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_LIMIT)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def obituary(self) -> AssentError:
        """Explain why it died: by its own last word, which stands before a stack, or else with the end of its log."""
        said = self._log.read_text("utf-8", "replace")
        words = list(_LAST_WORD.finditer(said))
        shown = said[words[-1].start() :][:_SHOWN_LOG] if words else said[-_SHOWN_LOG:]
        message = (
            f"The Temporal server ended with code {self._process.returncode}. {shown.strip() or 'It logged nothing.'}"
        )
        return Unavailable(message)


async def start_child(binary: TemporalBinary, place: TemporalPlace, ports: Ports, namespace: str) -> TemporalChild:
    """Start the server; raises InUse when one of an earlier start still holds the files.

    The server inherits the lock's handle, so that the lock lasts until no process has the files open.
    """
    lock = await asyncio.to_thread(take_lock, place.lock, within=_LOCK_WAIT)
    if lock is None:
        message = f"A Temporal server of an earlier start still runs on {place.folder}: end it first."
        raise InUse(message)
    posix = sys.platform != "win32"
    try:
        with place.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_TETHER)),
                *command_line(binary.path, place.database, ports, namespace),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment() | ({"TETHER_FDS": str(lock)} if posix else {}),
                pass_fds=(lock,) if posix else (),
                start_new_session=True,
            )
    finally:
        os.close(lock)
    return TemporalChild(process, place.log)
