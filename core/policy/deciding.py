"""Whether people could come together as a plan wants: each consent from somebody else, over all its stages."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Seats:
    """So many consents, each from another of these people (by the id that all accounts of a person share)."""

    people: frozenset[str]
    count: int


def unfilled(needs: Sequence[Seats]) -> int:
    """Count the consents that cannot be given when everybody gives one at most: 0 when all can."""
    total = sum(need.count for need in needs)
    if all(len(need.people) >= total for need in needs):
        return 0
    seats = [need.people for need in needs for _ in range(need.count)]
    held: dict[str, int] = {}
    return total - sum(_seat(number, seats, held, set()) for number in range(len(seats)))


def _seat(number: int, seats: Sequence[frozenset[str]], held: dict[str, int], tried: set[str]) -> bool:
    """Find somebody for a seat, moving others if that helps (augmenting paths)."""
    for person in sorted(seats[number] - tried):
        tried.add(person)
        if person not in held or _seat(held[person], seats, held, tried):
            held[person] = number
            return True
    return False
