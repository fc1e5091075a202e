"""`./assent test [pytest's arguments]`: sets up a browser, then runs the static checks and the whole suite.

With arguments only pytest runs. Its closing line is the last line in any case; the exit code is 1 when a static check
failed and pytest's own otherwise.
"""

import os
import sys
import time

from scripts.steps import LOCKS, STATIC, failures, pytest
from tests.browser import NoChromiumError, install_chromium


def set_up_browser() -> None:
    """Find or install Chromium, with a progress line; without one the browser tests say so themselves."""
    print("Finding a Chromium for the browser tests ... ", end="", file=sys.stderr, flush=True)
    began = time.monotonic()
    try:
        print(f"{install_chromium()} ({time.monotonic() - began:.1f} s)", file=sys.stderr, flush=True)
    except NoChromiumError as problem:
        print(f"none\n{problem}", file=sys.stderr, flush=True)


def main() -> int:
    """Run the static checks first, so that pytest's closing line ends the output."""
    arguments = sys.argv[1:]
    set_up_browser()
    if arguments:
        return pytest(*arguments)
    failed = failures((*STATIC, LOCKS) if os.environ.get("CI") else STATIC)
    if failed:
        print(f"assent test: failed before the suite: {', '.join(failed)}", file=sys.stderr, flush=True)
    code = pytest()
    return code or bool(failed)


if __name__ == "__main__":
    sys.exit(main())
