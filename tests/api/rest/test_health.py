"""Health says how each part really is."""

import asyncio

import httpx
import pytest
from temporalio.worker import Worker

from api.app import build_app
from core.permissions import Role
from core.rooms import LocalRooms
from tests.api.rest.house import API, ReadyTemporal, open_house
from workflows import policies
from workflows.chat_turn import ChatTurn


class TestWithoutTemporal:
    async def test_it_is_degraded_but_takes_messages_in(self, ana, nobody):
        health = await ana.ask("GET", "/health")
        ready = await nobody.get(f"{API}/ready")

        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert health.json()["parts"]["temporal"]["state"] == "down"
        assert health.json()["parts"]["database"]["state"] == "ok"
        assert (ready.status_code, ready.json()) == (200, {"ready": True})

    async def test_strangers_get_no_details(self, nobody):
        assert (await nobody.get(f"{API}/health")).json() == {
            "status": "degraded",
            "offline_model": True,
            "parts": None,
        }

    async def test_the_offline_assistant_says_what_it_is(self, ana):
        parts = (await ana.ask("GET", "/health")).json()["parts"]

        assert parts["model"]["facts"] == {"name": "offline assistant", "offline": True}

    async def test_without_the_database_it_is_down(self, house, nobody, monkeypatch):
        async def refuse() -> None:
            raise ConnectionRefusedError

        monkeypatch.setattr(house.database, "ping", refuse)

        assert (await nobody.get(f"{API}/health")).status_code == 503
        assert (await nobody.get(f"{API}/ready")).status_code == 503


@pytest.mark.server
class TestWithTemporal:
    @pytest.fixture
    async def web(self, settings, sqlite_database, client, ring):
        app = build_app(settings, sqlite_database, client, LocalRooms(), ring, ReadyTemporal())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://assent.test") as opened:
            yield opened

    async def test_it_is_ready_though_nobody_works(self, web):
        assert (await web.get(f"{API}/ready")).json() == {"ready": True}

    async def test_workers_are_seen_only_when_they_are_there(self, settings, sqlite_database, client, ring):
        async with open_house(settings, sqlite_database, ring) as house:
            probes = house.rest.state.context.probes
            probes._client = client
            before = await probes._ask_workers()
            async with Worker(client, task_queue=policies.TURNS_QUEUE, workflows=[ChatTurn]):
                while not (after := await probes._ask_workers()).facts["pollers"]["turns"]:
                    await asyncio.sleep(0.05)

        assert before.state == "down"
        assert after.state == "degraded"
        assert after.facts["pollers"]["models"] == 0


class TestDescription:
    async def test_every_reference_leads_somewhere(self, house):
        description = house.rest.openapi()
        found: set[str] = set()

        def walk(value: object) -> None:
            if isinstance(value, dict):
                if isinstance(value.get("$ref"), str):
                    found.add(value["$ref"])
                for one in value.values():
                    walk(one)
            elif isinstance(value, list):
                for one in value:
                    walk(one)

        walk(description)

        assert "#/components/schemas/Problem" in found
        assert {one.rpartition("/")[2] for one in found} <= set(description["components"]["schemas"])

    async def test_every_body_has_an_example(self, house):
        description = house.rest.openapi()
        schemas = description["components"]["schemas"]
        bare = [
            path
            for path, operations in description["paths"].items()
            for operation in operations.values()
            for body in [operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")]
            if body and "$ref" in body and "examples" not in str(schemas[body["$ref"].rpartition("/")[2]])
        ]

        assert bare == []


class TestOrigins:
    async def test_a_named_origin_may_call(self, settings, sqlite_database, ring):
        named = settings.model_copy(update={"cors_origins": ("https://app.example.com",)})
        async with open_house(named, sqlite_database, ring) as house:
            person = await house.person(await house.workspace(), Role.OWNER)
            headers = {"Origin": "https://app.example.com"}
            answer = await person.ask("GET", "/me", headers=headers)
            other = await person.ask("GET", "/me", headers={"Origin": "https://evil.test"})
            asked = headers | {"Access-Control-Request-Method": "DELETE"}
            preflight = await (await house.http()).options(f"{API}/conversations", headers=asked)

        assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
        assert "access-control-allow-credentials" not in answer.headers
        assert "access-control-allow-origin" not in other.headers
        assert preflight.status_code == 200
