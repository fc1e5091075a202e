"""Rate limits: so many of a kind for each key, the same buckets whichever door somebody comes through."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import TooMany
from core.settings import Settings

_SWEEP = 10_000


@dataclass(frozen=True)
class Rate:
    """`burst` at once, then one each `pause` seconds."""

    burst: int
    pause: float

    @classmethod
    def a_minute(cls, count: int) -> "Rate":
        """Give a rate of so many a minute, which may come all at once."""
        return cls(count, 60 / count)


def rates_of(settings: Settings) -> dict[str, Rate]:
    """Give the rate of each kind."""
    return {
        "conversation": Rate.a_minute(settings.conversations_per_minute),
        "message": Rate.a_minute(settings.messages_per_minute),
        "decision": Rate.a_minute(settings.decisions_per_minute),
        "ask": Rate.a_minute(settings.asks_per_minute),
        "account": Rate.a_minute(5),  # wrong passwords for an account, from places it is not known from
        "known": Rate.a_minute(20),  # wrong passwords for an account, from where it signed in before
        "address": Rate.a_minute(30),  # wrong passwords, codes and tokens from an address
        "proof": Rate.a_minute(10),  # proofs of a person, right or wrong
        "ceremony": Rate.a_minute(60),  # steps of sign-ins from an address, right or wrong
        "invitation": Rate.a_minute(30),
        "document": Rate.a_minute(60),
        "search": Rate.a_minute(60),
        "export": Rate.a_minute(30),
        "token": Rate.a_minute(10),
        "link": Rate.a_minute(10),
        "model": Rate.a_minute(20),
    }


class Limits:
    """Buckets by the generic cell rate algorithm: one number for each key, and none for who did nothing lately."""

    def __init__(self, rates: dict[str, Rate], clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with every bucket full."""
        self._rates = rates
        self._clock = clock
        self._free_at: dict[tuple[str, str], float] = {}

    async def check(self, kind: str, key: str) -> None:
        """Take one from the bucket; raises TooMany, with the seconds to wait, when it is empty."""
        rate = self._rates[kind]
        at = self._clock()
        free_at = max(self._free_at.get((kind, key), 0.0), at)
        wait = free_at - at - rate.pause * (rate.burst - 1)
        if wait > 0:
            message = f"Too many of this kind ({kind}): at most {rate.burst} in {rate.burst * rate.pause:.0f} seconds."
            raise TooMany(message, retry_after=round(wait, 3))
        self._free_at[kind, key] = free_at + rate.pause
        if len(self._free_at) > _SWEEP:
            self._sweep(at)

    def give_back(self, kind: str, key: str) -> None:
        """Put one back that was taken for something that turned out to be right."""
        if (kind, key) in self._free_at:
            self._free_at[kind, key] -= self._rates[kind].pause

    def _sweep(self, at: float) -> None:
        self._free_at = {key: free_at for key, free_at in self._free_at.items() if free_at > at}
