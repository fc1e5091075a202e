"""A file that one process holds: the lock goes when the last process that inherited it is gone, however it ended."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.exit import InUse

_PAUSE = 0.05

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def take_lock(file: Path, *, within: float = 0) -> int | None:
    """Return an open handle that holds the lock, or None when somebody else still has it after `within` seconds."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + within
    while True:
        try:
            _take(handle)
        except OSError:
            if time.monotonic() >= until:
                os.close(handle)
                return None
            time.sleep(_PAUSE)
        else:
            return handle


@contextmanager
def held_data_dir(data_dir: Path) -> Iterator[None]:
    """Hold the data directory for this process; raises InUse when another one has it."""
    file = data_dir / "lock"
    handle = take_lock(file)
    if handle is None:
        holder = file.read_text("utf-8", "replace").strip()
        message = f"{data_dir} is in use by another Assent (process {holder or 'unknown'}): stop it or pass --data."
        raise InUse(message)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)
