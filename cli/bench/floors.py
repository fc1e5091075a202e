"""The floors: what the same Temporal server and the same socket library take when nothing is done on them."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from cli.bench.environment import environment
from core.errors import Unavailable
from core.ids import new_id

_QUEUE = "bench-floor"
_STEPS_QUEUE = "bench-floor-steps"
_LIMIT = timedelta(seconds=10)
_TRIES = 3


@activity.defn(name="bench_nothing")
async def nothing() -> None:
    """Do nothing."""


@workflow.defn(name="BenchFloor")
class Floor:
    """As many empty regular activities as asked, one after the other."""

    @workflow.run
    async def run(self, steps: int) -> None:
        """Take the steps."""
        for _ in range(steps):
            await workflow.execute_activity(nothing, task_queue=_STEPS_QUEUE, start_to_close_timeout=_LIMIT)


@workflow.defn(name="BenchAsked")
class Asked:
    """Waits to be asked, as often as anybody likes, and to be told to end."""

    @workflow.init
    def __init__(self) -> None:
        """Begin unasked."""
        self._over = False

    @workflow.run
    async def run(self) -> None:
        """Wait."""
        await workflow.wait_condition(lambda: self._over)

    @workflow.update
    def nothing(self) -> None:
        """Answer at once."""

    @workflow.signal
    def end(self) -> None:
        """Wait no longer."""
        self._over = True


class TemporalFloor:
    """Runs empty workflows on the product's own server, by workers set up as the product's are."""

    def __init__(self, client: Client) -> None:
        """Take a client of the product's server."""
        self._client = client

    async def times(self, count: int, steps: int = 1) -> list[float]:
        """Run so many workflows of `steps` activities, one at a time; seconds from start to result."""
        return [await self._once(steps) for _ in range(count)]

    async def updates(self, count: int) -> list[float]:
        """Send so many empty updates to one workflow that waits; seconds of each, to its answer."""
        handle = await self._client.start_workflow(Asked.run, id=new_id("flr"), task_queue=_QUEUE)
        times: list[float] = []
        for _ in range(_TRIES * (count + 1)):
            began = time.perf_counter()
            try:
                await handle.execute_update(Asked.nothing)
            except RPCError as error:
                if error.status is not RPCStatusCode.UNAVAILABLE:
                    raise
                continue  # a busy server drops an update, and says so: the next one counts
            times.append(time.perf_counter() - began)
            if len(times) > count:
                break
        await handle.signal(Asked.end)
        return times[1:]  # the first one was only to warm up

    async def _once(self, steps: int) -> float:
        began = time.perf_counter()
        await self._client.execute_workflow(
            Floor.run, steps, id=new_id("flr"), task_queue=_QUEUE, request_eager_start=True
        )
        return time.perf_counter() - began


@asynccontextmanager
async def temporal_floor(client: Client) -> AsyncIterator[TemporalFloor]:
    """Run the floor's workers while the block runs; the first runs are only to warm up."""
    pollers = PollerBehaviorAutoscaling(minimum=2, maximum=50, initial=10)
    async with AsyncExitStack() as stack:
        for queue in (_QUEUE, _STEPS_QUEUE):
            turns = queue == _QUEUE
            worker = Worker(
                client,
                task_queue=queue,
                workflows=[Floor, Asked] if turns else [],
                activities=[] if turns else [nothing],
                workflow_runner=UnsandboxedWorkflowRunner(),
                workflow_task_poller_behavior=pollers,
                activity_task_poller_behavior=pollers,
            )
            await stack.enter_async_context(worker)
        floor = TemporalFloor(client)
        await floor.times(5)
        yield floor


@asynccontextmanager
async def bare_socket_server() -> AsyncIterator[str]:
    """Run a bare python-socketio server in a process of its own; gives its address."""
    program = "from cli.bench.bare_socket import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment()
    )
    try:
        if process.stdout is None:
            raise Unavailable("The bare Socket.IO server has no output.")
        address = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
        if not address:
            raise Unavailable("The bare Socket.IO server did not start.")
        yield address
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
