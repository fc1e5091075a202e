"""What surrounds a call to a service: turns, breaker, pauses, and what everybody is told of it."""

import asyncio
from datetime import timedelta

import pytest

from connectors.base import NeedsAuthorization, PermanentFailure, TemporaryFailure, Throttled, Unreachable
from connectors.breaker import Resting
from connectors.manifest import ConnectorManifest
from connectors.registry import Registry
from core.clock import now
from core.permissions import Role
from core.store import service_health
from core.store.work import change
from core.tables.connect import ServiceHealth
from core.values import CallState
from tests.doubles.connector import LedgerConnector, manifest
from workers.acting.services import Services

HOST = "mail.example:25"


class Outside(LedgerConnector):
    """A connector whose service is elsewhere."""

    host = HOST

    def host_of(self, action, arguments):
        return self.host


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
async def call(desk):
    return (await desk.call("add")).call


@pytest.fixture
def services(desk):
    """The calls of one worker process; every other `Services` is another's."""
    return Services(desk.world.database, desk.world.rooms)


@pytest.fixture
def run(outside, call, services):
    async def running(by=services, name="add"):
        action = Registry.load([outside]).action(f"note.{name}")
        try:
            return await by.run(action, call)
        finally:
            await asyncio.gather(*by._writing.values())

    return running


@pytest.fixture
def fail(run, outside):
    async def failing(times, error=None, **more):
        for _ in range(times):
            outside.failures.append(error or Unreachable("It is away."))
            with pytest.raises(TemporaryFailure):
                await run(**more)

    return failing


@pytest.fixture
def health(desk):
    async def look(host=HOST) -> ServiceHealth | None:
        async with desk.world.database.reading() as session:
            return await service_health.find(session, "note", host)

    return look


@pytest.fixture
def rest_over(desk):
    """Let a service's rest be over, for everybody."""

    async def done() -> None:
        async with change(desk.world.database, desk.world.rooms) as work:
            row = await work.session.get_one(ServiceHealth, ("note", HOST))
            row.open_until = now() - timedelta(seconds=1)

    return done


class TestHealth:
    async def test_it_is_what_became_of_calls(self, run, fail, health):
        assert await health() is None
        await run()
        well = await health()
        await fail(1)
        ill = await health()

        assert (well.breaker, well.last_failure_at, well.detail) == ("closed", None, None)
        assert ill.last_failure_at >= ill.last_ok_at
        assert (ill.failures, ill.detail) == (1, "It is away.")

    async def test_a_refusal_is_an_answer(self, run, outside, health):
        for _ in range(8):
            outside.failures.append(PermanentFailure("There is no such thing."))
            with pytest.raises(PermanentFailure):
                await run()

        assert (await health()).breaker == "closed"
        assert (await health()).last_ok_at is not None

    async def test_a_refused_sign_in_is_an_answer_and_not_well(self, run, outside, health):
        for _ in range(6):
            outside.failures.append(NeedsAuthorization("It refused our password."))
            with pytest.raises(NeedsAuthorization):
                await run()

        assert ((await health()).breaker, (await health()).detail) == ("closed", "It refused our password.")
        assert (await health()).last_ok_at is None

    async def test_one_that_takes_too_long_failed(self, run, outside, call, health):
        outside._manifest = quick(0.05)
        outside.hold = asyncio.Event()
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await run()

        assert ((await health()).breaker, (await health()).detail) == ("open", "The service took too long.")

    async def test_what_a_connector_does_here_has_none(self, desk, services, call, health):
        await services.run(Registry.load([LedgerConnector()]).action("note.add"), call)

        assert await health("") is None


