"""Looking things up among very many memories, by one person and by eight at once, beside numpy reading them all."""

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cli.bench.rows import Result, Row, row
from cli.bench.stage import Stage
from core.clock import now
from core.ids import derived_id
from core.store.remembered import SHELVES, Remembered
from workers.memory.index import LanceIndex, connect
from workers.memory.place import Edition, Place
from workers.memory.port import HitKind, Scope
from workers.memory.shelf import Shelf

DIMENSION = 384
PEOPLE = 200
HEAVY = 10
"""One memory in so many is the heavy user's; the others share the rest."""
WORDS, A_MEMORY, A_QUESTION = 8_000, 14, 5
LIMIT = 40
BATCH = 10_000
TOGETHER = 8
_KINDS: tuple[HitKind, ...] = ("message", "fact", "document")
_WORKSPACE = derived_id("wsp", "bench")
_TALK = derived_id("cnv", "bench")

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Library:
    """An index full of invented memories; `mine` are the vectors of the heavy user, for the floor."""

    index: LanceIndex
    mine: Matrix
    count: int


async def measure(stage: Stage) -> Result:
    """Fill an index with each number of memories, and ask it."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="assent-bench-", ignore_cleanup_errors=True) as folder:
        for count in stage.sizes.memories:
            library = await _fill(Path(folder) / str(count), count)
            rows += await _ask(library, stage.sizes.questions)
    return Result(rows=tuple(rows))


async def _fill(folder: Path, count: int) -> Library:
    place, edition = Place(folder), Edition(model="invented", dimension=DIMENSION, generation=1)
    connection = await connect(folder)
    shelves = {name: await Shelf.create(connection, edition.table(name), DIMENSION) for name in SHELVES}
    mine: list[Matrix] = []
    for begin in range(0, count, BATCH):
        rows, vectors = await asyncio.to_thread(_invent, begin, min(BATCH, count - begin))
        await shelves["messages"].add(rows, vectors)  # type: ignore[arg-type]  # a matrix has the shape of the lists
        mine.append(vectors[[at for at, one in enumerate(rows) if one.user_id == _person(0)]])
    await shelves["messages"].tidy(timedelta(milliseconds=1))
    place.put_edition(edition)
    return Library(LanceIndex(folder), np.concatenate(mine), count)


def _invent(begin: int, count: int) -> tuple[list[Remembered], Matrix]:
    chance = random.Random(begin)  # noqa: S311  invented memories
    at = now()
    rows = [
        Remembered(
            id=derived_id("msg", "bench", number),
            ref=derived_id("trn", "bench", number),
            workspace_id=_WORKSPACE,
            user_id=_person(0 if number % HEAVY == 0 else 1 + number % PEOPLE),
            conversation_id=_TALK,
            created_at=at,
            text=_words(chance, A_MEMORY),
        )
        for number in range(begin, begin + count)
    ]
    return rows, _vectors(count, begin)


def _person(number: int) -> str:
    return derived_id("usr", "bench", number)


def _words(chance: random.Random, count: int) -> str:
    """Give words as a language uses them: few often, most hardly ever."""
    return " ".join(f"word{int(chance.paretovariate(0.6)) % WORDS}" for _ in range(count))


def _vectors(count: int, seed: int) -> Matrix:
    found = np.random.default_rng(seed).standard_normal((count, DIMENSION), dtype=np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


async def _ask(library: Library, questions: int) -> list[Row]:
    chance = random.Random(library.count)  # noqa: S311
    texts = [_words(chance, A_QUESTION) for _ in range(questions)]
    vectors = _vectors(questions, library.count + 1)

    def by(person: int) -> Callable[[int], Awaitable[object]]:
        scope = Scope(_WORKSPACE, _person(person), _TALK, alone=True)

        async def ask(number: int) -> object:
            vector = vectors[number].tolist()
            return await library.index.search(scope, texts[number], vector, kinds=_KINDS, limit=LIMIT)

        return ask

    async def read_all(number: int) -> object:
        return np.argpartition(library.mine @ vectors[number], -min(LIMIT, len(library.mine)))

    heavy = len(library.mine)
    await _times(by(0), 3, 1)
    floor = await _times(read_all, questions, 1)
    name = f"recall among {library.count:,}"
    return [
        row(f"{name}, one person's of many", await _times(by(1), questions, 1), goal="p95 < 50"),
        row(f"{name}, of them {heavy:,} one's own", await _times(by(0), questions, 1), floor=floor, goal="p95 < 50"),
        row(f"{name}, {TOGETHER} at once", await _times(by(0), questions, TOGETHER), floor=floor),
    ]


async def _times(ask: Callable[[int], Awaitable[object]], count: int, together: int) -> list[float]:
    """Ask every question once, so many at a time; the seconds that each took."""
    waiting, times = iter(range(count)), list[float]()

    async def work() -> None:
        for number in waiting:
            began = time.perf_counter()
            await ask(number)
            times.append(time.perf_counter() - began)

    await asyncio.gather(*(work() for _ in range(together)))
    return times
