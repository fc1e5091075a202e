"""The log of what clients do wrong: counted, one line now and then, no traceback, nothing of what they sent."""

import sys
import time
from collections import Counter
from typing import Any

EVERY_SECONDS = 10.0


class QuietLog:
    """Stands in for the loggers of python-socketio and python-engineio, which print a traceback for every bad frame."""

    def __init__(self, logger: Any) -> None:
        """Write to this logger."""
        self._logger = logger
        self._pending: Counter[str] = Counter()
        self._due = 0.0
        self.counts: Counter[str] = Counter()

    def problem(self, kind: str) -> None:
        """Count one; write a line when the last is EVERY_SECONDS ago."""
        self.counts[kind] += 1
        self._pending[kind] += 1
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + EVERY_SECONDS
        told = dict(self._pending)
        self._pending.clear()
        self._logger.warning("sockets broke the protocol", counts=told)

    def debug(self, *_: object) -> None:
        """Say nothing."""

    info = warning = debug

    def error(self, *_: object) -> None:
        """Count it: a wrong address, version, transport or origin."""
        self.problem("bad request")

    def exception(self, *_: object) -> None:
        """Count it by the exception's name."""
        kind = sys.exc_info()[0]
        self.problem(kind.__name__ if kind else "error")
