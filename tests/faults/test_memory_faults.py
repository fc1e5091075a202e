"""Memory's parts lost, frozen and broken while people talk: turns are answered, the index comes back from SQL."""

import asyncio
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from tests.faults.conftest import Furnished
from tests.faults.ledger import Ledger, check_doors
from tests.faults.survivor import Survivor
from tests.faults.test_taken_in_once import read, upload
from tests.journeys.person import EMAIL, PASSWORD, Person, until
from tests.journeys.product import Product
from tests.journeys.terminal import Terminal

pytestmark = [pytest.mark.journey, pytest.mark.server]
WARM = 300.0
SAID = ("my dentist is in Elm Street", "the harbour is closed on Sundays", "remember that I am allergic to walnuts")
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def remembering(embed_python: Path) -> dict[str, str]:
    return {
        "ASSENT_MEMORY": "true",
        "ASSENT_EMBED_PYTHON": str(embed_python),
        "ASSENT_MESSAGES_PER_MINUTE": "5000",
        "ASSENT_CONVERSATIONS_PER_MINUTE": "5000",
    }


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def learned(furnished: Furnished, remembering: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory at rest whose index knows what was said."""
    product = Product(tmp_path_factory.mktemp("learned"))
    product.copy_from(furnished.data)
    try:
        await product.start(**remembering)
        async with Person(product.url, furnished.token) as person:
            for text in SAID:
                await person.reply(furnished.conversation_id, text)
            await until(lambda: is_ready(person), WARM)
        await product.stop()
    finally:
        await product.close()
    return product.data


@pytest_asyncio.fixture(loop_scope="session")
async def product(learned: Path, tmp_path: Path) -> AsyncIterator[Product]:
    """The product that has learned, not started; at the end no log may tell of anything unforeseen."""
    one = Product(tmp_path)
    one.copy_from(learned)
    try:
        yield one
        assert one.alarms() == []
    finally:
        await one.close()
        shutil.rmtree(one.data, ignore_errors=True)


async def is_ready(person: Person) -> dict[str, Any] | None:
    view: dict[str, Any] = await person.get("/memory")
    return view if view["state"] == "ready" and view["built_at"] and not view["waiting"] else None


def question() -> str:
    """Give a question that nobody asked before: what is known of one is not computed again."""
    return f"where is my dentist? ({next(_numbers)})"


async def ask(person: Person) -> tuple[str, dict[str, Any]]:
    """Ask in a conversation of its own; gives the answer, and what was recalled for it."""
    said = await person.say(await person.conversation(), question(), wait=30)
    recalled: dict[str, Any] = await person.get(f"/turns/{said['turn_id']}/recall")
    assert said["state"] == "finished", said
    return str(said["reply"]["text"]), recalled


async def recalls(person: Person) -> bool:
    """Whether a turn recalls the dentist now."""
    _, recalled = await ask(person)
    if recalled["state"] != "done":
        await asyncio.sleep(1)  # asking is work; the next look is for whoever waits
    return recalled["state"] == "done" and any(one["kind"] == "message" for one in recalled["items"])


async def verified(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = await person.post("/memory/verify")
    assert found["clean"], found
    return found


def embedder(product: Product) -> psutil.Process:
    children = psutil.Process(product.pid).children(recursive=True)
    return next(one for one in children if any("embedder_child" in word for word in one.cmdline()))


def is_running(ledger: Ledger, turn_id: str) -> Callable[[], Awaitable[bool]]:
    """Tell whether a turn is on its way to the model, which here means: it waits for memory."""

    async def look() -> bool:
        return ledger.count("turns WHERE id = ? AND state = 'running' AND started_at IS NOT NULL", turn_id) == 1

    return look


class TestEmbedder:
    async def test_killed_while_a_turn_recalls_the_turn_goes_on_and_the_next_recalls_again(
        self, product: Product, furnished: Furnished, ledger: Ledger, remembering: dict[str, str]
    ):
        await product.start(**remembering, ASSENT_RECALL_SECONDS="40")
        async with Person(product.url, furnished.token) as person:
            await until(lambda: is_ready(person), WARM)
            await until(lambda: recalls(person), WARM)
            child = embedder(product)
            child.suspend()
            said = await person.say(await person.conversation(), question())
            await until(is_running(ledger, said["turn_id"]))
            child.kill()
            turn = await person.ended(said["turn_id"])
            recalled = await person.get(f"/turns/{said['turn_id']}/recall")
            await until(lambda: recalls(person), WARM)
            await verified(person)
            await check_doors(person, turn["conversation_id"], ledger)
            await until(ledger.is_settled)
        await product.kill()
        ledger.check()

        assert turn["state"] == "finished"
        assert (recalled["state"], "embedder" in recalled["reason"]) == ("skipped", True)

    async def test_frozen_each_turn_goes_on_in_time_and_it_is_replaced(
        self, product: Product, furnished: Furnished, ledger: Ledger, remembering: dict[str, str]
    ):
        await product.start(**remembering)
        async with Person(product.url, furnished.token) as person:
            await until(lambda: recalls(person), WARM)
            child = embedder(product)
            child.suspend()
            answers = [await ask(person) for _ in range(3)]
            await until(lambda: _replaced(product, child), WARM)
            await until(lambda: recalls(person), WARM)
            await verified(person)
            await until(ledger.is_settled)
        await product.kill()
        ledger.check()

        assert [recalled["state"] for _, recalled in answers] == ["skipped"] * 3
        assert all("150 ms" in recalled["reason"] for _, recalled in answers), answers
        assert not child.is_running()

    async def test_killed_during_a_rebuild_the_rebuild_goes_on_to_its_end(
        self, product: Product, furnished: Furnished, ledger: Ledger, remembering: dict[str, str]
    ):
        await product.start(**remembering)
        async with Person(product.url, furnished.token) as person:
            await until(lambda: recalls(person), WARM)
            document_id = await upload(person, furnished.conversation_id)
            pieces = (await read(person, document_id))["chunks_total"]
            before = await until(lambda: is_ready(person), WARM)
            await person.post("/memory/rebuild")

            async def builds() -> bool:
                return bool((await person.get("/memory"))["state"] == "rebuilding")

            await until(builds)
            embedder(product).kill()

            async def built() -> bool:
                view = await is_ready(person)
                return view is not None and view["built_at"] != before["built_at"]

            await until(built, WARM)
            found = await verified(person)
        await product.kill()
        ledger.check()

        assert {one["shelf"]: one["in_index"] for one in found["shelves"]}["documents"] == pieces


class TestIndex:
    async def test_removed_while_it_runs_turns_go_on_and_it_is_built_again(
        self,
        product: Product,
        furnished: Furnished,
        ledger: Ledger,
        remembering: dict[str, str],
        terminal: Terminal,
    ):
        await product.start(**remembering)
        async with Person(product.url, furnished.token) as person:
            assert (await terminal.login(product.url, EMAIL, PASSWORD)).code == 0
            await until(lambda: is_ready(person), WARM)
            shutil.rmtree(product.data / "memory")
            answer, recalled = await ask(person)
            await until(lambda: recalls(person), WARM)
            await until(lambda: is_ready(person), WARM)
            await verified(person)
            shown = await terminal.run("memory", "status")
            await until(ledger.is_settled)
        await product.kill()
        ledger.check()

        assert answer
        assert recalled["state"] == "skipped"
        assert "Memory is ready." in shown.out

    @pytest.mark.parametrize("folder", ["_indices"])
    async def test_broken_while_it_runs_turns_go_on_and_it_is_built_again(
        self, product: Product, furnished: Furnished, ledger: Ledger, remembering: dict[str, str], folder: str
    ):
        await product.start(**remembering)
        async with Person(product.url, furnished.token) as person:
            await until(lambda: is_ready(person), WARM)
            await until(lambda: recalls(person), WARM)
            spoilt = spoil(product.data / "memory", folder)
            answer, _ = await ask(person)
            await until(lambda: recalls(person), WARM)
            await until(lambda: is_ready(person), WARM)

            async def is_clean() -> bool:
                return bool((await person.post("/memory/verify"))["clean"])

            await until(is_clean, WARM)
            await until(ledger.is_settled)
        await product.kill()
        ledger.check()

        assert spoilt > 0
        assert answer

    @pytest.mark.parametrize("folder", ["data"])
    async def test_broken_while_it_was_off_it_is_built_again(
        self, product: Product, furnished: Furnished, ledger: Ledger, remembering: dict[str, str], folder: str
    ):
        assert spoil(product.data / "memory", folder) > 0
        await product.start(**remembering)
        async with Person(product.url, furnished.token) as person:
            answer, _ = await ask(person)
            await until(lambda: recalls(person), WARM)
            await until(lambda: is_ready(person), WARM)
            await verified(person)
            await until(ledger.is_settled)
        await product.kill()
        ledger.check()

        assert answer


class TestWriterKilledAt:
    @pytest.mark.parametrize("point", ["memory.learned", "memory.built", "memory.switched", "memory.removing"])
    async def test_the_index_says_what_sql_says_after_the_restart(
        self, product: Product, furnished: Furnished, ledger: Ledger, remembering: dict[str, str], point: str
    ):
        await product.start(**remembering, ASSENT_FAULT_POINT=point)
        async with Person(product.url, furnished.token) as person:
            survivor = Survivor(product, person, **remembering)
            said = await survivor.does("saying", lambda: _say_once(person, furnished.conversation_id))
            await survivor.does("saying", lambda: person.ended(said["turn_id"]))
            if point != "memory.learned":
                await survivor.does("waiting", lambda: until(lambda: is_ready(person), WARM))
            if point in {"memory.built", "memory.switched"}:
                await survivor.does("asking", lambda: person.post("/memory/rebuild"))
            if point == "memory.removing":
                await survivor.does("asking", lambda: person.post(f"/messages/{said['message_id']}/forget"))
            await survivor.sees_it_die("learning")
            await until(lambda: is_ready(person), WARM)
            found = await verified(person)
            await until(ledger.is_settled)
        await product.kill()
        ledger.check()

        assert len(survivor.deaths) == 1
        assert all(one["in_sql"] == one["in_index"] for one in found["shelves"])
        assert ledger.count("memory_changes") == 0


def spoil(folder: Path, kind: str) -> int:
    """Write garbage over the files of one kind in all tables; gives how many."""
    files = [path for path in folder.rglob("*") if path.is_file() and kind in path.parts]
    for path in files:
        path.write_bytes(os.urandom(max(64, path.stat().st_size)))
    return len(files)


async def _say_once(person: Person, conversation_id: str) -> dict[str, Any]:
    said: dict[str, Any] = await person.say(conversation_id, "the bakery opens at six", client_id="bakery")
    return said


async def _replaced(product: Product, child: psutil.Process) -> bool:
    try:
        return embedder(product).pid != child.pid
    except (StopIteration, psutil.NoSuchProcess):
        return False
