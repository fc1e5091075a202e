"""How others wake memory's writer, ask for a check, and keep its schedule; see `handles`."""

import asyncio
from datetime import timedelta
from typing import Literal

from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    WorkflowFailureError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from core.errors import Unavailable
from core.ids import new_id
from core.messages import MemoryVerdict, MemoryWork
from workflows import policies
from workflows.handles import Workflows
from workflows.memory import MemoryCheck, MemoryUpkeep, MemoryWriter

Call = Literal["index", "tend", "rebuild"]
"""Each is a signal of `MemoryWriter`."""
WRITER = "memory-writer"
SCHEDULE = "memory-upkeep"
UPKEEP_EVERY = timedelta(minutes=15)
CHECK_LIMIT = timedelta(seconds=25)


class MemoryWorkflows:
    """Memory's workflows as others see them; `prefix` of the workflows names the ids, too: one for each test."""

    def __init__(self, workflows: Workflows) -> None:
        """Use the client and the prefix that others use."""
        self._client = workflows.client
        self._prefix = workflows.prefix
        self._queue = workflows.prefix + policies.INDEX_QUEUE

    async def wake(self, call: Call) -> None:
        """Tell the one writer, starting it when it does not run. Raises Unavailable."""
        try:
            await self._client.start_workflow(
                MemoryWriter.run,
                MemoryWork(),
                id=self._prefix + WRITER,
                task_queue=self._queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal=call,
                task_timeout=policies.WORKFLOW_TASK_TIMEOUT,
                rpc_timeout=policies.START_TIMEOUT,
            )
        except RPCError as error:
            raise _unavailable() from error

    async def verify(self) -> MemoryVerdict:
        """Compare the index with SQL, and wait for the verdict. Raises Unavailable."""
        try:
            async with asyncio.timeout(CHECK_LIMIT.total_seconds()):
                return await self._client.execute_workflow(
                    MemoryCheck.run,
                    id=f"{self._prefix}memory-check-{new_id('chk')}",
                    task_queue=self._queue,
                    execution_timeout=CHECK_LIMIT,
                )
        except (RPCError, WorkflowFailureError, TimeoutError) as error:
            raise _unavailable() from error

    async def keep_schedule(self) -> None:
        """Have the upkeep started from time to time; that it is already so is fine. Raises Unavailable."""
        action = ScheduleActionStartWorkflow(
            MemoryUpkeep.run,
            id=self._prefix + SCHEDULE,
            task_queue=self._queue,
            execution_timeout=UPKEEP_EVERY,
        )
        schedule = Schedule(
            action=action,
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=UPKEEP_EVERY)]),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
        )
        try:
            await self._client.create_schedule(self._prefix + SCHEDULE, schedule)
        except ScheduleAlreadyRunningError:
            return
        except RPCError as error:
            raise _unavailable() from error


def _unavailable() -> Unavailable:
    return Unavailable("Memory's workers do not answer just now. Nothing is lost; they go on by themselves.")
