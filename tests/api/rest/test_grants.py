"""Always allowing through REST: what is offered, what a decision may ask for, and who ends it."""

from typing import Any

import pytest
from sqlalchemy import select

from core.consent import Assurance, ConsentPlan, Need, Party, Stage, asks
from core.permissions import Role
from core.tables.consent import Approval, Decision
from tests.api.rest.house import House, Person

PATTERNS = {"id": {"kind": "exact", "value": "tsk_1"}}
WISH = {"patterns": PATTERNS, "seconds": 3600}
PARTY = Party(requester=True, roles=(Role.OWNER,))
PLAN = asks(PARTY).model_copy(update={"may_remember": True})


async def asked(house: House, who: Person, plan: ConsentPlan = PLAN, **more: Any) -> Approval:
    conversation_id = (await who.ask("POST", "/conversations", json={})).json()["id"]
    said = {"text": "Hi", "client_message_id": "1"}
    answer = await who.ask("POST", f"/conversations/{conversation_id}/messages", json=said)
    row = await house.approval(who, answer.json()["turn_id"])
    async with house.database.writing() as session:
        kept = await session.get_one(Approval, row.id)
        kept.sqlmodel_update({"plan": plan.model_dump(mode="json"), **more})
    return row


def decision(verdict: str = "approve", wish: Any = WISH, **more: Any) -> dict[str, Any]:
    return {"verdict": verdict, "digest": "d" * 64, "decision_id": "one", "remember": wish, **more}


class TestSuggestion:
    async def test_the_tightest_comes_first_in_words(self, house, ana):
        row = await asked(house, ana)

        offer = (await ana.ask("GET", f"/approvals/{row.id}/grant-suggestion")).json()

        assert offer["may_remember"] is True
        assert offer["patterns"] == PATTERNS
        assert offer["choices"][0]["says"] == ['exactly "tsk_1"', "anything"]

    @pytest.mark.parametrize(
        "more",
        [
            {"plan": asks(PARTY)},
            {"plan": PLAN.model_copy(update={"stages": (Stage(needs=(Need(party=PARTY, count=2),)),)})},
            {"plan": PLAN.model_copy(update={"stages": (*PLAN.stages, *PLAN.stages)})},
            {"risk": "admin"},
            {"action": "gone.away"},
            {"state": "expired"},
        ],
    )
    async def test_is_not_offered_where_it_cannot_be(self, house, ana, more):
        row = await asked(house, ana, **more)

        offer = (await ana.ask("GET", f"/approvals/{row.id}/grant-suggestion")).json()

        assert (offer["may_remember"], offer["choices"]) == (False, [])


class TestWish:
    async def test_is_kept_with_the_decision(self, house, ana):
        row = await asked(house, ana)
        house.workflows.answer = "accepted"

        assert (await ana.ask("POST", f"/approvals/{row.id}/decision", json=decision())).status_code == 200
        async with house.database.reading() as session:
            (kept,) = (await session.execute(select(Decision))).scalars().all()
        assert kept.remember == {"patterns": PATTERNS, "seconds": 3600, "uses": None}

    @pytest.mark.parametrize(
        ("body", "more"),
        [
            (decision(), {"plan": asks(PARTY)}),
            (decision("reject"), {}),
            (decision(wish={"patterns": {}, "seconds": 60}), {}),
            (decision(wish={"patterns": {"id": {"kind": "exact", "value": "other"}}, "seconds": 60}), {}),
            (decision(wish={"patterns": {"id": {"kind": "no such"}}, "seconds": 60}), {}),
            (decision(wish={"patterns": PATTERNS, "seconds": 91 * 86_400}), {}),
            (decision(wish={"patterns": PATTERNS, "seconds": 60, "uses": 0}), {}),
            (decision(), {"secrets": [["id"]]}),
            (decision(), {"secrets": [["*", "pin"]]}),
        ],
    )
    async def test_what_cannot_be_is_refused_and_decides_nothing(self, house, ana, body, more):
        row = await asked(house, ana, **more)
        house.workflows.answer = "accepted"

        answer = await ana.ask("POST", f"/approvals/{row.id}/decision", json=body)

        assert answer.status_code == 422, answer.text
        assert (await ana.ask("GET", f"/approvals/{row.id}")).json()["state"] == "pending"

    async def test_a_program_remembers_nothing(self, house, ana):
        plan = PLAN.model_copy(update={"assurance": Assurance.L1})
        row = await asked(house, ana, plan)
        made = (await ana.ask("POST", "/tokens", json={"name": "x", "scopes": ["read", "decide"]})).json()
        http = await house.http(made["secret"])
        house.workflows.answer = "accepted"

        answer = await http.post(f"/api/v1/approvals/{row.id}/decision", json=decision())

        assert (answer.status_code, answer.json()["reason"]) == (422, "remember_not_yours")

    async def test_a_delegate_remembers_nothing(self, house, workspace_id, ana, bo):
        cy = await house.person(workspace_id)
        row = await asked(house, cy)
        await house.delegation(ana, bo)
        house.workflows.answer = "accepted"

        answer = await bo.ask("POST", f"/approvals/{row.id}/decision", json=decision())

        assert (answer.status_code, answer.json()["reason"]) == (422, "remember_not_yours")


class TestRevoke:
    async def test_whose_calls_who_gave_and_owners_end_it(self, house, workspace_id, ana, bo):
        cy = await house.person(workspace_id)
        grant = await house.grant(bo)

        assert (await cy.ask("POST", f"/grants/{grant.id}/revoke")).status_code == 404
        ended = await ana.ask("POST", f"/grants/{grant.id}/revoke")
        again = await bo.ask("POST", f"/grants/{grant.id}/revoke")

        assert ended.json()["revoked_at"] == again.json()["revoked_at"] is not None

    async def test_everybodys_are_for_owners_and_admins(self, house, ana, bo):
        grant = await house.grant(bo)

        assert (await bo.ask("GET", "/grants", params={"everybody": True})).status_code == 403
        listed = (await ana.ask("GET", "/grants", params={"everybody": True})).json()
        assert [one["id"] for one in listed["items"]] == [grant.id]
        assert listed["items"][0]["says"] == {"id": 'exactly "tsk_1"'}
        assert (await ana.ask("GET", "/grants")).json()["items"] == []
