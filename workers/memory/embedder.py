"""The embedder: a child process that turns texts into vectors, kept alive, asked in small batches."""

import asyncio
import contextlib
import itertools
import json
import os
import struct
import sys
from array import array
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from workers.memory.port import MemoryUnavailable, Vector

CHILD = Path(__file__).with_name("embedder_child.py")
ANSWER_SECONDS = 30.0
"""A child that takes longer for one batch hangs, and is replaced."""
LOAD_SECONDS = 600.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
URGENT_TEXTS = 4
"""A request of so few texts is somebody's question, and goes before what is only to be learned."""
BATCH_TEXTS = 32
BULK_TEXTS, BULK_CHARACTERS = 16, 2_000
"""What is to be learned is cut into pieces of a tenth of a second, so that no question waits longer."""
TEXT_CHARACTERS = 4_000
"""The model reads the first 256 tokens of a text; more need not travel."""
_log = structlog.get_logger()


@dataclass(eq=False)
class _Request:
    """Texts that somebody waits for, cut into pieces; `done` gets all their vectors."""

    texts: list[str]
    done: "asyncio.Future[list[Vector]]"
    vectors: list[Vector] = field(default_factory=list)

    @property
    def is_urgent(self) -> bool:
        return len(self.texts) <= URGENT_TEXTS

    def piece(self) -> list[str]:
        """Give the texts to send next."""
        rest = self.texts[len(self.vectors) :]
        if self.is_urgent:
            return rest
        sizes = itertools.accumulate(min(len(text), 1_000) for text in rest[:BULK_TEXTS])
        return rest[: max(1, sum(size <= BULK_CHARACTERS for size in sizes))]


