"""Memory as a whole is for owners and admins; the doors say how it is."""

import httpx
import pytest

from core.permissions import Role
from core.store import memory_status
from tests.api.rest.house import House, Person

CALLS = [("GET", "/memory"), ("POST", "/memory/rebuild"), ("POST", "/memory/verify")]


class TestWho:
    @pytest.mark.parametrize(("method", "path"), CALLS)
    async def test_only_owners_and_admins(self, house: House, workspace_id: str, method: str, path: str):
        statuses = {}
        for role in Role:
            person = await house.person(workspace_id, role)
            statuses[role] = (await person.ask(method, path)).status_code

        assert {role for role, status in statuses.items() if status != 403} == {Role.OWNER, Role.ADMIN}

    @pytest.mark.parametrize(("method", "path"), CALLS)
    async def test_nobody_without_signing_in(self, nobody: httpx.AsyncClient, method: str, path: str):
        assert (await nobody.request(method, f"/api/v1{path}")).status_code == 401


class TestHow:
    async def test_it_tells_what_the_workers_said(self, house: House, ana: Person):
        before = (await ana.ask("GET", "/memory")).json()
        async with house.database.writing() as session:
            await memory_status.write(
                session, state="rebuilding", sentence="Memory is being built.", done=3, total=9, model="m", dimension=2
            )
        during = (await ana.ask("GET", "/memory")).json()

        assert before["state"] == "away"
        assert (during["state"], during["done"], during["total"], during["model"]) == ("rebuilding", 3, 9, "m")

    async def test_off_refuses_a_build_with_the_reason(self, house: House, ana: Person):
        async with house.database.writing() as session:
            await memory_status.write(session, state="off", sentence="Memory is off. The packages are not here.")

        answer = await ana.ask("POST", "/memory/rebuild")

        assert (answer.status_code, answer.json()["detail"]) == (503, "Memory is off. The packages are not here.")
