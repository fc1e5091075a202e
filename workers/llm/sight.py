"""What a look at an endpoint tells, apart from the client libraries: nobody imports those for a check's words."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Seen:
    """How many models an endpoint lists, and whether ours is among them; None: it does not tell."""

    models: int | None = None
    listed: bool | None = None


@runtime_checkable
class Looks(Protocol):
    """A model whose endpoint can be looked at."""

    async def check(self) -> Seen:
        """Make a cheap request that the key must open. Raises ModelError."""
        ...
