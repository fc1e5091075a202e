"""The connectors on the command line."""

from typing import Any

from cli.talk.connectors import check_connector, list_connectors
from cli.talk.server import Server

AT = "2026-03-01T12:00:00Z"
VIEW: dict[str, Any] = {"connector": "email", "host": "mail.example:587", "breaker": "open", "failures": 5}
EMAIL: dict[str, Any] = {
    "id": "email", "title": "E-mail", "actions": [{"name": "email.send"}], "configured": True, "needs": None,
    "health": [VIEW | {"last_failure_at": AT}],
}  # fmt: skip
WEB = EMAIL | {"id": "web", "health": [VIEW | {"host": "", "breaker": "closed", "last_failure_at": AT}]}
FILES = EMAIL | {"id": "files", "configured": False, "needs": "a system with POSIX folders", "health": []}
TASKS = EMAIL | {"id": "tasks", "health": []}


class Recorded(Server):
    """A server with four connectors; `ok` is what a check finds."""

    def __init__(self, *, ok: bool = True) -> None:
        self.posted: list[str] = []
        self._ok = ok

    async def get(self, path: str, **query: Any) -> Any:
        return {"items": [EMAIL, WEB, FILES, TASKS], "next": None, "total": 4}

    async def post(self, path: str, body: Any = None) -> Any:
        self.posted.append(path)
        return {"connector": "email", "ok": self._ok, "code": "ok" if self._ok else "unreachable", "sentence": "So."}


class TestConnectors:
    async def test_are_listed_with_how_they_are(self, screen):
        shown = screen()
        await list_connectors(Recorded(), shown)
        told = shown.out.getvalue()

        assert "mail.example:587 rests" in told
        assert "failed last" in told
        assert "not set up: needs a system with POSIX folders" in told
        assert "not called yet" in told

    async def test_one_is_asked(self, screen):
        shown, server = screen(), Recorded()

        assert await check_connector(server, shown, "email") == 0
        assert server.posted == ["/connectors/email/check"]

    async def test_no_good_answer_is_exit_code_1(self, screen):
        shown = screen()

        assert await check_connector(Recorded(ok=False), shown, "email") == 1
        assert "email: unreachable. So." in shown.out.getvalue()
