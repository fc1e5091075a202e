"""The models on the command line."""

from typing import Any

from cli.talk.models import check_models, list_models
from cli.talk.server import Server

MODEL: dict[str, Any] = {
    "name": "openai/large", "provider": "openai", "tier": "strong", "tools": True, "images": False,
    "context_tokens": 128000, "max_output_tokens": 4096, "input_price": 0.15, "output_price": 0.6,
    "price_known": True, "allowed": True, "health": None,
}  # fmt: skip
HOME = MODEL | {"name": "own", "input_price": None, "output_price": None, "price_known": False}


class Recorded(Server):
    """A server that has two models, of which one takes its key."""

    def __init__(self) -> None:
        self.posted: list[str] = []

    async def get(self, path: str, **query: Any) -> Any:
        return {"items": [MODEL, HOME], "next": None, "total": 2}

    async def post(self, path: str, body: Any = None) -> Any:
        self.posted.append(path)
        well = "own" not in path
        return {
            "name": "own" if not well else MODEL["name"], "ok": well, "took_ms": 5,
            "code": "ok" if well else "model_refused_key", "sentence": "It answers." if well else "It refused the key.",
        }  # fmt: skip


class TestModels:
    async def test_are_listed_with_their_prices(self, screen):
        shown = screen()
        await list_models(Recorded(), shown)

        assert "0.15 / 0.6" in shown.out.getvalue()
        assert "unknown" in shown.out.getvalue()

    async def test_all_are_checked_and_one_that_fails_is_exit_code_1(self, screen):
        shown, server = screen(), Recorded()
        code = await check_models(server, shown, None)

        assert code == 1
        assert server.posted == ["/models/openai%2Flarge/check", "/models/own/check"]
        assert "own: model_refused_key. It refused the key. (5 ms)" in shown.out.getvalue()

    async def test_one_is_checked_by_its_name(self, screen):
        server = Recorded()

        assert await check_models(server, screen(), "openai/large") == 0
        assert len(server.posted) == 1
