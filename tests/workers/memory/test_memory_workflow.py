"""Memory's workflows on a real Temporal server: woken by the doorbell, one writer, through its worker's death."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from cli.serve.temporal_server import TemporalServer
from core.ids import new_id
from core.store.database import Database
from core.tables.memory import Fact
from tests.workers.memory.stage import Stage
from tests.world import eventually
from workers.memory.serving import memory_worker
from workers.memory.waker import Waker
from workers.memory.writer import Writer
from workflows.handles import Workflows
from workflows.memory_handles import WRITER, MemoryWorkflows

pytestmark = pytest.mark.server
VICTIM = Path(__file__).with_name("victim.py")


class Kept(Stage):
    """With the queue's worker and the waker."""

    def __init__(self, database: Database, folder: Path, client: Client) -> None:
        self.client = client
        self.prefix = new_id("tst") + "-"
        self.workflows = MemoryWorkflows(Workflows(client, prefix=self.prefix))
        super().__init__(database, folder)
        self.writer = Writer(database, self.place, self.embedder, self.workflows)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        stop, writer = asyncio.Event(), self.writer
        steps = [writer.learn_memory, writer.tend_memory, writer.rebuild_memory, writer.wake_memory]
        activities = [*steps, self.checker.verify_memory]
        async with memory_worker(self.client, activities, prefix=self.prefix, runner=SandboxedWorkflowRunner()):
            waker = Waker(self.database, self.rooms, self.embedder, writer, self.workflows)
            waking = asyncio.create_task(waker.run(stop))
            try:
                yield
            finally:
                stop.set()
                await waking
                with contextlib.suppress(RPCError):  # it may have ended by itself, for want of work
                    await self.client.get_workflow_handle(self.prefix + WRITER).terminate()

    async def learned(self) -> None:
        async def nothing_waits() -> bool:
            return await self.waiting() == 0 and self.place.edition() is not None

        await eventually(nothing_waits)


@pytest.fixture
def kept(sqlite_database: Database, tmp_path: Path, client: Client) -> Kept:
    return Kept(sqlite_database, tmp_path / "memory", client)


class TestWriter:
    async def test_what_is_said_is_learned_and_forgotten_from_the_files(self, kept: Kept):
        ana = await kept.person()
        async with kept.working():
            fact_id = await kept.know(ana, "the key is zyxwvut9876")
            await kept.talk(ana, await kept.conversation(ana), "my dentist is in Elm Street")
            await kept.learned()
            found = await kept.find(ana, "dentist")
            verdict = await kept.workflows.verify()
            await kept.delete(Fact, fact_id)
            await kept.note("fact", fact_id)

            async def is_gone() -> bool:
                return not kept.holds("zyxwvut9876") and await kept.ghosts() == 0

            await kept.learned()
            await eventually(is_gone)
            after = await kept.workflows.verify()

        assert found
        assert verdict.clean
        assert after.clean
        assert [one.in_index for one in after.shelves] == [2, 0, 0]

    async def test_a_rebuild_and_upkeep_may_be_asked_for_at_any_time(self, kept: Kept):
        ana = await kept.person()
        async with kept.working():
            for number in range(5):
                await kept.know(ana, f"fact {number}")
                await kept.workflows.wake("rebuild")
                await kept.workflows.wake("tend")
            await kept.learned()

            async def is_tidy() -> bool:
                edition = kept.place.edition()
                return edition is not None and edition.generation > 1 and kept.place.building() is None

            await eventually(is_tidy)
            verdict = await kept.workflows.verify()

        assert verdict.clean
        assert verdict.shelves[1].in_index == 5

    async def test_the_schedule_is_kept_once(self, kept: Kept):
        await kept.workflows.keep_schedule()
        await kept.workflows.keep_schedule()
        handle = kept.client.get_schedule_handle(kept.prefix + "memory-upkeep")
        try:
            description = await handle.describe()
        finally:
            await handle.delete()

        assert len(description.schedule.spec.intervals) == 1


class TestKills:
    @pytest.mark.parametrize("point", ["memory.learned", "memory.built:2"])
    async def test_a_killed_writer_leaves_nothing_twice(
        self, kept: Kept, temporal_server: TemporalServer, sqlite_database: Database, point: str, tmp_path: Path
    ):
        """Killed between adding rows and dropping the changes, and between two batches of a build."""
        ana = await kept.person()
        for number in range(30):
            await kept.know(ana, f"likes tea of kind {number}")
        victim = await asyncio.create_subprocess_exec(
            sys.executable, str(VICTIM), temporal_server.address, str(tmp_path), kept.prefix,
            stdout=PIPE,
            env={**os.environ, "PYTHONPATH": ".", "ASSENT_FAULT_POINT": point},
        )  # fmt: skip
        try:
            await kept.workflows.wake("index")
            code = await asyncio.wait_for(victim.wait(), 60)
        finally:
            if victim.returncode is None:
                victim.kill()
                await victim.wait()
        left = await kept.waiting()

        async with kept.working():
            await kept.learned()
            verdict = await kept.workflows.verify()

        assert code == -signal.SIGKILL
        assert left == 30
        assert verdict.clean, verdict
        assert verdict.shelves[1].in_index == 30
