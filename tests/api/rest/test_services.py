"""Services through REST: they get in by keys, do what their scopes say, and never decide."""

from typing import Any

import pytest

from core.permissions import Role
from core.store import audience
from tests.api.rest.house import House, Person


@pytest.fixture
async def service_id(ana: Person) -> str:
    return (await ana.ask("POST", "/services", json={"name": "deploy bot"})).json()["id"]


async def key_of(who: Person, service_id: str, *scopes: str) -> dict[str, Any]:
    answer = await who.ask("POST", f"/services/{service_id}/keys", json={"name": "CI", "scopes": list(scopes)})
    assert answer.status_code == 201, answer.text
    return answer.json()


class TestServices:
    async def test_has_no_address_of_a_person_and_no_password(self, ana, nobody, service_id):
        view = (await ana.ask("GET", "/services")).json()["items"][0]
        body = {"email": view["email"], "password": ""}
        signed_in = await nobody.post("/api/v1/auth/sign-in", json=body | {"password": "a long enough password"})

        assert (view["email"], view["kind"], view["role"]) == (f"{service_id}@services.invalid", "service", "member")
        assert signed_in.status_code == 401

    async def test_talks_by_its_key(self, ana, house, service_id):
        program = await house.http((await key_of(ana, service_id, "read", "chat"))["secret"])
        made = await program.post("/api/v1/conversations", json={})

        assert made.status_code == 201
        assert (await ana.ask("GET", f"/conversations/{made.json()['id']}")).status_code == 404

    async def test_a_viewer_only_reads(self, ana, house):
        service = await ana.ask("POST", "/services", json={"name": "dashboard", "role": "viewer"})
        program = await house.http((await key_of(ana, service.json()["id"], "read", "chat"))["secret"])

        assert (await program.get("/api/v1/conversations")).status_code == 200
        assert (await program.post("/api/v1/conversations", json={})).status_code == 403

    async def test_asks_for_consent_and_decides_nothing(self, ana, house, service_id, turn_id):
        program = await house.http((await key_of(ana, service_id, "ask"))["secret"])
        asked = await program.post("/api/v1/approvals", json={"title": "Deploy 4.2?", "action": "deploy.app"})
        decision = {"verdict": "approve", "digest": asked.json()["digest"], "decision_id": "one"}
        path = f"/api/v1/approvals/{asked.json()['id']}"
        other = await house.approval(ana, turn_id)

        assert asked.status_code == 201, asked.text
        assert (await program.get(path)).status_code == 200
        assert (await program.post(f"{path}/decision", json=decision)).status_code == 403
        assert (await program.get(f"/api/v1/approvals/{other.id}")).status_code == 404

    async def test_its_sockets_end_with_it(self, ana, house, service_id):
        key = (await key_of(ana, service_id, "read", "chat"))["token"]["id"]
        async with house.database.reading() as session:
            before = await audience.standing(session, [key])
        await ana.ask("POST", f"/services/{service_id}/disable")
        async with house.database.reading() as session:
            after = await audience.standing(session, [key])

        assert (list(before), after) == ([key], {})

    async def test_does_nothing_outside_its_scopes(self, ana, house, service_id):
        program = await house.http((await key_of(ana, service_id, "read"))["secret"])

        assert (await program.post("/api/v1/conversations", json={})).status_code == 403
        assert (await program.post("/api/v1/approvals", json={})).status_code in {403, 405}

    @pytest.mark.parametrize("scope", ["decide", "admin"])
    async def test_no_key_decides_or_administers(self, ana, service_id, scope):
        body = {"name": "CI", "scopes": ["read", scope]}

        assert (await ana.ask("POST", f"/services/{service_id}/keys", json=body)).status_code == 422

    @pytest.mark.parametrize("role", ["owner", "admin", "approver"])
    async def test_is_never_made_or_raised_to_who_decides(self, ana, service_id, role):
        made = await ana.ask("POST", "/services", json={"name": "x", "role": role})
        raised = await ana.ask("PATCH", f"/users/{service_id}", json={"role": role})

        assert (made.status_code, raised.status_code) == (422, 403)

    async def test_sees_no_request_that_its_role_could_decide(self, ana, house, service_id, turn_id):
        approval = await house.approval(ana, turn_id, roles=(Role.MEMBER,))
        program = await house.http((await key_of(ana, service_id, "read"))["secret"])

        assert (await program.get(f"/api/v1/approvals/{approval.id}")).status_code == 404
        assert (await program.get("/api/v1/approvals")).json()["items"] == []

    async def test_disabling_ends_its_keys_at_once(self, ana, house, service_id):
        program = await house.http((await key_of(ana, service_id, "read"))["secret"])
        before = (await program.get("/api/v1/conversations")).status_code
        disabled = (await ana.ask("POST", f"/services/{service_id}/disable")).json()

        assert before == 200
        assert disabled["disabled_at"] is not None
        assert (await program.get("/api/v1/conversations")).status_code == 401
        assert (await ana.ask("POST", f"/services/{service_id}/keys", json={"name": "x"})).status_code == 409

    async def test_a_key_is_shown_once_listed_and_revoked(self, ana, house, service_id):
        key = await key_of(ana, service_id, "read")
        program = await house.http(key["secret"])
        listed = await ana.ask("GET", f"/services/{service_id}/keys")
        await ana.ask("POST", f"/tokens/{key['token']['id']}/revoke")

        assert [one["id"] for one in listed.json()["items"]] == [key["token"]["id"]]
        assert key["secret"] not in listed.text
        assert (await program.get("/api/v1/conversations")).status_code == 401

    async def test_is_managed_by_owners_and_admins_in_person(self, ana, bo, house: House, service_id, workspace_id):
        admin = await house.person(workspace_id, Role.ADMIN)
        made = (await admin.ask("POST", "/tokens", json={"name": "all", "scopes": ["read", "admin"]})).json()
        program = await house.http(made["secret"])
        keys = f"/services/{service_id}/keys"

        assert (await admin.ask("POST", keys, json={"name": "CI"})).status_code == 201
        assert (await admin.ask("POST", keys, json={"name": "CI", "days": None})).status_code == 403
        assert (await bo.ask("POST", keys, json={"name": "CI"})).status_code == 403
        assert (await program.post(f"/api/v1{keys}", json={"name": "CI"})).status_code == 403

    async def test_a_person_is_no_service(self, ana, bo):
        assert (await ana.ask("POST", f"/services/{bo.principal.user_id}/keys", json={"name": "x"})).status_code == 404
        assert (await ana.ask("POST", f"/services/{bo.principal.user_id}/disable")).status_code == 404
