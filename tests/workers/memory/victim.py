"""A worker of memory's queue in a process of its own, to be killed: `victim.py TEMPORAL_ADDRESS FOLDER PREFIX`."""

import asyncio
import sys
from pathlib import Path

from core.keys import KeyRing
from core.store.database import open_database
from core.temporal import connect
from tests.doubles.embedder import WordEmbedder
from workers.memory import writer as writing
from workers.memory.check import Checker
from workers.memory.place import Place
from workers.memory.serving import memory_worker
from workers.memory.writer import Writer
from workflows.handles import Workflows
from workflows.memory_handles import MemoryWorkflows

KEY = KeyRing({"test": b"0123456789abcdef0123456789abcdef"})


async def main(address: str, folder: Path, prefix: str) -> None:
    writing.BUILD_ROWS = 10
    client = await connect(address, "default", KEY)
    place, workflows = Place(folder / "memory"), MemoryWorkflows(Workflows(client, prefix=prefix))
    async with open_database(f"sqlite+aiosqlite:///{folder / 'assent.db'}") as database:
        writer = Writer(database, place, WordEmbedder(), workflows)
        checker = Checker(database, place)
        steps = [writer.learn_memory, writer.tend_memory, writer.rebuild_memory, writer.wake_memory]
        async with memory_worker(client, [*steps, checker.verify_memory], prefix=prefix):
            await asyncio.sleep(120)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
