"""How often the memory that answers a question is among the first five: by meaning, by words, by both."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.bench.embedding import running_embedder
from cli.bench.rows import Fact, Result
from cli.bench.stage import Stage
from core.clock import now
from core.ids import derived_id
from core.store.remembered import SHELVES, Remembered
from workers.memory.index import LanceIndex, connect
from workers.memory.place import Edition, Place
from workers.memory.port import Embedder, Hit, Scope
from workers.memory.shelf import Shelf

FIRST = 5
_FILE = Path(__file__).with_name("quality.txt")
_SCOPE = Scope(derived_id("wsp", "bench"), derived_id("usr", "bench"), derived_id("cnv", "bench"), alone=True)


@dataclass(frozen=True)
class Asked:
    """A question, and the id of the memory that answers it."""

    question: str
    answer: str


async def measure(stage: Stage) -> Result:
    """Ask all questions in the three ways."""
    del stage
    async with running_embedder() as embedder:
        return await judge(embedder)


async def judge(embedder: Embedder) -> Result:
    """Give recall@5 of each way, as shares of all questions."""
    memories, asked = read()
    vectors = await embedder.embed([one.question for one in asked])
    with tempfile.TemporaryDirectory(prefix="assent-bench-", ignore_cleanup_errors=True) as folder:
        index = await _shelve(Path(folder), memories, embedder)
        found: dict[str, list[bool]] = {"meaning": [], "words": [], "both": []}
        for one, vector in zip(asked, vectors, strict=True):
            for name, text, near in (
                ("meaning", "", vector),
                ("words", one.question, None),
                ("both", one.question, vector),
            ):
                hits = await index.search(_SCOPE, text, near, kinds=("message",), limit=FIRST)
                found[name].append(_is_among(hits, one.answer))
    facts = [_fact(name, right, len(memories)) for name, right in found.items()]
    return Result(facts=tuple(facts))


def read() -> tuple[list[Remembered], list[Asked]]:
    """Read what was said, and the questions about it."""
    memories: list[Remembered] = []
    asked: list[Asked] = []
    for line in _FILE.read_text("utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        said, *questions = (part.strip() for part in line.split("|"))
        memory = _memory(said)
        memories.append(memory)
        asked += [Asked(question, memory.id) for question in questions]
    return memories, asked


def _memory(said: str) -> Remembered:
    return Remembered(
        id=derived_id("msg", said),
        ref=derived_id("trn", said),
        workspace_id=_SCOPE.workspace_id,
        user_id=_SCOPE.user_id,
        conversation_id=derived_id("cnv", "another"),
        created_at=now(),
        text=said,
    )


async def _shelve(folder: Path, memories: Sequence[Remembered], embedder: Embedder) -> LanceIndex:
    vectors = await embedder.embed([one.text for one in memories])
    edition = Edition(model=embedder.model, dimension=len(vectors[0]), generation=1)
    connection = await connect(folder)
    for name in SHELVES:
        shelf = await Shelf.create(connection, edition.table(name), edition.dimension)
        if name == "messages":
            await shelf.add(memories, vectors)
            await shelf.index()
    Place(folder).put_edition(edition)
    return LanceIndex(folder)


def _is_among(hits: Sequence[Hit], answer: str) -> bool:
    return answer in {hit.id for hit in hits[:FIRST]}


def _fact(name: str, right: Sequence[bool], among: int) -> Fact:
    return Fact(
        name=f"found among the first {FIRST} of {among}, by {name}, of {len(right)} questions",
        value=round(sum(right) / len(right), 3),
        unit="share",
    )
