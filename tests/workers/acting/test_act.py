"""What becomes of a call that was sent, or was about to be when the worker died."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment

from connectors.base import CallContext, NeedsAuthorization, OutcomeUnknown, PermanentFailure, TemporaryFailure
from core.messages import ActInput
from core.store import calls
from core.store.database import Database
from core.store.work import change
from core.tables.work import Intent, ToolCall
from core.values import CallState
from tests.workers.acting.desk import Asked, Desk
from workers.acting.act import MAX_ATTEMPTS
from workers.calling import context_of


async def intend(desk: Desk, asked: Asked) -> None:
    """As a worker that died after its intent."""
    async with change(desk.world.database, desk.world.rooms) as work:
        _, call = await calls.lock(work.session, asked.call.id)
        await calls.begin(work, call, asked.outcome.approval_id if asked.outcome else None, call.id, 1)


class TestLostWorker:
    async def test_nobody_knows_what_became_of_an_at_most_once_call(self, desk: Desk):
        asked = await desk.approved("send")
        await intend(desk, asked)

        acted = await desk.act(asked, attempt=2)

        assert acted.state == CallState.UNKNOWN
        assert desk.notes.sent == []
        assert (await desk.world.get(Intent, asked.call.id)).outcome is None
        assert (await desk.world.told(desk.conversation_id))[-1] == "tool.unknown"
        assert await desk.audited() == ["call.unknown"]

    async def test_an_idempotent_call_is_sent_again_under_the_same_key(self, desk: Desk):
        asked = await desk.approved("put")
        await intend(desk, asked)
        await desk.notes.execute("put", asked.call.arguments, _context(asked))

        acted = await desk.act(asked, attempt=2)

        assert acted.state == CallState.DONE
        assert [key for _, _, key in desk.notes.sent] == [asked.call.id] * 2
        assert len(desk.notes.kept) == 1

    async def test_an_idempotent_call_that_was_changed_meanwhile_is_not_sent_again(self, desk: Desk):
        asked = await desk.approved("put")
        await intend(desk, asked)
        await desk.world.alter(ToolCall, asked.call.id, arguments={"text": "else"})

        acted = await desk.act(asked, attempt=2)

        assert acted.state == CallState.UNKNOWN
        assert desk.notes.sent == []

    async def test_a_row_that_pretends_to_be_repeatable_is_not_sent_again(self, desk: Desk):
        asked = await desk.approved("send")
        await intend(desk, asked)
        await desk.world.alter(ToolCall, asked.call.id, effect="idempotent")

        acted = await desk.act(asked, attempt=2)

        assert acted.state == CallState.UNKNOWN
        assert desk.notes.sent == []

    async def test_a_late_outcome_settles_it(self, desk: Desk):
        asked = await desk.approved("send")
        desk.notes.hold = asyncio.Event()
        slow = asyncio.create_task(desk.act(asked))
        await desk.notes.entered.wait()

        second = await desk.act(asked, attempt=2)
        desk.notes.hold.set()
        first = await slow

        assert (second.state, first.state) == (CallState.UNKNOWN, CallState.DONE)
        assert (await desk.state(asked))[0] == CallState.DONE
        assert (await desk.world.get(Intent, asked.call.id)).outcome == CallState.DONE
        assert (await desk.world.told(desk.conversation_id))[-2:] == ["tool.unknown", "tool.finished"]

    async def test_a_late_failure_does_not_overrule_a_result(self, desk: Desk):
        asked = await desk.call("add")
        desk.notes.hold = asyncio.Event()
        desk.notes.failures = [PermanentFailure("no")]
        slow = asyncio.create_task(desk.act(asked, attempt=1))
        await desk.notes.entered.wait()
        other = asyncio.create_task(desk.act(asked, attempt=2))
        while len(desk.notes.sent) < 2:
            await asyncio.sleep(0)
        desk.notes.hold.set()
        await slow

        assert (await other).state == CallState.DONE
        assert (await desk.state(asked))[0] == CallState.DONE
        told = await desk.world.told(desk.conversation_id)
        assert [one for one in told if one in {"tool.finished", "tool.failed"}] == ["tool.finished"]


class HeldReading:
    """A database whose next reading waits: as a process that stands still after the gate."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.reached, self.released = asyncio.Event(), asyncio.Event()

    def writing(self) -> AbstractAsyncContextManager[AsyncSession]:
        return self.database.writing()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        self.reached.set()
        await self.released.wait()
        async with self.database.reading() as session:
            yield session


class TestStoodStill:
    @pytest.mark.parametrize(
        ("name", "stands", "sent"),
        [("send", CallState.UNKNOWN, 0), ("put", CallState.DONE, 1), ("add", CallState.DONE, 1)],
    )
    async def test_between_gate_and_connector_sends_nothing_once_another_attempt_began(
        self, desk: Desk, name: str, stands: CallState, sent: int
    ):
        asked = await (desk.call(name) if name == "add" else desk.approved(name))
        held = HeldReading(desk.world.database)
        stale = asyncio.create_task(desk.act(asked, database=held))
        await held.reached.wait()

        second = await desk.act(asked, attempt=2)
        held.released.set()

        assert (await stale).state == second.state == stands
        assert len(desk.notes.sent) == sent
        assert (await desk.state(asked))[0] == stands

    async def test_before_the_gate_sends_nothing_while_a_newer_attempt_runs(self, desk: Desk):
        asked = await desk.call("add")
        desk.notes.hold = asyncio.Event()
        newer = asyncio.create_task(desk.act(asked, attempt=2))
        await desk.notes.entered.wait()

        stale = await desk.act(asked, attempt=1)
        desk.notes.hold.set()

        assert (stale.state, (await newer).state) == (CallState.RUNNING, CallState.DONE)
        assert len(desk.notes.sent) == 1


