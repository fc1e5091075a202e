"""The audit log through REST: filtered, exported whole, and every look at it a row of its own."""

import json

import pytest

from core.permissions import Role
from tests.api.rest.house import House


@pytest.fixture
async def owner(house: House):
    return await house.person(await house.workspace(), Role.OWNER)


async def rows(owner, **only: str) -> list[dict]:
    response = await owner.ask("GET", "/audit", params=only)
    assert response.status_code == 200
    return response.json()["items"]


class TestReading:
    async def test_is_a_row_itself(self, owner):
        await rows(owner, kind="approval")
        await owner.ask("GET", "/audit/verify")
        await owner.ask("GET", "/audit/export")

        found = await rows(owner, kind="audit")

        assert [row["kind"] for row in found] == ["audit.exported", "audit.verified", "audit.read"]
        assert {row["actor"] for row in found} == {owner.principal.user_id}
        assert found[-1]["body"]["only"]["kind"] == "approval"

    async def test_a_kind_takes_what_begins_with_it_and_a_dot(self, owner):
        await rows(owner)

        assert await rows(owner, kind="audi") == []
        assert await rows(owner, kind="audit.read")
        assert await rows(owner, actor="nobody") == []
        assert await rows(owner, since="2999-01-01T00:00:00Z") == []

    async def test_an_export_has_every_row_with_its_mac(self, owner):
        await rows(owner)

        response = await owner.ask("GET", "/audit/export")

        lines = [json.loads(line) for line in response.text.splitlines()]
        assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
        assert all(line["mac"] and line["key_id"] for line in lines)
        assert lines[0]["previous"] == "0" * 64

    async def test_a_head_that_the_chain_lacks_is_told(self, owner):
        head = {
            "workspace_id": owner.principal.workspace_id, "number": 99, "mac": "f" * 64, "at": "2026-01-01T00:00:00Z",
        }  # fmt: skip

        response = await owner.ask("POST", "/audit/verify", json={"heads": [head]})

        assert response.json()["intact"] is False
        assert "99 rows were published" in response.json()["reason"]
