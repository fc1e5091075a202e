"""How much a document may ask for, and what is said of one that asks for more."""

from dataclasses import dataclass


class Unreadable(Exception):
    """A document that cannot be read; the sentence is for whoever uploaded it."""


@dataclass(frozen=True)
class Bounds:
    """The most that reading one document may take. Sizes are in bytes, times in seconds."""

    memory: int = 1_000_000_000
    cpu_seconds: int = 120
    wall_seconds: float = 180.0
    pages: int = 2_000
    entries: int = 1_000
    unpacked: int = 200_000_000
    ratio: int = 100
    harmless: int = 1_000_000
    """What unpacks to no more than this is no bomb, whatever its ratio."""
    characters: int = 20_000_000


BOUNDS = Bounds()
