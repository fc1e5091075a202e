"""Memory as a whole: found, set up and warmed once the product is ready, kept, told about, stopped."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import structlog

from core import garbage
from core.rooms import Rooms
from core.settings import Settings
from core.store import changes, memory_status
from core.store.database import Database
from workers.memory.embedder import ChildEmbedder
from workers.memory.environment import NoEmbedderError, find_python
from workers.memory.place import Place
from workers.memory.port import Hit, HitKind, Index, MemoryUnavailable, Scope, Vector
from workflows.memory_handles import MemoryWorkflows

if TYPE_CHECKING:
    from workers.memory.check import Checker
    from workers.memory.writer import Writer

TELL_SECONDS = 30.0
MOST_CHANGES = 10_000
"""So many are kept for an embedder that does not come; with more, the index is rebuilt when it does."""
_log = structlog.get_logger()


class LaterIndex:
    """The index, imported and opened at the first search: LanceDB takes seconds of CPU to import."""

    def __init__(self, open_index: Callable[[], Index]) -> None:
        """Keep how to open it."""
        self._open_index = open_index
        self._index: Index | None = None

    def open(self) -> None:
        """Import and make it; call it in a thread."""
        self._index = self._index or self._open_index()
        garbage.resume()

    async def search(
        self, scope: Scope, text: str, vector: Vector | None, *, kinds: Sequence[HitKind], limit: int
    ) -> list[Hit]:
        """Search; raises MemoryUnavailable as long as it is not open."""
        if self._index is None:
            message = "Memory is warming up."
            raise MemoryUnavailable(message)
        return await self._index.search(scope, text, vector, kinds=kinds, limit=limit)


class Memory:
    """What this process has of memory: `embedder` and `index` for who recalls, `activities` for the writer's queue."""

    def __init__(
        self, settings: Settings, database: Database, rooms: Rooms, workflows: MemoryWorkflows, *, keeps: bool
    ) -> None:
        """Take the parts; only a process that `keeps` memory wakes its writer and tells how it is."""
        self._settings = settings
        self._database = database
        self._rooms = rooms
        self._workflows = workflows
        self.keeps = keeps
        self._place = Place(settings.memory_dir)
        self._sentence = "Memory has not started yet."
        self._state = "warming"
        self._changed = asyncio.Event()
        self._when_ready: Callable[[], None] = lambda: None
        self.embedder = ChildEmbedder(
            settings.data_dir / "models", settings.embed_model, log=settings.data_dir / "logs" / "embedder.log"
        )
        self.embedder.changed = self._hear_embedder
        self.index = LaterIndex(lambda: import_module("workers.memory.index").LanceIndex(settings.memory_dir))

    def writing(self) -> "tuple[Writer, Checker]":
        """Make what the queue `index` runs; this imports LanceDB."""
        writer = import_module("workers.memory.writer").Writer
        checker = import_module("workers.memory.check").Checker
        return (
            writer(self._database, self._place, self.embedder, self._workflows),
            checker(self._database, self._place),
        )

    async def run(self, begun: asyncio.Event, stop: asyncio.Event, writer: "Writer | None") -> None:
        """Wait until the product is ready, then keep memory until `stop`; whatever happens, the product goes on."""
        await _either(begun, stop)
        if stop.is_set():
            return
        telling = asyncio.create_task(self._keep_telling(stop))
        try:
            await self._live(stop, writer)
        except Exception:  # noqa: BLE001 - the product goes on without memory
            _log.exception("memory failed; it is off until the next start")
            self._say("off", "Memory is off: it failed, the log says how.")
        await stop.wait()
        await telling

    async def _live(self, stop: asyncio.Event, writer: "Writer | None") -> None:
        await asyncio.to_thread(self.index.open)
        finding = asyncio.create_task(find_python(self._settings.embed_python, self._progress))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({finding, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        finding.cancel()
        try:
            python = await finding
        except asyncio.CancelledError:
            return
        except NoEmbedderError as reason:
            _log.warning("memory is off", reason=str(reason))
            self.embedder.sentence = f"Memory is off. {reason}"  # what those who ask are told
            self._say("off", self.embedder.sentence)
            return
        async with asyncio.TaskGroup() as group:
            if writer is not None:
                waker = import_module("workers.memory.waker").Waker
                watching = waker(self._database, self._rooms, self.embedder, writer, self._workflows)
                self._when_ready = lambda: watching.rang(changes.DOORBELL)
                group.create_task(watching.run(stop))
            group.create_task(self.embedder.run(python, stop))

    # Telling

    def _progress(self, line: str) -> None:
        """Show the set-up's progress to who started this, and as the status."""
        if line.endswith("\n"):
            print(f"memory: {line.rstrip()}", file=sys.stderr, flush=True)  # noqa: T201  as the other lines of a start
        self._say("warming", f"Memory is being set up. {line.strip()}")

    def _hear_embedder(self) -> None:
        if self.embedder.is_ready:
            self._when_ready()
        failed = self.embedder.sentence.startswith("The embedder cannot")
        self._say(
            "ready" if self.embedder.is_ready else "off" if failed else "warming",
            f"Memory is off. {self.embedder.sentence}" if failed else self.embedder.sentence,
        )

    def _say(self, state: str, sentence: str) -> None:
        self._state, self._sentence = state, sentence
        self._changed.set()

    async def _keep_telling(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._changed.clear()
            await self.tell()
            stopping, changing = asyncio.create_task(stop.wait()), asyncio.create_task(self._changed.wait())
            await asyncio.wait({stopping, changing}, timeout=TELL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            changing.cancel()

    async def tell(self) -> None:
        """Say how memory is, where this process keeps it: what an earlier run said last may hold no more."""
        if not self.keeps:
            return
        try:
            await self._tell()
        except Exception:  # noqa: BLE001 - told again in a while
            _log.exception("how memory is could not be told")

    async def _tell(self) -> None:
        values: dict[str, Any] = {"state": self._state, "sentence": self._sentence}
        if self.embedder.is_ready:
            values |= {
                "model": self.embedder.model,
                "dimension": self.embedder.dimension,
                "backend": self.embedder.backend,
            }
        async with self._database.scribbling() as session:
            await memory_status.tell(session, **values)
        if not self.embedder.is_ready:
            async with self._database.writing() as session:
                await memory_status.drop_changes(session, more_than=MOST_CHANGES)


class Forgetful:
    """In the place of memory where a setting turned it off: what nobody learns is not kept, and this is told.

    An index that does not hear of changes would keep what somebody wants forgotten, so it goes; it is built anew.
    """

    def __init__(self, database: Database, place: Place) -> None:
        """Take where changes are noted, and where an index may be."""
        self._database = database
        self._place = place

    async def run(self, begun: asyncio.Event, stop: asyncio.Event) -> None:
        """Drop changes from time to time until `stop`."""
        await _either(begun, stop)
        while not stop.is_set():
            try:
                async with self._database.scribbling() as session:
                    dropped = await memory_status.drop_changes(session)
                    await memory_status.write(session, state="off", sentence="Memory is off: ASSENT_MEMORY is false.")
                if dropped:
                    async with self._place.writing():
                        await asyncio.to_thread(self._place.remove)
            except Exception:  # noqa: BLE001 - tried again in a while
                _log.exception("changes could not be dropped")
            try:
                async with asyncio.timeout(TELL_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue


async def _either(one: asyncio.Event, other: asyncio.Event) -> None:
    waits = [asyncio.create_task(one.wait()), asyncio.create_task(other.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
