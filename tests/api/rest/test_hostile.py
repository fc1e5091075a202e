"""What somebody tries who wants consent without those who may give it."""

import json
from datetime import timedelta

import pytest

from core.clock import now
from core.consent import Party, asks
from core.permissions import Role
from core.store import consents
from core.tables.consent import Approval
from core.tables.people import Membership, Session
from tests.api.rest.house import House, Person
from tests.api.rest.test_asks import approve, ask
from tests.api.rest.test_delegations import asked, hand, until


async def grow_stale(house: House, who: Person) -> None:
    """Let their last proof be long ago, as it is in a session that was stolen."""
    async with house.database.writing() as session:
        row = await session.get_one(Session, who.principal.session_id)
        row.proved_at = now() - timedelta(days=1)


WIDENING = [
    ("/tokens", {"name": "x", "scopes": ["admin"]}),
    ("/invitations", {"email": "thief@x.test", "role": "owner"}),
    ("/groups/{group}/members", {"user_id": "{bo}"}),
    ("/delegations", {"to_user_id": "{bo}", "ends_at": "{until}"}),
    ("/users/{bo}/same-person-as", {"user_id": "{ana}"}),
    ("/users/{bo}/enable", {}),
]


class TestAStolenSession:
    """It is worth less than its person: nothing that makes it worth more is to be had with it."""

    @pytest.mark.parametrize(("path", "body"), WIDENING)
    async def test_widens_nobodys_rights(self, house, ana, bo, path, body):
        group = (await ana.ask("POST", "/groups", json={"name": "finance"})).json()["id"]
        known = {"{bo}": bo.principal.user_id, "{ana}": ana.principal.user_id, "{until}": until(), "{group}": group}
        text = json.dumps(body)
        for word, real in known.items():
            path, text = path.replace(word, real), text.replace(word, real)
        await grow_stale(house, ana)

        answer = await ana.ask("POST", path, json=json.loads(text))

        assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required")

    async def test_splits_no_person_in_two(self, house, workspace_id, ana, bo):
        cy = await house.person(workspace_id)
        path = f"/users/{bo.principal.user_id}/same-person-as"
        assert (await ana.ask("POST", path, json={"user_id": cy.principal.user_id})).status_code == 200
        await grow_stale(house, ana)

        assert (await ana.ask("DELETE", path)).status_code == 403

    async def test_still_makes_a_token_that_only_talks(self, house, ana):
        await grow_stale(house, ana)

        assert (await ana.ask("POST", "/tokens", json={"name": "x", "scopes": ["chat", "read"]})).status_code == 201


class TestInAnothersPlace:
    async def test_an_admin_does_not_take_an_owners_place(self, house, workspace_id, ana):
        admin = await house.person(workspace_id, Role.ADMIN)

        answer = await hand(admin, admin, from_user_id=ana.principal.user_id)

        assert answer.status_code == 403

    async def test_an_admin_hands_no_owners_place_to_an_accomplice(self, house, workspace_id, ana, bo):
        admin = await house.person(workspace_id, Role.ADMIN)

        answer = await hand(admin, bo, from_user_id=ana.principal.user_id)

        assert answer.status_code == 403

    async def test_a_deputy_who_became_a_viewer_decides_nothing(self, house, workspace_id, ana, bo):
        approval_id = await asked(house, ana)
        assert (await hand(ana, bo)).status_code == 201
        async with house.database.writing() as session:
            row = await session.get_one(Membership, bo.principal.membership_id)
            row.role = Role.VIEWER
        body = {"verdict": "approve", "digest": "d" * 64, "decision_id": "one"}
        answer = await bo.ask("POST", f"/approvals/{approval_id}/decision", json=body)

        assert answer.status_code in (403, 404)