class ChildEmbedder:
    """One embedder for a process; `run` keeps the child alive, `embed` may be called by many at once."""

    def __init__(self, exports: Path, model: str | None = None, *, log: Path | None = None, threads: int = 1) -> None:
        """Keep exported models in `exports`; `model` is a name or a folder, None = the bundled one."""
        self._given = json.dumps({"model": model, "exports": str(exports), "threads": threads})
        self._log_file = log
        self._process: Process | None = None
        self._facts: dict[str, Any] = {}
        self._urgent: deque[_Request] = deque()
        self._bulk: deque[_Request] = deque()
        self._sent: list[tuple[_Request, list[str]]] = []
        self._work = asyncio.Event()
        self._numbers = itertools.count(1)
        self.sentence = "Memory has not started yet."
        self.restarts = 0
        self.changed: Callable[[], None] = lambda: None

    @property
    def model(self) -> str:
        """The name under which its vectors are kept; empty until it has been ready once."""
        return str(self._facts.get("model", ""))

    @property
    def dimension(self) -> int:
        """Numbers in a vector; 0 until it has been ready once."""
        return int(self._facts.get("dimension", 0))

    @property
    def backend(self) -> str:
        """What computes: `onnx` or `torch`; empty until it has been ready once."""
        return str(self._facts.get("backend", ""))

    @property
    def is_ready(self) -> bool:
        """Whether a child is warm."""
        return self._process is not None

    @property
    def pid(self) -> int | None:
        """The child's process id, while it is warm."""
        return self._process.pid if self._process else None

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Give one unit vector for each text, in order. Raises MemoryUnavailable, also when the child dies over it."""
        if not texts:
            return []
        if not self.is_ready:
            raise MemoryUnavailable(self.sentence)
        clean = [text[:TEXT_CHARACTERS].encode("utf-8", "replace").decode() for text in texts]
        request = _Request(clean, asyncio.get_running_loop().create_future())
        (self._urgent if request.is_urgent else self._bulk).append(request)
        self._work.set()
        return await request.done

    # The child's life

    async def run(self, python: Path, stop: asyncio.Event) -> None:
        """Keep a child alive until `stop`; one that dies is replaced, after pauses that double."""
        pause = FIRST_PAUSE
        while not stop.is_set():
            loop = asyncio.get_running_loop()
            began = loop.time()
            await self._live(python, stop)
            if stop.is_set():
                break
            pause = FIRST_PAUSE if loop.time() - began > LONGEST_PAUSE else min(LONGEST_PAUSE, pause * 2)
            self.restarts += 1
            _log.warning("the embedder ended; it is started again", after=pause, sentence=self.sentence)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stop.wait()
        self._say("Memory has stopped.")

    async def _live(self, python: Path, stop: asyncio.Event) -> None:
        try:
            process = await self._start(python)
        except OSError as problem:
            self._say(f"The embedder cannot be started: {problem.strerror or problem} ({python}).")
            return
        stopping = asyncio.create_task(stop.wait())
        serving = asyncio.create_task(self._serve(process))
        try:
            await asyncio.wait({stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
            await _end(process)

    async def _start(self, python: Path) -> Process:
        self._say("Memory is warming up: the embedder loads.")
        with contextlib.ExitStack() as stack:
            errors: Any = DEVNULL
            if self._log_file is not None:
                self._log_file.parent.mkdir(parents=True, exist_ok=True)
                errors = stack.enter_context(self._log_file.open("wb"))
            return await asyncio.create_subprocess_exec(
                *(str(python), "-I", str(CHILD), self._given),
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                env=child_environment(),
                limit=1 << 22,
            )

    async def _serve(self, process: Process) -> None:
        """Wait until it is warm, then pass requests on until it ends."""
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                self._facts = await self._until_warm(process)
            self._process = process
            self._say("Memory is ready.")
            while True:
                await self._pass_on(process)
        except (OSError, EOFError, ValueError, struct.error) as problem:
            if self._process is not None:
                self._say("The embedder ended; it is started again.")
            elif not isinstance(problem, _LoadError):
                self._say("The embedder ended while it loaded; it is started again.")
        except asyncio.CancelledError:
            self._say("Memory is stopping.")
            raise
        finally:
            self._process = None
            self.changed()
            self._fail_all()

    async def _until_warm(self, process: Process) -> dict[str, Any]:
        while True:
            frame, _ = await _receive(process)
            if "fatal" in frame:
                self._say(f"The embedder cannot load: {frame['fatal']}")
                raise _LoadError
            if "dimension" in frame:
                return frame
            self._say(f"Memory is warming up: {frame['says']}.")

    async def _pass_on(self, process: Process) -> None:
        """Send what waits as one batch, and give the vectors to those who asked."""
        self._sent = await self._next_batch(process)
        texts = [text for _, piece in self._sent for text in piece]
        if not texts:
            return
        async with asyncio.timeout(ANSWER_SECONDS):
            vectors = await self._ask(process, texts)
        done, self._sent = self._sent, []
        for request, piece in done:
            request.vectors += vectors[: len(piece)]
            del vectors[: len(piece)]
            if len(request.vectors) < len(request.texts):
                self._bulk.appendleft(request)
                self._work.set()
            elif not request.done.done():
                request.done.set_result(request.vectors)

    async def _next_batch(self, process: Process) -> list[tuple[_Request, list[str]]]:
        """Wait for work, and take all questions that came while the child was busy, or else one piece to learn."""
        while not self._work.is_set():
            ended = asyncio.create_task(process.wait())
            working = asyncio.create_task(self._work.wait())
            try:
                await asyncio.wait({ended, working}, return_when=asyncio.FIRST_COMPLETED)
                if ended.done():
                    raise EOFError
            finally:
                ended.cancel()
                working.cancel()
        await asyncio.sleep(0)  # those who ask in the same moment go together
        batch: list[tuple[_Request, list[str]]] = []
        while self._urgent and sum(len(piece) for _, piece in batch) < BATCH_TEXTS:
            _take(self._urgent, batch)
        while not batch and self._bulk:
            _take(self._bulk, batch)
        if not self._urgent and not self._bulk:
            self._work.clear()
        return batch

    async def _ask(self, process: Process, texts: list[str]) -> list[Vector]:
        number = next(self._numbers)
        body = json.dumps({"id": number, "texts": texts}).encode()
        assert process.stdin is not None  # noqa: S101  it was made with a pipe
        process.stdin.write(struct.pack(">I", len(body)) + body)
        await process.stdin.drain()
        frame, data = await _receive(process)
        if frame.get("id") != number or "error" in frame:
            _log.error("the embedder failed", error=frame.get("error", "another answer than was asked for"))
            raise EOFError
        return _rows(data, len(texts))

    def _fail_all(self) -> None:
        for request in (*(one for one, _ in self._sent), *self._urgent, *self._bulk):
            if not request.done.done():
                request.done.set_exception(MemoryUnavailable(self.sentence))
        self._sent = []
        self._urgent.clear()
        self._bulk.clear()
        self._work.clear()

    def _say(self, sentence: str) -> None:
        self.sentence = sentence
        self.changed()


class _LoadError(ValueError):
    """The child said why it cannot load."""


def child_environment() -> dict[str, str]:
    """Give the child what it needs of the environment, and none of our settings: they hold keys."""
    away = ("ASSENT_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(away)}


async def _receive(process: Process) -> tuple[dict[str, Any], bytes]:
    assert process.stdout is not None  # noqa: S101  it was made with a pipe
    size = struct.unpack(">I", await process.stdout.readexactly(4))[0]
    frame = json.loads(await process.stdout.readexactly(size))
    return frame, await process.stdout.readexactly(frame.get("bytes", 0))


def _take(waiting: deque[_Request], batch: list[tuple[_Request, list[str]]]) -> None:
    request = waiting.popleft()
    if not request.done.done():  # whoever asked may have given up
        batch.append((request, request.piece()))


def _rows(data: bytes, count: int) -> list[Vector]:
    numbers = array("f", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    width = len(numbers) // count
    return [list(numbers[at * width : (at + 1) * width]) for at in range(count)]


async def _end(process: Process) -> None:
    """Close its stdin, which ends it, and make sure."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
