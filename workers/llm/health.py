"""How models have been lately, in this process: who fails is left alone for a while, then tried by one call."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from workers.llm.errors import ContextTooLong, ModelError, ModelRateLimited, ModelRefusedKey

FAILURES_TO_OPEN = 3
FIRST_PAUSE_SECONDS = 20.0
LONGEST_PAUSE_SECONDS = 600.0
KEY_PAUSE_SECONDS = 300.0
BUSY_PAUSE_SECONDS = 10.0


@dataclass
class _Circuit:
    """Failures in a row, how often it opened since the last success, until when it is open, whether one call tries."""

    failures: int = 0
    opened: int = 0
    until: float = 0.0
    probing: bool = False


class Health:
    """Circuits by model. A pause never forbids: when all models pause, the best is asked all the same."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with everybody well."""
        self._clock = clock
        self._circuits: dict[str, _Circuit] = {}

    def remember(self, names: Iterable[str]) -> None:
        """Take who was failing when this process began: they may be asked, and their first answer is news."""
        for name in names:
            self._circuits[name] = _Circuit(until=self._clock())

    def is_well(self, name: str) -> bool:
        """Whether a model may be asked: it is not paused, or its pause is over and nobody tries it yet."""
        circuit = self._circuits.get(name)
        if circuit is None:
            return True
        return self._clock() >= circuit.until and not circuit.probing

    def asked(self, name: str) -> None:
        """Note that a call goes to a model: after a pause it is the one that tries."""
        circuit = self._circuits.get(name)
        if circuit is not None and circuit.until:
            circuit.probing = True

    def answered(self, name: str) -> bool:
        """Note an answer; whether the model had been paused before."""
        circuit = self._circuits.pop(name, None)
        return circuit is not None and circuit.until > 0

    def left(self, name: str) -> None:
        """Note that a call ended without telling anything, by a stop say."""
        if name in self._circuits:
            self._circuits[name].probing = False

    def failed(self, name: str, error: ModelError) -> bool:
        """Note a failure; whether the model is paused from now on."""
        circuit = self._circuits.setdefault(name, _Circuit())
        circuit.probing = False
        pause = self._pause(circuit, error)
        if pause:
            circuit.until = self._clock() + pause
        return pause > 0

    def _pause(self, circuit: _Circuit, error: ModelError) -> float:
        """Give the seconds to leave a model alone: as long as it asked for, or longer each time that it fails again."""
        if isinstance(error, ContextTooLong):
            return 0.0
        if isinstance(error, ModelRateLimited):
            return BUSY_PAUSE_SECONDS if error.retry_after is None else error.retry_after
        if isinstance(error, ModelRefusedKey):
            return KEY_PAUSE_SECONDS
        circuit.failures += 1
        if circuit.failures < FAILURES_TO_OPEN and not circuit.opened:
            return 0.0
        circuit.opened += 1
        return float(min(FIRST_PAUSE_SECONDS * 2 ** (circuit.opened - 1), LONGEST_PAUSE_SECONDS))
