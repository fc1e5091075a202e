"""When calls to a service rest, and who tries it again."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from connectors.base import TemporaryFailure
from connectors.breaker import LONGEST_REST, PROBE, REST, WINDOW, Breaker, Resting
from connectors.limits import Limits
from connectors.manifest import ActionSpec


class Clock:
    def __init__(self):
        self.at = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self):
        return self.at

    def seconds(self):
        return self.at.timestamp()

    def pass_by(self, span):
        self.at += span if isinstance(span, timedelta) else timedelta(seconds=span)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker(clock)


@pytest.fixture
def opened(breaker):
    """A breaker that has just opened."""
    for _ in range(5):
        breaker.failed(breaker.admit())
    return breaker


class TestBreaker:
    def test_a_few_failures_do_not_open_it(self, breaker):
        assert [breaker.failed(breaker.admit()) for _ in range(5)] == [False, False, False, False, True]
        assert breaker.state == "open"

    def test_failures_among_more_answers_do_not_open_it(self, breaker):
        for number in range(60):
            (breaker.failed if number % 3 == 0 else breaker.went_well)(breaker.admit())

        assert breaker.state == "closed"

    def test_old_failures_are_forgotten(self, breaker, clock):
        for _ in range(4):
            breaker.failed(breaker.admit())
        clock.pass_by(WINDOW)

        assert not breaker.failed(breaker.admit())
        assert breaker.failures == 1

    def test_an_open_one_says_for_how_long(self, opened, clock):
        clock.pass_by(5)

        with pytest.raises(Resting, match="rest for 10 s") as resting:
            opened.admit()
        assert resting.value.retry_after == 10

    async def test_of_ten_at_once_one_tries(self, opened, clock):
        clock.pass_by(REST)
        let = asyncio.Event()

        async def call():
            admission = opened.admit()
            await let.wait()
            return admission

        calls = [asyncio.create_task(call()) for _ in range(10)]
        await asyncio.sleep(0)
        let.set()
        told = await asyncio.gather(*calls, return_exceptions=True)

        assert [one.probe for one in told if not isinstance(one, BaseException)] == [True]
        assert sum(isinstance(one, Resting) for one in told) == 9

    def test_a_good_try_closes_it_and_a_bad_one_makes_the_rest_longer(self, opened, clock):
        for rest in (30, 60, 120, 240, 300, 300):
            clock.pass_by(opened.until - clock.at)
            assert opened.failed(opened.admit())
            assert opened.until - clock.at == timedelta(seconds=rest) <= LONGEST_REST
        clock.pass_by(LONGEST_REST)

        assert opened.went_well(opened.admit())
        assert (opened.state, opened.opened) == ("closed", 0)

    def test_a_try_that_was_cancelled_leaves_it_to_the_next(self, opened, clock):
        clock.pass_by(REST)
        opened.left(opened.admit())

        assert opened.admit().probe

    def test_a_try_whose_worker_died_is_over_in_the_end(self, opened, clock):
        clock.pass_by(REST)
        opened.admit()
        clock.pass_by(PROBE)

        assert opened.admit().probe

    def test_late_news_of_a_call_from_before_does_not_count(self, breaker, clock):
        early = breaker.admit()
        for _ in range(5):
            breaker.failed(breaker.admit())
        clock.pass_by(REST)
        trying = breaker.admit()

        assert not breaker.went_well(early)
        assert breaker.state == "half_open"
        assert breaker.went_well(trying)

    def test_what_another_process_found_out_holds_here(self, breaker, clock):
        breaker.adopt("open", clock.at + REST, 3)

        with pytest.raises(Resting):
            breaker.admit()
        clock.pass_by(REST)
        breaker.failed(breaker.admit())
        assert breaker.until == clock.at + REST * 8


def action(**more):
    told = {
        "name": "do", "version": 1, "title": "Do", "description": "Does.", "risk": "read", "effect": "read",
        "schema": {"type": "object", "additionalProperties": False}, "examples": ["do"], "timeout_s": 5,
        "max_concurrency": 2,
    }  # fmt: skip
    return ActionSpec.model_validate(told | more)


class TestLimits:
    async def test_no_more_run_at_once_than_the_action_says(self):
        limits, under_way, most = Limits(), 0, 0
        let = asyncio.Event()

        async def call():
            nonlocal under_way, most
            async with limits.turn("here", action(), "ana", 5):
                under_way += 1
                most = max(most, under_way)
                await let.wait()
                under_way -= 1

        calls = [asyncio.create_task(call()) for _ in range(10)]
        for _ in range(20):
            await asyncio.sleep(0)
        let.set()
        await asyncio.gather(*calls)

        assert most == 2

    async def test_who_would_wait_too_long_is_told_so(self):
        limits = Limits()
        async with limits.turn("here", action(max_concurrency=1), "ana", 1):
            with pytest.raises(TemporaryFailure, match="under way"):
                async with limits.turn("here", action(max_concurrency=1), "ben", 0.01):
                    pass

    @pytest.mark.parametrize(("scope", "others"), [("account", True), ("action", False), ("connector", False)])
    async def test_a_rate_is_counted_over_its_scope(self, clock, scope, others):
        limits = Limits(clock.seconds)
        spec = action(rate_limits=[{"limit": 3, "window_s": 60, "scope": scope}])

        async def called(account):
            try:
                async with limits.turn("here", spec, account, 0):
                    return True
            except TemporaryFailure as error:
                return error.retry_after

        assert [await called("ana") for _ in range(4)] == [True, True, True, 20]
        assert await called("ben") == (others or 20)
        clock.pass_by(20)
        assert [await called("ana") for _ in range(2)] == [True, 20]

    async def test_a_short_wait_is_waited(self):
        limits = Limits()
        spec = action(rate_limits=[{"limit": 1, "window_s": 0.05, "scope": "action"}])
        turns = 0
        for _ in range(3):
            async with limits.turn("here", spec, "ana", 1):
                turns += 1

        assert turns == 3
