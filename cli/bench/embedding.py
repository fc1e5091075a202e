"""The real embedder for a measurement: the product's own child process, in its own environment."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.errors import Unavailable
from workers.memory.embedder import ChildEmbedder
from workers.memory.environment import NoEmbedderError, find_python

_LIMIT = 300.0


@asynccontextmanager
async def running_embedder() -> AsyncIterator[ChildEmbedder]:
    """Run one until the block ends. Raises Unavailable when its packages are not there or it does not load."""
    stop, python = asyncio.Event(), await embed_python()
    with tempfile.TemporaryDirectory(prefix="assent-bench-", ignore_cleanup_errors=True) as folder:
        embedder = ChildEmbedder(Path(folder))
        running = asyncio.create_task(embedder.run(python, stop))
        try:
            await _until_ready(embedder)
            yield embedder
        finally:
            stop.set()
            await running


async def embed_python() -> Path:
    """Give the Python that the product would take, set up first where it is not there. Raises Unavailable."""
    named = os.environ.get("ASSENT_EMBED_PYTHON")
    try:
        return await find_python(Path(named) if named else None, _tell)
    except NoEmbedderError as problem:
        raise Unavailable(str(problem)) from problem


def _tell(line: str) -> None:
    sys.stderr.write(line)


async def _until_ready(embedder: ChildEmbedder) -> None:
    try:
        async with asyncio.timeout(_LIMIT):
            changed = asyncio.Event()
            embedder.changed = changed.set
            while not embedder.is_ready:
                await changed.wait()
                changed.clear()
    except TimeoutError:
        raise Unavailable(f"The embedder did not load: {embedder.sentence}") from None
