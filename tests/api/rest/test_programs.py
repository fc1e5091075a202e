"""What programs with a token may not do: choose their door, read what others asked for, use a key for two things."""

import json
from typing import Any

import pytest

from core.tables.work import Turn
from tests.api.rest.test_asks import ask, program
from tests.api.rest.test_grants import asked

HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}


@pytest.fixture
def call(monkeypatch):
    """Call a tool over MCP; what a call gives is not waited for."""
    monkeypatch.setattr("api.mcp.actions.DEFAULT_SECONDS", 0)

    async def called(http: Any, name: str, key: str | None = None, **arguments: Any) -> dict[str, Any]:
        params = {"name": name, "arguments": arguments, "_meta": {"assent/key": key} if key else {}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        answer = await http.post("/mcp", json=body, headers=HEADERS)
        (line,) = [one for one in answer.text.splitlines() if one.startswith("data:")]
        result: dict[str, Any] = json.loads(line.removeprefix("data:"))["result"]
        return result

    return called


class TestDoor:
    async def test_a_persons_client_says_which_it_is_and_a_program_is_none_of_those(self, house, ana):
        robot = await program(house, ana, "chat")
        doors = []
        for http in (ana.http, robot):
            made = await http.post("/api/v1/conversations", json={})
            said = {"text": "Hello", "client_message_id": "1"}
            path = f"/api/v1/conversations/{made.json()['id']}/messages"
            kept = await http.post(path, json=said, headers={"X-Assent-Door": "web"})
            async with house.database.reading() as session:
                doors.append((await session.get_one(Turn, kept.json()["turn_id"])).door)

        assert doors == ["web", "rest"]


class TestAskOnly:
    async def test_it_sees_what_was_asked_from_outside_and_nothing_of_others(self, house, ana, bo, call):
        robot = await program(house, ana, "ask")
        outside, own, other = (await ask(ana)).json()["id"], (await asked(house, ana)).id, (await asked(house, bo)).id
        over_rest = [(await robot.get(f"/api/v1/approvals/{one}")).status_code for one in (outside, own, other)]
        over_mcp = [
            (await call(robot, "approval_status", approval_id=one, wait_seconds=0))["isError"]
            for one in (outside, own, other)
        ]

        assert over_rest == [200, 404, 404]
        assert over_mcp == [False, True, True]

    async def test_one_that_may_read_sees_them(self, house, ana, bo, call):
        robot = await program(house, ana, "read")
        told = await call(robot, "approval_status", approval_id=(await asked(house, bo)).id, wait_seconds=0)

        assert not told["isError"]


class TestKey:
    async def test_it_means_one_call_however_far_the_difference(self, house, ana, call):
        robot, long = await program(house, ana, "chat"), "x" * 1_100
        first, again, other = [
            await call(robot, "files__write", "k", path="a.txt", content=f"{long} pay Ana {sum_}")
            for sum_ in (5, 5, 50)
        ]

        assert first == again
        assert (first["isError"], other["isError"]) == (False, True)
        assert "used for another call" in json.dumps(other)
