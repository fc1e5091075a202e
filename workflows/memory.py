"""Memory's one writer, its upkeep on a schedule, and its check; all on the queue `index`."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from core.messages import MemoryDone, MemoryVerdict, MemoryWork
    from workflows import memory_activities as steps
    from workflows import policies

IDLE = timedelta(seconds=20)
"""How long a writer without work stays, so that a busy time has one writer."""
STEPS_OF_A_RUN = 200
BATCHES_BEFORE_TENDING = 64
"""Each batch leaves small files and a version behind, which make searching slow."""


@workflow.defn(name="MemoryWriter")
class MemoryWriter:
    """A singleton, woken by signals that start it: learns before it tends, and builds before it learns."""

    @workflow.init
    def __init__(self, work: MemoryWork) -> None:
        """Go on with what an earlier run left."""
        self._learn, self._tend, self._rebuild = work.learn, work.tend, work.rebuild
        self._batches = work.batches
        self._steps = 0

    @workflow.run
    async def run(self, work: MemoryWork) -> None:  # noqa: ARG002  __init__ took it
        """Work until there has been nothing to do for a while."""
        while await self._has_work():
            self._steps += 1
            try:
                await self._step()
            except ActivityError:
                return  # what is left is still in SQL, and wakes the next writer
            if self._steps >= STEPS_OF_A_RUN or workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._rest())

    @workflow.signal
    def index(self) -> None:
        """Something changed."""
        self._learn = True

    @workflow.signal
    def tend(self) -> None:
        """It is time for upkeep."""
        self._tend = True

    @workflow.signal
    def rebuild(self) -> None:
        """Build the index anew."""
        self._rebuild = True

    async def _has_work(self) -> bool:
        try:
            await workflow.wait_condition(lambda: self._learn or self._tend or self._rebuild, timeout=IDLE)
        except TimeoutError:
            return False
        return True

    async def _step(self) -> None:
        if self._rebuild:
            self._rebuild = False
            await self._build()
        elif self._learn:
            self._learn = False
            await self._take_in()
        else:
            self._tend, self._batches = False, 0
            done = await _do(steps.tend_memory)
            if done.broken and workflow.patched("build what cannot be tended"):
                self._rebuild = True

    async def _build(self) -> None:
        done = await _do(steps.rebuild_memory)
        # What is left without an embedder is asked for again by the workers, once it is ready.
        self._rebuild, self._learn = self._rebuild or done.left, done.ready

    async def _take_in(self) -> None:
        done = await _do(steps.learn_memory)
        self._learn = self._learn or done.left
        self._rebuild = self._rebuild or done.broken
        self._batches += done.batches
        self._tend = self._tend or done.erased or self._batches >= BATCHES_BEFORE_TENDING

    def _rest(self) -> MemoryWork:
        return MemoryWork(learn=self._learn, tend=self._tend, rebuild=self._rebuild, batches=self._batches)


@workflow.defn(name="MemoryUpkeep")
class MemoryUpkeep:
    """Started by a schedule: has the writer tend its files."""

    @workflow.run
    async def run(self) -> None:
        """Wake the writer."""
        await workflow.execute_activity(
            steps.wake_memory, start_to_close_timeout=policies.STEP_TIMEOUT, retry_policy=policies.STEP_RETRY
        )


@workflow.defn(name="MemoryCheck")
class MemoryCheck:
    """Compares the index with SQL."""

    @workflow.run
    async def run(self) -> MemoryVerdict:
        """Give the verdict."""
        return await workflow.execute_activity(
            steps.verify_memory,
            start_to_close_timeout=policies.MEMORY_STEP_TIMEOUT,
            heartbeat_timeout=policies.MEMORY_HEARTBEAT,
            retry_policy=policies.MEMORY_RETRY,
        )


async def _do(step: Callable[[], Awaitable[MemoryDone]]) -> MemoryDone:
    return await workflow.execute_activity(
        step,
        start_to_close_timeout=policies.MEMORY_BUILD_TIMEOUT,
        heartbeat_timeout=policies.MEMORY_HEARTBEAT,
        retry_policy=policies.MEMORY_RETRY,
    )
