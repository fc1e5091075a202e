"""What a measurement came to: percentiles beside the floor of the same run."""

import statistics
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class Row(BaseModel):
    """One line of the table. Times are in milliseconds; `ratio` is the median over the floor's; `n` how often measured.

    `goal` is what it should be, `reference` what other products on the same server reach; both are for readers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    p50_ms: float
    p95_ms: float
    p99_ms: float
    floor_ms: float | None = None
    ratio: float | None = None
    n: int
    goal: str | None = None
    reference: str | None = None


class Fact(BaseModel):
    """A count or a rate, which has no percentiles."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float
    unit: str
    goal: str | None = None
    reference: str | None = None


class Result(BaseModel):
    """Everything that one run measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: tuple[Row, ...] = ()
    facts: tuple[Fact, ...] = ()

    def __add__(self, other: "Result") -> "Result":
        """Put two results together."""
        return Result(rows=self.rows + other.rows, facts=self.facts + other.facts)


def row(
    name: str,
    seconds: Sequence[float],
    *,
    floor: Sequence[float] | None = None,
    goal: str | None = None,
    reference: str | None = None,
) -> Row:
    """Make a row of samples in seconds, with the floor's samples when there is one. `seconds` is not empty."""
    times = sorted(one * 1000 for one in seconds)
    middle = statistics.median(times)
    floor_ms = statistics.median(floor) * 1000 if floor else None
    return Row(
        name=name,
        p50_ms=round(middle, 2),
        p95_ms=round(_percentile(times, 95), 2),
        p99_ms=round(_percentile(times, 99), 2),
        floor_ms=None if floor_ms is None else round(floor_ms, 2),
        ratio=None if not floor_ms else round(middle / floor_ms, 2),
        n=len(times),
        goal=goal,
        reference=reference,
    )


def _percentile(times: Sequence[float], percent: int) -> float:
    """Give the smallest sample that at least `percent` of all do not exceed (nearest rank)."""
    rank = -(-len(times) * percent // 100)
    return times[max(rank, 1) - 1]