class TestGivenUp:
    @pytest.mark.parametrize("details", [{"not_found": True}, {"timed_out": True}])
    async def test_by_temporal_ends_without_a_traceback(self, desk: Desk, details: dict[str, bool]):
        asked = await desk.approved("send")
        environment = ActivityEnvironment()
        held = HeldReading(desk.world.database)
        step = ActInput(tool_call_id=asked.call.id, outcome=asked.outcome)
        acting = asyncio.ensure_future(environment.run(desk.actor(database=held).act, step))
        await held.reached.wait()

        with capture_logs() as logs:
            environment.cancel(ActivityCancellationDetails(**details))
            with pytest.raises(ApplicationError) as caught:
                await acting

        assert caught.value.category is ApplicationErrorCategory.BENIGN
        assert caught.value.non_retryable is False
        assert [(one["log_level"], "exc_info" in one) for one in logs] == [("info", False)]

    async def test_by_request_is_cancelled_as_ever(self, desk: Desk):
        asked = await desk.approved("send")
        environment = ActivityEnvironment()
        held = HeldReading(desk.world.database)
        step = ActInput(tool_call_id=asked.call.id, outcome=asked.outcome)
        acting = asyncio.ensure_future(environment.run(desk.actor(database=held).act, step))
        await held.reached.wait()

        environment.cancel(ActivityCancellationDetails(cancel_requested=True))

        with pytest.raises(asyncio.CancelledError):
            await acting


class TestFailure:
    @pytest.mark.parametrize("error", [PermanentFailure("Not there."), NeedsAuthorization("Sign in.")])
    async def test_that_stays_is_told_as_it_is(self, desk: Desk, error: Exception):
        asked = await desk.approved("send")
        desk.notes.failures = [error]

        acted = await desk.act(asked)

        assert acted.state == CallState.FAILED
        assert (await desk.state(asked))[1] == str(error)

    async def test_that_passes_is_tried_again_but_not_for_ever(self, desk: Desk):
        asked = await desk.call("add")
        desk.notes.failures = [TemporaryFailure("Busy.", 3), TemporaryFailure("Busy.")]

        with pytest.raises(ApplicationError) as caught:
            await desk.act(asked)
        acted = await desk.act(asked, attempt=MAX_ATTEMPTS)

        assert caught.value.next_retry_delay == timedelta(seconds=3)
        assert caught.value.__suppress_context__  # else Temporal would keep what the service said, as its cause
        assert acted.state == CallState.FAILED

    async def test_that_passes_is_not_tried_again_for_at_most_once(self, desk: Desk):
        asked = await desk.approved("send")
        desk.notes.failures = [TemporaryFailure("Busy.")]

        acted = await desk.act(asked)

        assert acted.state == CallState.FAILED

    @pytest.mark.parametrize("error", [OutcomeUnknown("Maybe."), RuntimeError("bug"), TimeoutError()])
    async def test_in_the_middle_of_an_at_most_once_call_is_unknown(self, desk: Desk, error: Exception):
        asked = await desk.approved("send")
        desk.notes.failures = [error]

        acted = await desk.act(asked)

        assert acted.state == CallState.UNKNOWN

    async def test_in_the_middle_of_an_idempotent_call_is_tried_again_and_then_unknown(self, desk: Desk):
        asked = await desk.call("add")
        desk.notes.failures = [TimeoutError(), TimeoutError()]

        with pytest.raises(ApplicationError):
            await desk.act(asked)
        acted = await desk.act(asked, attempt=MAX_ATTEMPTS)

        assert acted.state == CallState.UNKNOWN

    async def test_of_a_read_is_a_failure(self, desk: Desk):
        asked = await desk.call("read")
        desk.notes.failures = [RuntimeError("bug")]

        acted = await desk.act(asked)

        assert (acted.state, await desk.state(asked)) == (
            CallState.FAILED,
            (CallState.FAILED, "the connector failed unexpectedly"),
        )


class TestResult:
    async def test_that_no_store_keeps_is_cleaned(self, desk: Desk):
        asked = await desk.call("read")
        desk.notes.answer = {"text": "a\x00b\ud800", "number": float("nan")}

        acted = await desk.act(asked)

        assert acted.state == CallState.DONE
        row = await desk.world.get(ToolCall, asked.call.id)
        assert row.result == {"text": "a\ufffdb\ufffd", "number": None}

    async def test_that_is_huge_is_cut_and_says_so(self, desk: Desk):
        asked = await desk.call("read")
        desk.notes.answer = {"text": "x" * 1_000_000}

        await desk.act(asked)

        result = (await desk.world.get(ToolCall, asked.call.id)).result
        assert result is not None
        assert result["cut"] is True


def _context(asked: Asked) -> CallContext:
    return context_of(asked.call, seconds=1)
