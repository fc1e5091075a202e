"""Passwords: argon2id as OWASP says, hashed two at a time, so that signing in cannot eat the CPU."""

import functools
from collections.abc import Callable
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import AfterValidator, StringConstraints

from core.errors import Unavailable
from core.text import check_text

T = TypeVar("T")
MIN_LENGTH, MAX_LENGTH = 8, 256
# What a guess for nobody is compared with: the hash of a random password that was thrown away, at the same costs.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$zwJU8JZeuP8eV28zcAMhVg$PX+iF2GEqiiouo8ZsmzsFqBa8ZR6CmqYAkRXAM0h8CQ"
_AT_ONCE = 2
_MAX_WAITING = 16

Password = Annotated[str, StringConstraints(min_length=MIN_LENGTH, max_length=MAX_LENGTH), AfterValidator(check_text)]
"""A password that somebody chooses."""
TypedPassword = Annotated[str, StringConstraints(max_length=MAX_LENGTH), AfterValidator(check_text)]
"""A password that somebody signs in with: whatever it is, it is not longer than one can be."""


class Passwords:
    """Hashes and checks. One for each process, made where its loop runs."""

    def __init__(self) -> None:
        """Begin idle. OWASP: m=19456 KiB, t=2, p=1."""
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
        self._places = CapacityLimiter(_AT_ONCE)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Hash a new password. Raises Unavailable when too many wait already."""
        return await self._in_turn(self._hasher.hash, password)

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Check a password; for nobody (None) it takes as long and says no. Raises Unavailable."""
        return await self._in_turn(self._verify, hashed, password)

    def _verify(self, hashed: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(hashed or _NOBODY, password) and hashed is not None
        except (VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[..., T], *arguments: str | None) -> T:
        if self._waiting >= _AT_ONCE + _MAX_WAITING:
            message = "Too many people sign in just now."
            raise Unavailable(message, retry_after=1)
        self._waiting += 1
        try:
            return await to_thread.run_sync(functools.partial(work, *arguments), limiter=self._places)
        finally:
            self._waiting -= 1
