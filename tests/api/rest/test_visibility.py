"""Every route against everybody: no token, the same workspace, another one. A new route needs its line."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.app import NOUNS, PREFIX
from core.clock import now
from core.ids import new_id
from core.permissions import Role
from core.tables.identity import OidcAccount, Passkey
from tests.api.rest.house import House, Person
from tests.connectors.openapi_corpus import document

NOT_THERE = 404
NEW_MESSAGE = {"text": "Hello", "client_message_id": "other"}
DECISION = {"verdict": "approve", "digest": "d" * 64, "decision_id": "one"}


@dataclass(frozen=True)
class Line:
    """What a route answers to Bo (a member beside Ana) and Eve (of another workspace) who ask for what is Ana's."""

    bo: int = NOT_THERE
    eve: int = NOT_THERE
    body: Any = None
    open: bool = False


OPEN = Line(open=True)
LIST = Line(bo=200, eve=200)
EXPECTED: dict[str, Line] = {
    "POST /auth/sign-in": OPEN,
    "POST /auth/second-factor": OPEN,
    "POST /auth/passkey-options": OPEN,
    "POST /auth/passkey-sign-in": OPEN,
    "GET /auth/oidc": OPEN,
    "POST /auth/oidc/{name}/begin": OPEN,
    "GET /auth/oidc/{name}/callback": OPEN,
    "POST /auth/oidc/sign-in": OPEN,
    "GET /auth/oidc/accounts": LIST,
    "POST /auth/oidc/accounts": Line(bo=403, eve=403, body={"ticket": "none"}),
    "DELETE /auth/oidc/accounts/{account_id}": Line(),
    "GET /auth/session": LIST,
    "POST /auth/prove": Line(bo=403, eve=403, body={"method": "totp", "code": "000000"}),
    "POST /auth/totp": Line(bo=201, eve=201),
    "POST /auth/totp/confirm": Line(bo=403, eve=403, body={"code": "000000"}),
    "POST /auth/totp/recovery-codes": Line(bo=409, eve=409),
    "DELETE /auth/totp": Line(),
    "GET /auth/passkeys": LIST,
    "POST /auth/passkeys/options": Line(bo=409, eve=409),  # no public address is set here
    "POST /auth/passkeys": Line(bo=403, eve=403, body={"ceremony_id": "none", "credential": {}}),
    "PATCH /auth/passkeys/{passkey_id}": Line(body={"name": "Mine"}),
    "DELETE /auth/passkeys/{passkey_id}": Line(),
    "POST /auth/refresh": OPEN,
    "POST /auth/sign-out": Line(bo=204, eve=204),
    "GET /setup": OPEN,
    "POST /setup": OPEN,
    "POST /invitations/accept": OPEN,
    "GET /health": OPEN,
    "GET /ready": OPEN,
    "GET /me": LIST,
    "GET /users/me": LIST,
    "PATCH /users/me": Line(bo=200, eve=200, body={"locale": "de-AT"}),
    "GET /users": Line(bo=200, eve=200),
    "GET /users/{user_id}": Line(bo=200),
    "PATCH /users/{user_id}": Line(bo=403, body={"role": "viewer"}),
    "POST /users/{user_id}/disable": Line(bo=403),
    "POST /users/{user_id}/enable": Line(bo=403),
    "GET /invitations": Line(bo=403, eve=200),
    "POST /invitations": Line(bo=403, eve=201, body={"email": "new@x.test"}),
    "POST /invitations/{invitation_id}/revoke": Line(bo=403),
    "GET /channels": LIST,
    "GET /deliveries": LIST,
    "GET /conversations": LIST,
    "POST /conversations": Line(bo=201, eve=201, body={}),
    "GET /conversations/{conversation_id}": Line(),
    "PATCH /conversations/{conversation_id}": Line(body={"title": "Mine"}),
    "DELETE /conversations/{conversation_id}": Line(),
    "POST /conversations/{conversation_id}/restore": Line(),
    "GET /conversations/{conversation_id}/messages": Line(),
    "POST /conversations/{conversation_id}/messages": Line(body=NEW_MESSAGE),
    "POST /conversations/{conversation_id}/stop": Line(),
    "GET /conversations/{conversation_id}/branches": Line(),
    "POST /conversations/{conversation_id}/branches/{branch}/activate": Line(),
    "POST /messages/{message_id}/edit": Line(body=NEW_MESSAGE),
    "GET /messages/{message_id}/versions": Line(),
    "POST /turns/{turn_id}/regenerate": Line(body={"client_message_id": "again"}),
    "GET /models": LIST,
    "POST /models/{name}/check": Line(bo=403),
    "GET /modes": LIST,
    "POST /modes": Line(bo=403, eve=201, body={"name": "terse", "title": "Terse"}),
    "PATCH /modes/{name}": Line(bo=403, body={"title": "Mine"}),
    "DELETE /modes/{name}": Line(bo=403),
    "GET /conversations/{conversation_id}/turns": Line(),
    "GET /conversations/{conversation_id}/calls": Line(),
    "GET /messages/{message_id}": Line(),
    "POST /messages/{message_id}/forget": Line(),
    "GET /facts": LIST,
    "POST /facts": Line(bo=201, eve=201, body={"text": "I like tea."}),
    "GET /facts/{fact_id}": Line(),
    "PATCH /facts/{fact_id}": Line(body={"text": "Changed."}),
    "DELETE /facts/{fact_id}": Line(),
    "GET /conversations/{conversation_id}/summaries": Line(),
    "GET /conversations/{conversation_id}/threads": Line(),
    "POST /conversations/{conversation_id}/read": Line(body={"position": 1}),
    "GET /conversations/{conversation_id}/reads": Line(),
    "GET /unread": LIST,
    "GET /turns/{turn_id}": Line(),
    "GET /turns/{turn_id}/calls": Line(),
    "GET /turns/{turn_id}/recall": Line(),
    "GET /turns/{turn_id}/partial": Line(),
    "GET /turns/{turn_id}/history": Line(),
    "POST /turns/{turn_id}/stop": Line(),
    "POST /turns/{turn_id}/retry": Line(body={"client_message_id": "again"}),
    "GET /conversations/{conversation_id}/export": Line(),
    "POST /conversations/import": Line(bo=422, eve=422, body={}),
    "GET /documents": LIST,
    "GET /search": Line(bo=422, eve=422),
    "POST /documents": Line(bo=422, eve=422, body={}),
    "GET /documents/{document_id}": Line(),
    "GET /documents/{document_id}/content": Line(),
    "DELETE /documents/{document_id}": Line(),
    "GET /approvals": LIST,
    "GET /approvals/{approval_id}": Line(),
    "POST /approvals": Line(bo=201, eve=201, body={"title": "Deploy?", "action": "deploy.app"}),
    "POST /approvals/{approval_id}/withdraw": Line(),
    "POST /approvals/{approval_id}/consume": Line(body={"digest": "d"}),
    "POST /approvals/{approval_id}/outcome": Line(body={"state": "done"}),
    "GET /connectors/imported": Line(bo=403, eve=200),
    "POST /connectors/imported": Line(bo=403, eve=201, body={"name": "pets", "document": json.dumps(document())}),
    "GET /connectors/imported/{imported_id}": Line(bo=403),
    "DELETE /connectors/imported/{imported_id}": Line(bo=403),
    "PUT /connectors/imported/{imported_id}/actions": Line(bo=403, body={"digest": "0", "enable": []}),
    "POST /connectors/imported/{imported_id}/refresh": Line(bo=403, body={"document": json.dumps(document())}),
    "PUT /connectors/imported/{imported_id}/credential": Line(bo=403, body={"kind": "bearer", "secret": "secret"}),
    "DELETE /connectors/imported/{imported_id}/credential": Line(bo=403),
    "GET /webhooks": Line(bo=403, eve=200),
    "POST /webhooks": Line(bo=403, eve=201, body={"url": "https://example.com/hook"}),
    "POST /webhooks/callback-secret": Line(bo=201, eve=201),
    "POST /webhooks/{webhook_id}/test": Line(bo=403),
    "POST /webhooks/{webhook_id}/disable": Line(bo=403),
    "GET /webhooks/{webhook_id}/deliveries": Line(bo=403),
    "POST /approvals/{approval_id}/decision": Line(body=DECISION),
    "POST /approvals/decisions": Line(bo=200, eve=200, body=[DECISION | {"approval_id": f"apr_{'0' * 26}"}]),
    "GET /approvals/{approval_id}/decisions": Line(),
    "GET /approvals/{approval_id}/seen": Line(),
    "POST /unified-chat/decision/approve": Line(body={"decision_id": f"apr_{'0' * 26}", "approved": True}),
    "GET /approvals/{approval_id}/grant-suggestion": Line(),
    "GET /grants": LIST,
    "POST /grants/{grant_id}/revoke": Line(),
    "GET /delegations": LIST,
    "POST /delegations": Line(bo=422, eve=422, body={}),
    "POST /delegations/{delegation_id}/revoke": Line(),
    "GET /tool-calls": LIST,
    "POST /tool-calls/{tool_call_id}/outcome": Line(body={"outcome": "done"}),
    "GET /usage": LIST,
    "GET /usage.csv": LIST,
    "GET /usage/summary": LIST,
    "GET /usage/suggestions": LIST,
    "GET /budgets": LIST,
    "POST /budgets": Line(bo=403, eve=200, body={"period": "day", "tokens": 5}),
    "DELETE /budgets/{budget_id}": Line(bo=403),
    "GET /model-rules": LIST,
    "POST /model-rules": Line(bo=403, eve=200, body={"allowed": []}),
    "DELETE /model-rules/{rule_id}": Line(bo=403),
    "POST /users/{user_id}/same-person-as": Line(bo=403, body={"user_id": f"usr_{'0' * 26}"}),
    "DELETE /users/{user_id}/same-person-as": Line(bo=403),
    "GET /groups": Line(bo=200, eve=200),
    "POST /groups": Line(bo=403, eve=201, body={"name": "mine"}),
    "GET /groups/{group_id}": Line(bo=200),
    "PATCH /groups/{group_id}": Line(bo=403, body={"title": "Mine"}),
    "DELETE /groups/{group_id}": Line(bo=403),
    "GET /groups/{group_id}/members": Line(bo=200),
    "POST /groups/{group_id}/members": Line(bo=403, body={"user_id": f"usr_{'0' * 26}"}),
    "DELETE /groups/{group_id}/members/{user_id}": Line(bo=403),
    "GET /services": Line(bo=403, eve=200),
    "POST /services": Line(bo=403, eve=201, body={"name": "a bot"}),
    "POST /services/{service_id}/disable": Line(bo=403),
    "GET /services/{service_id}/keys": Line(bo=403),
    "POST /services/{service_id}/keys": Line(bo=403, body={"name": "CI"}),
    "GET /identities": LIST,
    "DELETE /identities/{identity_id}": Line(),
    "GET /identities/links": LIST,
    "POST /identities/links": Line(bo=201, eve=201, body={"channel": "telegram"}),
    "DELETE /identities/links/{link_id}": Line(),
    "POST /identities/pairings/look-up": Line(body={"code": "AAAA-AAAA"}),
    "POST /identities/pairings/confirm": Line(body={"code": "AAAA-AAAA"}),
    "GET /connectors": LIST,
    "GET /connectors/health": LIST,
    "POST /connectors/{connector}/check": Line(bo=403),
    "GET /workspace": LIST,
    "PUT /workspace/mode": Line(bo=403, eve=200, body={"mode": "assisted"}),
    "GET /policy": Line(bo=403, eve=200),
    "PUT /policy": Line(bo=403, eve=200, body={"yaml": "rules: []", "expected_version": 0}),
    "GET /policy/versions": Line(bo=403, eve=200),
    "GET /policy/versions/{version}": Line(bo=403),
    "POST /policy/test": Line(bo=200, eve=200, body={"action": "tasks.delete"}),
    "POST /policy/diff": Line(bo=403, eve=200, body={"from": 0}),
    "POST /policy/check": Line(bo=403, eve=200, body={"yaml": "rules: []"}),
    "GET /tokens": LIST,
    "POST /tokens": Line(bo=201, eve=201, body={"name": "a script"}),
    "POST /tokens/{token_id}/revoke": Line(),
    "GET /memory": Line(bo=403, eve=200),
    "POST /memory/rebuild": Line(bo=403, eve=503),
    "POST /memory/verify": Line(bo=403, eve=503),
    "GET /audit": Line(bo=403, eve=200),
    "GET /audit/verify": Line(bo=403, eve=200),
    "POST /audit/verify": Line(bo=403, eve=200, body={"heads": []}),
    "GET /audit/export": Line(bo=403, eve=200),
}
CLOSED = [name for name, line in EXPECTED.items() if not line.open]
# What a list of the whole workspace shows to Bo with good reason.
SHARED = {
    "GET /modes",
    "GET /users",
    "GET /users/{user_id}",
    "GET /me",
    "GET /groups",
    "GET /groups/{group_id}",
    "GET /groups/{group_id}/members",
}


