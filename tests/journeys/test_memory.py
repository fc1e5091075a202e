"""Memory in a started product, with the real embedder: warmed after ready, learned, checked, rebuilt, forgotten."""

import asyncio
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.journeys.person import EMAIL, PASSWORD, Person, until
from tests.journeys.product import Product
from tests.journeys.terminal import Terminal

pytestmark = [pytest.mark.journey, pytest.mark.server]
WARM = 300.0


async def state(person: Person, wanted: str) -> dict[str, Any]:
    """Wait until memory says that it is so."""

    async def look() -> dict[str, Any] | None:
        view: dict[str, Any] = await person.get("/memory")
        return view if view["state"] == wanted and view["built_at"] and not view["waiting"] else None

    found: dict[str, Any] = await until(look, WARM)
    return found


class TestMemory:
    async def test_its_whole_life(self, fresh: Product, terminal: Terminal, embed_python: Path):
        settings = {"ASSENT_MEMORY": "true", "ASSENT_EMBED_PYTHON": str(embed_python)}
        await fresh.start(**settings)
        async with Person(fresh.url) as ana:
            await ana.set_up(fresh.code)
            health = (await ana.get("/health"))["parts"]["memory"]
            conversation_id = await ana.conversation()
            for text in ("my dentist is in Elm Street", "the harbour is closed on Sundays"):
                await ana.reply(conversation_id, text)
            ready = await state(ana, "ready")
            assert (await terminal.login(fresh.url, EMAIL, PASSWORD)).code == 0
            shown = await terminal.run("memory", "status")
            verified = await terminal.run("memory", "verify")
            rebuilt = await terminal.run("memory", "rebuild", "--json")
            again = await terminal.run("memory", "verify", "--json")

            child = _embedder(fresh)
            child.kill()
            await ana.reply(conversation_id, "and the library on Mondays")
            back = await until(lambda: _ready_with(ana, 6), WARM)

            await fresh.kill()
            await asyncio.to_thread(psutil.wait_procs, [child], 20)
            left = [one for one in psutil.process_iter(["cmdline"]) if _is_ours(one, fresh)]
            await fresh.start(**settings)
            ana.move(fresh.url)
            kept = await until(lambda: _ready_with(ana, 6), WARM)

        assert health["state"] == "ok"
        assert health["facts"]["memory"] in {"warming", "away", "ready"}
        assert (ready["model"][:6], ready["dimension"], ready["backend"]) == ("all-Mi", 384, "onnx")
        assert ready["rows"]["messages"] == 4
        assert (shown.code, "Memory is ready." in shown.out, "messages: 4" in shown.out) == (0, True, True), shown
        assert (verified.code, "says what was said" in verified.out) == (0, True), verified
        assert rebuilt.data["built_at"] != ready["built_at"]
        assert again.data["clean"]
        assert left == []
        assert (back["state"], kept["rows"]["messages"]) == ("ready", 6)

    async def test_without_packages_it_is_off_and_every_door_says_so(
        self, fresh: Product, terminal: Terminal, tmp_path: Path
    ):
        await fresh.start(ASSENT_MEMORY="true", ASSENT_EMBED_PYTHON=str(tmp_path / "python"))
        async with Person(fresh.url) as ana:
            await ana.set_up(fresh.code)

            async def is_off() -> dict[str, Any] | None:
                view: dict[str, Any] = await ana.get("/memory")
                return view if view["state"] == "off" else None

            view = await until(is_off)
            answer = await ana.reply(await ana.conversation(), "hello")
            refused = await ana.http.post("/memory/rebuild")
            await terminal.login(fresh.url, EMAIL, PASSWORD)
            shown = await terminal.run("memory", "status")

            async def told() -> bool:
                found: dict[str, Any] = await ana.get("/health")
                return (
                    found["status"] == "ok" and "ASSENT_EMBED_PYTHON" in found["parts"]["memory"]["facts"]["sentence"]
                )

            assert await until(told)

        assert "ASSENT_EMBED_PYTHON names" in view["sentence"]
        assert answer
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert (shown.code, "Memory is off." in shown.out) == (1, True), shown


async def _ready_with(person: Person, messages: int) -> dict[str, Any] | None:
    view: dict[str, Any] = await person.get("/memory")
    return view if view["state"] == "ready" and view["rows"].get("messages") == messages else None


def _embedder(product: Product) -> psutil.Process:
    children = psutil.Process(product.pid).children(recursive=True)
    return next(one for one in children if any("embedder_child" in word for word in one.cmdline()))


def _is_ours(process: psutil.Process, product: Product) -> bool:
    words = process.info["cmdline"] or []
    return any("embedder_child" in word for word in words) and any(str(product.data) in word for word in words)
