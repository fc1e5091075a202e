"""Runs one command that must not outlive its parent: `python tether.py COMMAND...`, a pipe from the parent as stdin.

When the pipe closes (the parent ended, however) the command is asked to end, and made to after a few seconds. Uses
the standard library only: it starts in 20 ms with `python -I -S`.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

PATIENCE = 2.0
_PR_SET_PDEATHSIG = 1


def _die_with_tether() -> Callable[[], None] | None:
    """Linux: the kernel ends the command when even this process is killed."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    libc = ctypes.CDLL(None)

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return ask_kernel


def _end_with_parent(child: subprocess.Popen[bytes]) -> None:
    """Wait for the end of stdin, then end the child."""
    while os.read(0, 4096):
        pass
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()


def main(command: list[str]) -> int:
    """Run the command to its end; return its code, or 128 + the signal that ended it."""
    inherited = [int(one) for one in os.environ.pop("TETHER_FDS", "").split(",") if one]
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        pass_fds=inherited,
        preexec_fn=_die_with_tether(),  # noqa: PLW1509  this process has one thread yet
    )
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    threading.Thread(target=_end_with_parent, args=(child,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
