"""Buckets empty, fill again with time, and do not share."""

import pytest

from api.limits import Limits, Rate
from core.errors import TooMany


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> Limits:
    return Limits({"thing": Rate.a_minute(3), "other": Rate(1, 10)}, clock)


async def taken(limits: Limits, kind: str, key: str, times: int) -> int:
    done = 0
    for _ in range(times):
        try:
            await limits.check(kind, key)
        except TooMany:
            continue
        done += 1
    return done


class TestLimits:
    async def test_a_minute_holds_so_many(self, limits):
        assert await taken(limits, "thing", "ana", 10) == 3

    async def test_keys_and_kinds_do_not_share(self, limits):
        await taken(limits, "thing", "ana", 10)

        assert await taken(limits, "thing", "ben", 10) == 3
        assert await taken(limits, "other", "ana", 10) == 1

    async def test_the_refusal_says_when_to_come_again(self, limits, clock):
        await taken(limits, "thing", "ana", 3)
        with pytest.raises(TooMany) as refused:
            await limits.check("thing", "ana")

        clock.at += refused.value.retry_after
        await limits.check("thing", "ana")
        assert refused.value.retry_after == 20

    async def test_what_is_given_back_can_be_taken_again(self, limits):
        await taken(limits, "thing", "ana", 3)
        limits.give_back("thing", "ana")

        assert await taken(limits, "thing", "ana", 3) == 1
