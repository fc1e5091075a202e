"""The breaker of one service: after many failures in a short time its calls rest, then one call at a time tries.

It counts what `Unreachable` says (no connection, no answer in time, 5xx), not refusals and not 429. Times are UTC:
other processes share the state (`core/store/service_health.py`).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from connectors.base import TemporaryFailure
from core.clock import now as utc_now

State = Literal["closed", "open", "half_open"]

CALLS = 5
RATE = 0.5
WINDOW = timedelta(seconds=30)
REST = timedelta(seconds=15)
LONGEST_REST = timedelta(minutes=5)
PROBE = timedelta(seconds=90)
"""How long a probe may keep others waiting: longer than any native call may take, for a worker that died over it."""


class Resting(TemporaryFailure):
    """The service failed too often; `retry_after` says when a call tries again."""

    code, title = "service_resting", "The service rests"


@dataclass(frozen=True)
class Admission:
    """A call that may go out; what is told about it counts only while the breaker is as it was then."""

    generation: int
    probe: bool


@dataclass
class Breaker:
    """Closed: calls pass and are counted. Open: none until `until`. Half open: one is out, others wait for it."""

    clock: Callable[[], datetime] = utc_now
    state: State = "closed"
    until: datetime | None = None
    opened: int = 0
    generation: int = 0
    outcomes: deque[tuple[datetime, bool]] = field(default_factory=deque)

    @property
    def failures(self) -> int:
        """How many of the counted calls failed."""
        return sum(not ok for _, ok in self.outcomes)

    def admit(self) -> Admission:
        """Let a call pass; raises Resting. The first after a rest is the probe, and the only one till it is settled."""
        at = self.clock()
        if self.state == "closed":
            return Admission(self.generation, probe=False)
        if self.until is not None and self.until > at:
            raise self._resting(at)
        self._become("half_open", at + PROBE)
        return Admission(self.generation, probe=True)

    def _resting(self, at: datetime) -> Resting:
        left = max(1.0, (self.until - at).total_seconds()) if self.until is not None else 1.0
        if self.state == "half_open":
            return Resting("The service failed too often; one call is finding out whether it is back.", retry_after=2.0)
        return Resting(f"The service failed too often; calls to it rest for {left:.0f} s.", retry_after=left)

    def went_well(self, admission: Admission) -> bool:
        """Note an answer; whether the state changed."""
        return self._settle(admission, ok=True)

    def failed(self, admission: Admission) -> bool:
        """Note a failure that counts; whether the state changed."""
        return self._settle(admission, ok=False)

    def left(self, admission: Admission) -> None:
        """Note a call that told nothing, by being cancelled: the next one tries."""
        if admission.probe and admission.generation == self.generation:
            self._become("open", self.clock())

    def _settle(self, admission: Admission, *, ok: bool) -> bool:
        if admission.generation != self.generation:
            return False
        at = self.clock()
        if admission.probe:
            self._close() if ok else self._open(at)
            return True
        self.outcomes.append((at, ok))
        while self.outcomes[0][0] <= at - WINDOW:
            self.outcomes.popleft()
        if ok or len(self.outcomes) < CALLS or self.failures < RATE * len(self.outcomes):
            return False
        self._open(at)
        return True

    def _open(self, at: datetime) -> None:
        rest = min(REST * 2 ** min(self.opened, 10), LONGEST_REST)
        self.opened += 1
        self._become("open", at + rest)

    def _close(self) -> None:
        self.opened = 0
        self.outcomes.clear()
        self._become("closed", None)

    def _become(self, state: State, until: datetime | None) -> None:
        self.state, self.until = state, until
        self.generation += 1

    def adopt(self, state: State, until: datetime | None, opened: int) -> None:
        """Take what another process found out about the service."""
        if (state, until) != (self.state, self.until):
            self.outcomes.clear()
            self.opened = opened
            self._become(state, until)
