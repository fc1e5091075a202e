"""Programs' tokens: what they open, what they do not, and how they end."""

import asyncio

import httpx
import pytest

from core.clock import now
from core.permissions import Role
from core.tables.people import ApiToken, Membership
from tests.api.rest.house import House, Person
from tests.world import eventually


async def make(person: Person, **body: object) -> tuple[str, str]:
    """Make a token; gives its id and the secret."""
    made = await person.ask("POST", "/tokens", json={"name": "a script"} | body)
    assert made.status_code == 201, made.text
    return made.json()["token"]["id"], made.json()["secret"]


@pytest.fixture
async def program(house: House, ana: Person) -> httpx.AsyncClient:
    """Ana's program, with the scopes that it gets unless asked."""
    return await house.http((await make(ana))[1])


class TestMaking:
    async def test_the_token_is_shown_once_and_only_its_hash_is_kept(self, house, ana):
        token_id, secret = await make(ana)

        async with house.database.reading() as session:
            row = await session.get_one(ApiToken, token_id)
        listed = (await ana.ask("GET", "/tokens")).json()["items"]
        assert secret.startswith("ast_")
        assert len(secret) == 47
        assert secret not in str(row.model_dump())
        assert secret.endswith(row.hint)
        assert secret not in str(listed)
        assert {"chat", "read"} == set(listed[0]["scopes"])
        assert 89 <= (row.expires_at - now()).days <= 90

    async def test_only_an_owner_makes_one_that_never_ends(self, ana, bo):
        refused = await bo.ask("POST", "/tokens", json={"name": "x", "days": None})
        made = await ana.ask("POST", "/tokens", json={"name": "x", "days": None})

        assert refused.status_code == 403
        assert made.json()["token"]["expires_at"] is None

    @pytest.mark.parametrize("body", [{"days": 366}, {"days": 0}, {"scopes": []}, {"scopes": ["all"]}, {"name": " "}])
    async def test_nonsense_is_refused(self, ana, body):
        assert (await ana.ask("POST", "/tokens", json={"name": "x"} | body)).status_code == 422

    async def test_a_member_makes_none_with_admin(self, bo):
        assert (await bo.ask("POST", "/tokens", json={"name": "x", "scopes": ["admin"]})).status_code == 403

    async def test_the_audit_log_tells(self, ana):
        token_id, _ = await make(ana)
        await ana.ask("POST", f"/tokens/{token_id}/revoke")

        rows = (await ana.ask("GET", "/audit")).json()["items"]
        assert [row["kind"] for row in rows if row["subject"] == token_id] == ["token.revoked", "token.created"]


class TestScopes:
    async def test_a_program_talks_and_reads(self, program, conversation_id):
        said = await program.post(
            f"/api/v1/conversations/{conversation_id}/messages", json={"text": "Hi", "client_message_id": "a"}
        )
        assert said.status_code == 202
        assert (await program.get("/api/v1/conversations")).status_code == 200
        assert (await program.get("/api/v1/tokens")).status_code == 200

    async def test_a_program_does_not_decide_unless_it_was_made_for_it(self, house, ana, program, turn_id):
        approval = await house.approval(ana, turn_id)
        decision = {"verdict": "approve", "digest": approval.digest, "decision_id": "d"}
        path = f"/api/v1/approvals/{approval.id}/decision"
        house.workflows.answer = "accepted"
        refused = await program.post(path, json=decision)
        decider = await house.http((await make(ana, scopes=["decide"]))[1])
        decided = await decider.post(path, json=decision)

        assert (refused.status_code, refused.json()["scope"]) == (403, "decide")
        assert decided.status_code == 200

    async def test_a_program_without_admin_is_no_owner(self, program):
        for path in ("/audit", "/invitations", "/tokens?everybody=true"):
            assert (await program.get(f"/api/v1{path}")).status_code == 403
        invitation = {"email": "x@x.test", "role": "member"}
        assert (await program.post("/api/v1/invitations", json=invitation)).status_code == 403

    async def test_a_program_with_admin_is_what_its_person_is(self, house, ana):
        admin = await house.http((await make(ana, scopes=["read", "admin"]))[1])

        assert (await admin.get("/api/v1/audit")).status_code == 200

    async def test_no_program_makes_or_ends_tokens_or_signs_out(self, house, ana):
        token_id, secret = await make(ana, scopes=["read", "chat", "decide", "admin"])
        program = await house.http(secret)

        assert (await program.post("/api/v1/tokens", json={"name": "x"})).status_code == 403
        assert (await program.post(f"/api/v1/tokens/{token_id}/revoke")).status_code == 403
        assert (await program.post("/api/v1/auth/sign-out", json={})).status_code == 403

    async def test_a_reader_does_not_write(self, house, ana):
        reader = await house.http((await make(ana, scopes=["read"]))[1])

        assert (await reader.post("/api/v1/conversations", json={})).status_code == 403


