"""The queue `index`: served once the product is ready, since what it needs takes seconds of CPU to import."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner

from workers.memory.memory import Memory
from workflows import policies
from workflows.memory import MemoryCheck, MemoryUpkeep, MemoryWriter

DRAIN = timedelta(seconds=1)
"""Whatever is cut off goes on at the next start."""


async def run_memory(
    client: Client, memory: Memory, begun: asyncio.Event, stop: asyncio.Event, *, prefix: str = ""
) -> None:
    """Keep memory, and where this process is to, serve its queue, from `begun` until `stop`."""
    if not memory.keeps:
        await memory.run(begun, stop, None)
        return
    await memory.tell()
    await _first(begun, stop)
    if stop.is_set():
        return
    writer, checker = await asyncio.to_thread(memory.writing)
    activities: Sequence[Callable[..., Any]] = [
        writer.learn_memory,
        writer.tend_memory,
        writer.rebuild_memory,
        writer.wake_memory,
        checker.verify_memory,
    ]
    async with memory_worker(client, activities, prefix=prefix):
        await memory.run(begun, stop, writer)


def memory_worker(
    client: Client, activities: Sequence[Callable[..., Any]], *, prefix: str = "", runner: WorkflowRunner | None = None
) -> Worker:
    """Make the queue's worker. Its activities are few and long; it never holds the others up."""
    return Worker(
        client,
        task_queue=prefix + policies.INDEX_QUEUE,
        workflows=[MemoryWriter, MemoryUpkeep, MemoryCheck],
        activities=activities,
        workflow_runner=runner or UnsandboxedWorkflowRunner(),
        max_heartbeat_throttle_interval=policies.HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=policies.HEARTBEAT_THROTTLE,
        sticky_queue_schedule_to_start_timeout=policies.STICKY_TIMEOUT,
        graceful_shutdown_timeout=DRAIN,
    )


async def _first(one: asyncio.Event, other: asyncio.Event) -> None:
    waits = [asyncio.create_task(one.wait()), asyncio.create_task(other.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
