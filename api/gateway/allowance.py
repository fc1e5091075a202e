"""How much one socket may ask for: a token bucket, a bound of events in flight, strikes for who does not stop."""

import time

STRIKES = 3
STRIKE_SECONDS = 1.0
FORGIVEN_SECONDS = 60.0
FLOOD = 200


class Allowance:
    """Of one socket. A strike is a second with refused events: three strikes, or FLOOD refusals, end the connection."""

    def __init__(self, rate: float, burst: int, in_flight: int) -> None:
        """Begin with a full bucket: `rate` events a second, `burst` at once, `in_flight` worked on at a time."""
        self._rate = rate
        self._burst = burst
        self._limit = in_flight
        self._tokens = float(burst)
        self._filled_at = time.monotonic()
        self._struck_at = 0.0
        self._strikes = 0
        self._refused = 0
        self.in_flight = 0

    def take(self) -> float:
        """Take one event: 0.0 when it may be worked on (call `give_back` then), else the seconds to wait."""
        at = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (at - self._filled_at) * self._rate)
        self._filled_at = at
        if self._tokens >= 1 and self.in_flight < self._limit:
            self._tokens -= 1
            self.in_flight += 1
            return 0.0
        self._strike(at)
        return max((1 - self._tokens) / self._rate, 0.1)

    def give_back(self) -> None:
        """Say that an event was worked on."""
        self.in_flight -= 1

    @property
    def is_spent(self) -> bool:
        """Whether this socket has been refused so often that it has to go."""
        return self._strikes >= STRIKES or self._refused >= FLOOD

    def _strike(self, at: float) -> None:
        if at - self._struck_at > FORGIVEN_SECONDS:
            self._strikes = self._refused = 0
        self._refused += 1
        if at - self._struck_at >= STRIKE_SECONDS:
            self._strikes += 1
            self._struck_at = at