class TestBreaker:
    async def test_it_rests_after_failures_and_other_workers_know(self, desk, run, fail, outside, health):
        await fail(5)
        sent = len(outside.sent)
        with pytest.raises(Resting):
            await run()
        with pytest.raises(Resting):
            await run(Services(desk.world.database, desk.world.rooms))

        assert len(outside.sent) == sent
        assert (await health()).breaker == "open"

    async def test_of_all_workers_one_tries_and_the_others_wait(self, desk, fail, outside, call, rest_over, health):
        await fail(5)
        await rest_over()
        outside.hold, sent = asyncio.Event(), len(outside.sent)
        action = Registry.load([outside]).action("note.add")
        workers = [Services(desk.world.database, desk.world.rooms) for _ in range(5)]
        calls = [asyncio.create_task(one.run(action, call)) for one in workers for _ in range(2)]
        done, waiting = await asyncio.wait(calls, return_when=asyncio.ALL_COMPLETED, timeout=1)
        tried = len(outside.sent) - sent
        outside.hold.set()
        told = await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.gather(*(task for one in workers for task in one._writing.values()))

        assert (tried, len(done), len(waiting)) == (1, 9, 1)
        assert sum(isinstance(one, Resting) for one in told) == 9
        assert (await health()).breaker == "closed"

    async def test_a_try_that_told_nothing_is_given_back(self, desk, run, fail, outside, call, rest_over, health):
        await fail(5)
        await rest_over()
        outside.failures.append(Throttled("Fewer, please.", retry_after=0))
        with pytest.raises(Throttled):
            await run()

        assert (await health()).breaker == "open"
        assert await run(Services(desk.world.database, desk.world.rooms))

    async def test_each_change_is_told_to_owners_and_admins(self, desk, run, fail, rest_over):
        admin = await desk.world.person(desk.asker.workspace_id, Role.ADMIN)
        member = await desk.world.person(desk.asker.workspace_id, Role.MEMBER)
        await fail(5)
        await rest_over()
        await run()
        told = [
            [one for one in await desk.world.told(who.membership_id) if one == "service.updated"]
            for who in (desk.owner, admin, member)
        ]

        assert [len(one) for one in told] == [3, 3, 0]


class TestPause:
    async def test_a_service_that_wants_fewer_calls_gets_none_for_a_while(self, desk, run, fail, outside, health):
        for _ in range(6):
            outside.failures.append(Throttled("Fewer, please.", retry_after=120))
        with pytest.raises(Throttled):
            await run()
        sent = len(outside.sent)
        with pytest.raises(TemporaryFailure, match="fewer calls") as paused:
            await run(Services(desk.world.database, desk.world.rooms))

        assert len(outside.sent) == sent
        assert 100 < (paused.value.retry_after or 0) <= 120
        assert (await health()).breaker == "closed"


class TestChosenHosts:
    async def test_they_are_shown_as_one(self, desk, run, fail, outside):
        outside.host = "#aaaa"
        await run()
        outside.host = "#bbbb"
        await fail(5)
        async with desk.world.database.reading() as session:
            (view,) = await service_health.listed(session)

        assert (view.host, view.breaker, view.detail) == ("", "half_open", "1 of 2 hosts rest")

    async def test_old_ones_are_forgotten(self, desk, run, outside, health):
        outside.host = "#aaaa"
        await run()
        async with change(desk.world.database, desk.world.rooms) as work:
            row = await work.session.get_one(ServiceHealth, ("note", "#aaaa"))
            row.updated_at = now() - timedelta(days=2)
        outside.host = "#bbbb"
        await run()

        assert await health("#aaaa") is None


class TestEffects:
    async def test_a_read_that_took_too_long_is_made_again(self, desk):
        asked = await desk.call("read")
        desk.notes.hold = asyncio.Event()
        desk.notes._manifest = quick(0.05)
        with pytest.raises(Exception, match="took too long"):
            await desk.act(asked)

        desk.notes.hold.set()
        assert (await desk.act(asked, attempt=2)).state == CallState.DONE

    async def test_what_may_be_sent_once_is_not(self, desk):
        asked = await desk.approved("send")
        desk.notes.hold = asyncio.Event()
        desk.notes._manifest = quick(0.05)

        assert (await desk.act(asked)).state == CallState.UNKNOWN
        assert (await desk.act(asked, attempt=2)).state == CallState.UNKNOWN
        assert len(desk.notes.sent) == 1

    async def test_nobody_waits_for_a_service_that_rests_for_long(self, desk):
        asked = await desk.call("add")
        desk.notes.failures.append(Unreachable("It is away.", retry_after=3600))

        assert (await desk.act(asked)).state == CallState.FAILED


def quick(seconds: float) -> ConnectorManifest:
    """Give the manifest with less time for each call."""
    told = manifest()
    actions = tuple(one.model_copy(update={"timeout_s": seconds}) for one in told.actions)
    return told.model_copy(update={"actions": actions})