@dataclass
class Belongings:
    """What is Ana's."""

    ids: dict[str, str] = field(default_factory=dict)

    def path(self, name: str) -> tuple[str, str]:
        method, _, path = name.partition(" ")
        return method, path.format(**self.ids)


@pytest.fixture(scope="module")
async def house(shared: House) -> House:
    return shared


@pytest.fixture(scope="module")
async def workspace_id(house: House) -> str:
    return await house.workspace()


@pytest.fixture(scope="module")
async def ana(house: House, workspace_id: str) -> Person:
    return await house.person(workspace_id, Role.OWNER)


@pytest.fixture(scope="module")
async def anas(house: House, workspace_id: str, ana: Person) -> Belongings:
    conversation_id = (await ana.ask("POST", "/conversations", json={})).json()["id"]
    said = await ana.ask("POST", f"/conversations/{conversation_id}/messages", json=NEW_MESSAGE)
    turn_id = said.json()["turn_id"]
    approval = await house.approval(ana, turn_id)
    await ana.ask("POST", "/modes", json={"name": "her_own", "title": "Hers"})
    invited = await ana.ask("POST", "/invitations", json={"email": "zoe@x.test", "role": "member"})
    uploaded = await ana.ask(
        "POST", "/documents", files={"file": ("a.txt", b"Hers.")}, data={"conversation_id": conversation_id}
    )
    turn = (await ana.ask("GET", f"/turns/{turn_id}")).json()
    hers = {"user_id": ana.principal.user_id}
    budget = await ana.ask("POST", "/budgets", json={"period": "day", "tokens": 5, **hers})
    rule = await ana.ask("POST", "/model-rules", json={"allowed": [], **hers})
    token = await ana.ask("POST", "/tokens", json={"name": "hers"})
    link = await ana.ask("POST", "/identities/links", json={"channel": "telegram"})
    group = (await ana.ask("POST", "/groups", json={"name": "finance"})).json()["id"]
    await ana.ask("POST", f"/groups/{group}/members", json=hers)
    webhook = await ana.ask("POST", "/webhooks", json={"url": "https://example.com/hers"})
    imported = await ana.ask("POST", "/connectors/imported", json={"name": "hers", "document": json.dumps(document())})
    service = await ana.ask("POST", "/services", json={"name": "her bot"})
    return Belongings(
        {
            "identity_id": await house.identity(ana),
            "group_id": group,
            "service_id": service.json()["id"],
            "imported_id": imported.json()["id"],
            "webhook_id": webhook.json()["webhook"]["id"],
            "link_id": link.json()["link"]["id"],
            "token_id": token.json()["token"]["id"],
            "grant_id": (await house.grant(ana)).id,
            "delegation_id": (await house.delegation(ana, await house.person(workspace_id))).id,
            "tool_call_id": approval.tool_call_id or "",
            "user_id": ana.principal.user_id,
            "conversation_id": conversation_id,
            "turn_id": turn_id,
            "message_id": turn["message_id"],
            "fact_id": (await ana.ask("POST", "/facts", json={"text": "I was born in Riga."})).json()["id"],
            "approval_id": approval.id,
            "document_id": uploaded.json()["id"],
            "budget_id": budget.json()["id"],
            "rule_id": rule.json()["id"],
            "branch": "trunk",
            "version": "1999999999",
            "name": "her_own",
            "connector": "not_there",
            "invitation_id": invited.json()["invitation"]["id"],
            **await ways_in(house, ana),
        }
    )


