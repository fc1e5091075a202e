"""MCP servers over REST: imported by owners of one workspace, never as commands; their questions are forms."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core.keys import KeyRing
from core.permissions import Role
from core.settings import Settings
from core.store.database import Database
from core.tables.consent import Approval
from tests.api.rest.house import House, Person, open_house
from tests.doubles.mcp_server import Script, serving

FORM = {
    "type": "object",
    "properties": {"day": {"type": "string", "description": "Which day."}},
    "required": ["day"],
    "additionalProperties": False,
}


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async with serving(Script()) as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path, sqlite_database: Database, ring: KeyRing, address: str) -> AsyncIterator[House]:
    async with open_house(Settings(data_dir=tmp_path, private_hosts=(address,)), sqlite_database, ring) as opened:
        yield opened


@pytest.fixture
async def owner(house: House) -> Person:
    return await house.person(await house.workspace(), Role.OWNER)


async def bring(who: Person, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = await who.ask("POST", "/connectors/imported", json={"kind": "mcp", "name": "desk", **body})
    return answer.status_code, answer.json()


class TestImporting:
    async def test_shows_every_tool_for_review_and_keeps_it_to_its_workspace(self, house, owner, address):
        status, shown = await bring(owner, url=f"http://{address}/mcp")
        assert status == 201
        risks = {one["name"]: (one["risk"], one["effect"]) for one in shown["items"]}
        assert risks["add"] == ("write", "at_most_once")
        assert risks["book_again"] == ("write", "at_most_once")

        review = {"digest": shown["digest"], "enable": ["add"], "risks": {"add": "read"}}
        path = f"/connectors/imported/{shown['id']}"
        assert (await owner.ask("PUT", f"{path}/actions", json=review)).json()["state"] == "ready"
        stranger = await house.person(await house.workspace(), Role.OWNER)
        assert (await stranger.ask("GET", path)).status_code == 404
        assert (await stranger.ask("POST", f"{path}/refresh", json={})).status_code == 404

    async def test_is_not_for_members(self, house, owner, address):
        member = await house.person(owner.principal.workspace_id)

        assert (await bring(member, url=f"http://{address}/mcp"))[0] == 403

    @pytest.mark.parametrize(
        "body",
        [
            {"options": {"command": "sh", "args": ["-c", "true"]}},
            {"url": "stdio://sh"},
            {"options": {"server": "sh"}},
            {"url": "http://127.0.0.1:9/mcp"},
            {"url": "http://169.254.169.254/mcp"},
        ],
    )
    async def test_runs_no_command_and_reaches_no_private_address(self, owner, body):
        assert (await bring(owner, **body))[0] == 422


class TestAQuestion:
    @pytest.fixture
    async def question(self, house: House, owner: Person) -> Approval:
        conversation = (await owner.ask("POST", "/conversations")).json()["id"]
        said = await owner.ask(
            "POST", f"/conversations/{conversation}/messages", json={"text": "hi", "client_message_id": "m"}
        )
        row = await house.approval(owner, said.json()["turn_id"])
        async with house.database.writing() as session:
            kept = await session.get_one(Approval, row.id)
            kept.origin, kept.schema_, kept.arguments, kept.tool_call_id = "question", FORM, {}, None
        return row

    async def test_shows_its_form(self, owner, question):
        shown = (await owner.ask("GET", f"/approvals/{question.id}")).json()

        assert (shown["origin"], shown["arguments_schema"], shown["arguments"]) == ("question", FORM, {})

    async def test_cannot_be_accepted_unanswered(self, owner, question):
        body = {"verdict": "approve", "digest": question.digest, "decision_id": "d-1"}
        answer = await owner.ask("POST", f"/approvals/{question.id}/decision", json=body)

        assert (answer.status_code, answer.json()["reason"]) == (422, "answer_missing")

    async def test_is_taken_with_an_answer_or_a_no(self, owner, question):
        body = {"verdict": "approve", "digest": question.digest, "decision_id": "d-1", "arguments": {"day": "Monday"}}
        accepted = await owner.ask("POST", f"/approvals/{question.id}/decision", json=body)
        no = {"verdict": "reject", "digest": question.digest, "decision_id": "d-2"}
        declined = await owner.ask("POST", f"/approvals/{question.id}/decision", json=no)

        assert (accepted.status_code, declined.status_code) == (202, 202)

    async def test_is_not_there_for_another_workspace(self, house, question):
        stranger = await house.person(await house.workspace(), Role.OWNER)
        body = {"verdict": "approve", "digest": question.digest, "decision_id": "d", "arguments": {"day": "Monday"}}

        assert (await stranger.ask("GET", f"/approvals/{question.id}")).status_code == 404
        assert (await stranger.ask("POST", f"/approvals/{question.id}/decision", json=body)).status_code == 404