class TestEnding:
    async def test_a_revoked_token_opens_nothing(self, house, ana, bo):
        token_id, secret = await make(bo)
        program = await house.http(secret)
        assert (await program.get("/api/v1/me")).status_code == 200
        revoked = await bo.ask("POST", f"/tokens/{token_id}/revoke")

        assert revoked.status_code == 200
        assert (await program.get("/api/v1/me")).status_code == 401

    async def test_a_token_that_is_over_opens_nothing(self, house, ana):
        token_id, secret = await make(ana)
        async with house.database.writing() as session:
            (await session.get_one(ApiToken, token_id)).expires_at = now()

        assert (await (await house.http(secret)).get("/api/v1/me")).status_code == 401

    async def test_nobody_who_is_shut_out_comes_in_by_a_token_then_or_later(self, house, ana, bo):
        _, secret = await make(bo)
        program = await house.http(secret)
        await ana.ask("POST", f"/users/{bo.principal.user_id}/disable")
        shut_out = (await program.get("/api/v1/me")).status_code
        async with house.database.writing() as session:
            (await session.get_one(Membership, bo.principal.membership_id)).disabled_at = None

        assert shut_out == 401
        assert (await program.get("/api/v1/me")).status_code == 401

    async def test_an_owner_ends_anybodys_and_a_member_only_their_own(self, ana, bo, eve):
        of_ana, _ = await make(ana)
        of_bo, _ = await make(bo)

        assert (await bo.ask("POST", f"/tokens/{of_ana}/revoke")).status_code == 404
        assert (await eve.ask("POST", f"/tokens/{of_bo}/revoke")).status_code == 404
        assert (await ana.ask("POST", f"/tokens/{of_bo}/revoke")).status_code == 200
        assert (await eve.ask("GET", "/tokens?everybody=true")).json()["items"] == []

    @pytest.mark.parametrize("secret", ["ast_", "ast_x", "ast_" + "a" * 43, "ast_" + "a" * 3000])
    async def test_what_is_no_token_opens_nothing(self, house, secret):
        assert (await (await house.http(secret)).get("/api/v1/me")).status_code == 401


class TestUse:
    async def test_its_last_use_is_noted_beside_the_request(self, house, ana, program):
        await asyncio.gather(*(program.get("/api/v1/me") for _ in range(5)))

        async def noted() -> bool:
            return (await ana.ask("GET", "/tokens")).json()["items"][0]["last_used_at"] is not None

        await eventually(noted)

    async def test_its_person_is_the_author(self, ana, program, conversation_id):
        body = {"text": "Hi", "client_message_id": "a"}
        await program.post(f"/api/v1/conversations/{conversation_id}/messages", json=body)

        messages = (await ana.ask("GET", f"/conversations/{conversation_id}/messages")).json()["items"]
        assert ana.principal.user_id == messages[0]["author_id"]

    async def test_an_owner_of_a_role_that_was_taken_is_none(self, house, ana, bo):
        async with house.database.writing() as session:
            (await session.get_one(Membership, bo.principal.membership_id)).role = Role.ADMIN
        admin = await house.http((await make(bo, scopes=["read", "admin"]))[1])
        before = (await admin.get("/api/v1/audit")).status_code
        async with house.database.writing() as session:
            (await session.get_one(Membership, bo.principal.membership_id)).role = Role.MEMBER

        assert (before, (await admin.get("/api/v1/audit")).status_code) == (200, 403)