class TestAViewer:
    async def test_decides_nothing_though_a_plan_names_their_group(self, house, workspace_id, ana, bo):
        approval_id = await asked(house, ana)
        group = (await ana.ask("POST", "/groups", json={"name": "finance"})).json()["id"]
        await ana.ask("POST", f"/groups/{group}/members", json={"user_id": bo.principal.user_id})
        async with house.database.writing() as session:
            row = await session.get_one(Approval, approval_id)
            row.plan = asks(Party(groups=(group,))).model_dump(mode="json")
            await consents.write_parties(session, row)
        assert (await bo.ask("GET", f"/approvals/{approval_id}")).status_code == 200

        async with house.database.writing() as session:
            (await session.get_one(Membership, bo.principal.membership_id)).role = Role.VIEWER
        body = {"verdict": "approve", "digest": "d" * 64, "decision_id": "one"}

        assert (await bo.ask("POST", f"/approvals/{approval_id}/decision", json=body)).status_code == 404
        assert (await bo.ask("GET", f"/approvals/{approval_id}")).status_code == 404


async def rules(ana: Person, verdict: str, version: int) -> None:
    """Let the workspace's only rule say this about deployments."""
    rule = {"name": "deployments", "when": {"action": "deploy.production"}, "verdict": verdict}
    saved = await ana.ask("PUT", "/policy", json={"document": {"rules": [rule]}, "expected_version": version})
    assert saved.status_code == 200, saved.text


class TestConsentThatIsTakenLate:
    async def test_is_void_where_the_rules_deny_it_meanwhile(self, house, ana, bo):
        approval_id = (await ask(bo)).json()["id"]
        digest = await approve(house, approval_id)
        await rules(ana, "deny", 0)

        taken = await bo.ask("POST", f"/approvals/{approval_id}/consume", json={"digest": digest})

        assert (taken.status_code, taken.json()["reason"]) == (409, "void")
        assert (await bo.ask("GET", f"/approvals/{approval_id}")).json()["state"] == "void"

    async def test_is_void_where_the_rules_ask_for_what_they_allowed(self, house, ana, bo):
        approval_id = (await ask(bo)).json()["id"]
        digest = await approve(house, approval_id)
        async with house.database.writing() as session:
            (await session.get_one(Approval, approval_id)).decided_by = None
        await rules(ana, "allow", 0)
        await rules(ana, "ask", 1)

        taken = await bo.ask("POST", f"/approvals/{approval_id}/consume", json={"digest": digest})

        assert (taken.status_code, taken.json()["reason"]) == (409, "void")

    async def test_holds_where_they_became_milder(self, house, ana, bo):
        approval_id = (await ask(bo)).json()["id"]
        digest = await approve(house, approval_id)
        await rules(ana, "allow", 0)

        taken = await bo.ask("POST", f"/approvals/{approval_id}/consume", json={"digest": digest})

        assert taken.status_code == 200

    async def test_is_void_where_the_action_is_another_now(self, house, bo):
        approval_id = (await ask(bo)).json()["id"]
        digest = await approve(house, approval_id)
        async with house.database.writing() as session:
            row = await session.get_one(Approval, approval_id)
            row.asked = {**row.asked, "schema_digest": "0" * 64}

        taken = await bo.ask("POST", f"/approvals/{approval_id}/consume", json={"digest": digest})

        assert (taken.status_code, taken.json()["reason"]) == (409, "void")


class TestADecisionId:
    async def test_tells_nobody_that_another_answer_counts(self, house, ana):
        approval_id = await asked(house, ana)
        path = f"/approvals/{approval_id}/decision"
        body = {"verdict": "approve", "digest": "d" * 64, "decision_id": "one"}
        first, again = await ana.ask("POST", path, json=body), await ana.ask("POST", path, json=body)
        other = await ana.ask("POST", path, json=body | {"verdict": "reject"})
        edited = await ana.ask("POST", path, json=body | {"arguments": {"id": "tsk_2"}})

        assert (first.status_code, again.status_code) == (202, 202)
        for one in (other, edited):
            assert (one.status_code, one.json()["reason"]) == (409, "decision_id")
