"""How long to wait for a model: for its first token, between two tokens, for all of it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar

from workers.llm.errors import ModelTimedOut

Item = TypeVar("Item")


@dataclass(frozen=True)
class Timeouts:
    """Seconds."""

    first_token: float = 20.0
    idle: float = 15.0
    total: float = 120.0


class Patience:
    """The deadlines of one model call; it starts when made."""

    def __init__(self, timeouts: Timeouts) -> None:
        """Start the clock."""
        self._timeouts = timeouts
        self._now = asyncio.get_running_loop().time
        self._end = self._now() + timeouts.total
        self._next = min(self._now() + timeouts.first_token, self._end)
        self._spoken = False

    def deadline(self) -> float:
        """Give the moment, on the loop's clock, until which to wait for what comes next."""
        return self._next

    def heard(self) -> None:
        """Note that something came."""
        self._spoken = True
        self._next = min(self._now() + self._timeouts.idle, self._end)

    def timed_out(self) -> ModelTimedOut:
        """Give the error that says which wait was too long."""
        if self._now() >= self._end:
            return ModelTimedOut(f"The model did not finish within {self._timeouts.total:g} seconds.")
        if self._spoken:
            return ModelTimedOut(f"The model fell silent for {self._timeouts.idle:g} seconds.")
        return ModelTimedOut(f"The model did not begin to answer within {self._timeouts.first_token:g} seconds.")

    async def each(self, source: AsyncIterator[Item]) -> AsyncGenerator[Item]:
        """Give the items of the source; ModelTimedOut when one takes too long."""
        while True:
            try:
                async with asyncio.timeout_at(self.deadline()):
                    item = await anext(source)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise self.timed_out() from error
            self.heard()
            yield item

    async def within(self, work: Awaitable[Item]) -> Item:
        """Await something until the first deadline; ModelTimedOut when it takes longer."""
        try:
            async with asyncio.timeout_at(self.deadline()):
                return await work
        except TimeoutError as error:
            raise self.timed_out() from error

    async def opened(self, opening: AbstractAsyncContextManager[Item]) -> AsyncGenerator[Item]:
        """Enter a context within the first deadline, give its value once, and leave it at the end."""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout_at(self.deadline()):
                    value = await stack.enter_async_context(opening)
            except TimeoutError as error:
                raise self.timed_out() from error
            yield value
