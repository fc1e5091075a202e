"""`./assent test [pytest's arguments]`: sets up a browser and the embedder, then runs the checks and the whole suite.

With arguments only pytest runs. Its closing line is the last line in any case; the exit code is 1 when a static check
failed and pytest's own otherwise.
"""

import os
import subprocess
import sys
import time

from scripts import embed
from scripts.steps import LOCKS, STATIC, failures, pytest
from tests.browser import NoChromiumError, install_chromium

_PROCESSES = min((os.cpu_count() or 1) + 1, 8)
AT_ONCE = ("--numprocesses", str(_PROCESSES), "--dist", "loadfile")
"""One process more than cores, since many tests wait; those of a file stay together, with the servers they share."""


def set_up_browser() -> None:
    """Find or install Chromium, with a progress line; without one the browser tests say so themselves."""
    print("Finding a Chromium for the browser tests ... ", end="", file=sys.stderr, flush=True)
    began = time.monotonic()
    try:
        print(f"{install_chromium()} ({time.monotonic() - began:.1f} s)", file=sys.stderr, flush=True)
    except NoChromiumError as problem:
        print(f"none\n{problem}", file=sys.stderr, flush=True)


def set_up_embedder() -> None:
    """Set the embedder's environment up, with its own progress lines, unless one is named; tests need the real one."""
    if "ASSENT_EMBED_PYTHON" not in os.environ:
        subprocess.run([sys.executable, "-I", embed.__file__], stdout=subprocess.DEVNULL, check=False)


def main() -> int:
    """Run the static checks first, so that pytest's closing line ends the output."""
    arguments = sys.argv[1:]
    set_up_browser()
    set_up_embedder()
    if arguments:
        return pytest(*arguments)
    failed = failures((*STATIC, LOCKS) if os.environ.get("CI") else STATIC)
    if failed:
        print(f"assent test: failed before the suite: {', '.join(failed)}", file=sys.stderr, flush=True)
    code = pytest(*AT_ONCE)
    return code or bool(failed)


if __name__ == "__main__":
    sys.exit(main())