async def ways_in(house: House, who: Person) -> dict[str, str]:
    """A passkey and a linked account of somebody."""
    user_id = who.principal.user_id
    passkey = Passkey(
        id=new_id("pky"),
        user_id=user_id,
        name="Phone",
        credential_id=new_id("crd"),
        public_key=b"",
        transports=[],
        created_at=now(),
    )
    account = OidcAccount(
        id=new_id("oac"), user_id=user_id, issuer="https://login.test", subject=new_id("sub"), linked_at=now()
    )
    async with house.database.writing() as session:
        session.add_all([passkey, account])
    return {"passkey_id": passkey.id, "account_id": account.id}


def routes() -> set[str]:
    """Every operation of the API's routers, without the prefix."""
    every = [route for noun in NOUNS for route in noun.router.routes]
    return {f"{method} {route.path_format}" for route in every for method in route.methods}


class TestVisibility:
    def test_every_route_has_its_line(self):
        assert routes() == set(EXPECTED)

    async def test_the_description_has_every_route(self, house):
        described = {
            f"{method.upper()} {path.removeprefix(PREFIX)}"
            for path, operations in house.rest.openapi()["paths"].items()
            for method in operations
        }

        assert described == set(EXPECTED)

    @pytest.mark.parametrize("name", CLOSED)
    async def test_without_a_token_nobody_gets_in(self, anas, nobody, name):
        method, path = anas.path(name)
        answer = await nobody.request(method, PREFIX + path, json=EXPECTED[name].body)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["code"] == "not_signed_in"

    @pytest.mark.parametrize("name", CLOSED)
    async def test_a_neighbour_sees_nothing_of_hers(self, anas, bo, name):
        method, path = anas.path(name)
        answer = await bo.ask(method, path, json=EXPECTED[name].body)

        assert answer.status_code == EXPECTED[name].bo, answer.text
        if name not in SHARED:
            assert [one for one in anas.ids.values() if one in answer.text] == []

    @pytest.mark.parametrize("name", CLOSED)
    async def test_another_workspace_sees_nothing_of_hers(self, anas, eve, name):
        method, path = anas.path(name)
        answer = await eve.ask(method, path, json=EXPECTED[name].body)

        assert answer.status_code == EXPECTED[name].eve, answer.text
        assert [one for one in anas.ids.values() if one in answer.text] == []

    @pytest.mark.parametrize("name", [name for name in CLOSED if "{" in name])
    async def test_what_is_not_hers_is_answered_as_what_is_not_there(self, anas, eve, name):
        method, path = anas.path(name)
        hidden = await eve.ask(method, path, json=EXPECTED[name].body)
        made_up = {key: one[:4] + one[4:][::-1] for key, one in anas.ids.items()}
        missing = await eve.ask(method, Belongings(made_up).path(name)[1], json=EXPECTED[name].body)

        assert (hidden.status_code, hidden.json()) == (missing.status_code, missing.json())

    async def test_nothing_of_hers_changed_meanwhile(self, anas, ana, bo, eve):
        before = [(await ana.ask("GET", path)).json() for path in self.hers(anas)]
        for name in CLOSED:
            method, path = anas.path(name)
            if "{" in path or "{" in name:
                await eve.ask(method, path, json=EXPECTED[name].body)
                await bo.ask(method, path, json=EXPECTED[name].body)
        after = [(await ana.ask("GET", path)).json() for path in self.hers(anas)]

        assert before == after

    def hers(self, anas: Belongings) -> list[str]:
        ids = anas.ids
        return [
            f"/users/{ids['user_id']}",
            f"/conversations/{ids['conversation_id']}",
            f"/conversations/{ids['conversation_id']}/messages",
            f"/conversations/{ids['conversation_id']}/turns",
            f"/approvals/{ids['approval_id']}",
            "/invitations",
            f"/groups/{ids['group_id']}/members",
            f"/services/{ids['service_id']}/keys",
            f"/connectors/imported/{ids['imported_id']}",
        ]

    async def test_a_viewer_of_the_workspace_reads_only(self, house, workspace_id):
        viewer = await house.person(workspace_id, Role.VIEWER)

        assert (await viewer.ask("GET", "/conversations")).status_code == 200
        assert (await viewer.ask("POST", "/conversations", json={})).status_code == 403
