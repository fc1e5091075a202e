"""A person who goes on when the server dies: starts it again, and sends the same thing under the same id once more."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx

from tests.journeys.person import Person
from tests.journeys.product import Product

T = TypeVar("T")
KILLED = -9


class Survivor:
    """Does steps; notes during which of them the server died. `settings` are those of each start after a death."""

    def __init__(self, product: Product, person: Person, **settings: str) -> None:
        self.person = person
        self.deaths: list[str] = []
        self._product = product
        self._settings = settings

    async def does(self, step: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do one step, and again after each death of the server."""
        while True:
            try:
                return await work()
            except httpx.TransportError:
                await self._bury(step)

    async def sees_it_die(self, step: str) -> None:
        """Wait for the server's death, unless it was seen already."""
        if not self.deaths:
            await self._bury(step)

    async def _bury(self, step: str) -> None:
        assert await self._product.died() == KILLED, self._product.said
        self.deaths.append(step)
        await self._product.start(**self._settings)
        self.person.move(self._product.url)
