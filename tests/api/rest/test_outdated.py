"""What changes after something was asked, rules, mode, action: consent given before is void, consent now refused."""

from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from connectors.outside import outside_action
from connectors.registry import Registry
from core.clock import now
from core.consent import Assurance, ConsentPlan, Party, asks
from core.ids import new_id
from core.messages import DecisionMade
from core.permissions import Role
from core.store import consents
from core.tables.consent import Approval, Decision, Policy
from core.tables.people import Workspace
from core.tables.records import AuditRow
from core.values import ACCEPTED, ApprovalState, DecisionVerdict, OperationMode
from core.views import VoteView
from tests import stricter
from tests.api.rest.house import House, Person
from tests.api.rest.test_asks import ask
from tests.stricter import LONE

OWNER = asks(Party(roles=(Role.OWNER,)))
DIGEST = "d" * 64
NO_MORE = "The rules ask for more consent now than was given: ask again, under another client key."


async def save(house: House, workspace_id: str, action: str, verdict: str = "ask", ask: Any = None) -> None:
    """Save rules that say so about an action."""
    rule = {"name": "new", "when": {"action": action}, "verdict": verdict} | ({"ask": ask} if ask else {})
    async with house.database.writing() as session:
        session.add(
            Policy(
                id=new_id("pol"),
                workspace_id=workspace_id,
                version=1,
                body={"rules": [rule]},
                created_by="usr_1",
                created_at=now(),
            )
        )


async def alter(house: House, table: Any, key: str, **values: Any) -> None:
    async with house.database.writing() as session:
        (await session.get_one(table, key)).sqlmodel_update(values)


async def asked(house: House, who: Person, plan: ConsentPlan = OWNER, **more: Any) -> str:
    """A program's request that waits for people, as its workflow would show it; its id."""
    approval_id: str = (await ask(who, **more)).json()["id"]
    action = outside_action(Registry.load([]), "deploy.production", "write", None, None)
    facts = {"state": ApprovalState.PENDING, "digest": DIGEST, "plan": plan.model_dump(mode="json")}
    async with house.database.writing() as session:
        row = await session.get_one(Approval, approval_id)
        row.sqlmodel_update(facts | {"bound": {"schema_digest": action.schema_digest}})
        await consents.write_parties(session, row)
    return approval_id


async def vote(house: House, who: Person, approval_id: str, comment: str | None = None, **more: Any) -> None:
    """Somebody said yes, and it is approved."""
    user = who.principal
    made = DecisionMade(
        decision_id=new_id("dec"),
        user_id=user.user_id,
        role=user.role,
        verdict=DecisionVerdict.APPROVE,
        digest=DIGEST,
        person_id=user.user_id,
        has_comment=comment is not None,
        assurance=more.pop("assurance", Assurance.L2),
    )
    view = VoteView(
        decision_id=made.decision_id,
        user_id=user.user_id,
        name="",
        in_place_of=None,
        verdict=made.verdict,
        door="rest",
        assurance=made.assurance,
        stage=0,
        comment=comment,
        at=now(),
    )
    async with house.database.writing() as session:
        row = await session.get_one(Approval, approval_id)
        row.state, row.decided_by, row.decided_at = ApprovalState.APPROVED, user.user_id, now()
        row.votes = [*row.votes, view.model_dump(mode="json")]
        session.add(
            Decision(
                id=made.decision_id,
                approval_id=approval_id,
                update_id=new_id("upd"),
                user_id=user.user_id,
                role=user.role,
                door="rest",
                verdict="approve",
                digest=DIGEST,
                comment=comment,
                made=made.model_dump(mode="json"),
                created_at=now(),
            )
        )


async def consume(who: Person, approval_id: str) -> tuple[int, str | None]:
    """Take it; gives the status and what is wrong."""
    told = await who.ask("POST", f"/approvals/{approval_id}/consume", json={"digest": DIGEST})
    return told.status_code, told.json().get("detail")


STRICTER: dict[str, dict[str, Any]] = {
    **stricter.STRICTER,
    "exclude requester": {"approvers": [{"role": "owner"}], "exclude_requester": True},
}
NO_STRICTER: dict[str, dict[str, Any]] = {
    "same": LONE,
    "more roles": {"approvers": [{"role": "owner"}, {"role": "admin"}]},
    "other times": LONE | {"expires": "1h", "remind": ["10m"]},
}


class TestConsumed:
    """Ana asked, and consented as an owner."""

    @pytest.fixture
    async def approval_id(self, house: House, ana: Person, workspace_id: str) -> str:
        for role in (Role.OWNER, Role.ADMIN):
            await house.person(workspace_id, role)
        approval_id = await asked(house, ana)
        await vote(house, ana, approval_id)
        return approval_id

    @pytest.mark.parametrize("name", STRICTER)
    async def test_is_void_when_the_rules_want_more(self, house, ana, workspace_id, approval_id, name):
        await save(house, workspace_id, "deploy.*", ask=STRICTER[name])

        assert await consume(ana, approval_id) == (409, NO_MORE)
        assert (await ana.ask("GET", f"/approvals/{approval_id}")).json()["state"] == "void"

    @pytest.mark.parametrize("name", NO_STRICTER)
    async def test_is_taken_when_they_do_not(self, house, ana, workspace_id, approval_id, name):
        await save(house, workspace_id, "deploy.*", ask=NO_STRICTER[name])

        assert await consume(ana, approval_id) == (200, None)

    @pytest.mark.parametrize(("action", "verdict"), [("deploy.*", "allow"), ("mail.*", "deny")])
    async def test_is_taken_when_they_would_allow_it_or_are_about_something_else(
        self, house, ana, workspace_id, approval_id, action, verdict
    ):
        await save(house, workspace_id, action, verdict)

        assert await consume(ana, approval_id) == (200, None)

    async def test_is_void_when_nobody_could_decide_now(self, house, ana, workspace_id, approval_id):
        await save(house, workspace_id, "deploy.*", ask={"approvers": {"role": "approver"}})

        status, why = await consume(ana, approval_id)

        assert status == 409
        assert "Nobody is here who could decide this" in (why or "")

    async def test_is_void_when_whom_it_named_did_not_consent(self, house, ana, workspace_id, approval_id):
        """A wish to have others decide stays in the plan of now."""
        async with house.database.writing() as session:
            row = await session.get_one(Approval, approval_id)
            row.asked = {**(row.asked or {}), "wished": {"roles": ["admin"]}}
        await save(house, workspace_id, "deploy.*", ask=NO_STRICTER["more roles"])

        assert await consume(ana, approval_id) == (409, NO_MORE)

    async def test_is_taken_when_it_was_sure_and_said_as_they_want_now(self, house, ana, workspace_id):
        approval_id = await asked(house, ana)
        await vote(house, ana, approval_id, "It is Friday.", assurance=Assurance.L3)
        await save(house, workspace_id, "deploy.*", ask=LONE | {"assurance": "L3", "comment_required": True})

        assert await consume(ana, approval_id) == (200, None)


async def decide(who: Person, approval_id: str, verdict: str = "approve", **more: Any) -> tuple[int, Any, Any]:
    body = {"verdict": verdict, "digest": DIGEST, "decision_id": new_id("clk")} | more
    told = await who.ask("POST", f"/approvals/{approval_id}/decision", json=body)
    return told.status_code, told.json().get("reason"), told.json().get("detail")


class TestApproving:
    @pytest.fixture(params=["turn", "program"])
    async def approval_id(self, request: Any, house: House, ana: Person, turn_id: str) -> str:
        """A request of a turn, or of a program, that waits for Ana."""
        house.workflows.answer = ACCEPTED
        return await asked(house, ana) if request.param == "program" else (await house.approval(ana, turn_id)).id

    async def test_is_taken_as_long_as_nothing_changed(self, ana, approval_id):
        assert (await decide(ana, approval_id))[0] == 200

    async def test_what_the_rules_deny_now_is_refused_rejecting_it_is_not(self, house, ana, workspace_id, approval_id):
        await save(house, workspace_id, "*", "deny")

        first = await decide(ana, approval_id)

        assert first == (409, "denied_now", "The rules deny this now: new.")
        assert (await decide(ana, approval_id, "reject"))[0] == 200
        async with house.database.reading() as session:
            (row,) = (await session.execute(select(AuditRow).where(AuditRow.kind == "decision.refused"))).scalars()
        assert row.body["refusal"] == "denied_now"

    async def test_what_the_rules_ask_otherwise_or_deny_elsewhere_is_not(self, house, ana, workspace_id, approval_id):
        await save(house, workspace_id, "mail.*", "deny")

        assert (await decide(ana, approval_id))[0] == 200

    async def test_is_refused_in_an_emergency_and_taken_after_it(self, house, ana, workspace_id, approval_id):
        await alter(house, Workspace, workspace_id, operation_mode=OperationMode.EMERGENCY)
        first = await decide(ana, approval_id)
        await alter(house, Workspace, workspace_id, operation_mode=OperationMode.ASSISTED)

        assert first[:2] == (409, "emergency")
        assert "emergency mode" in first[2]
        assert (await decide(ana, approval_id))[0] == 200

    async def test_what_is_not_there_any_more_is_refused(self, house, ana, approval_id):
        await alter(house, Approval, approval_id, action="tasks.explode")

        status, reason, detail = await decide(ana, approval_id)

        assert (status, reason) == (409, "action_changed")
        assert "reject it, and ask anew" in detail
        assert (await decide(ana, approval_id, "reject"))[0] == 200

    async def test_what_changed_is_refused_where_nobody_would_ask_again(self, house, ana, approval_id):
        changed = {"action": "tasks.delete", "bound": {"schema_digest": "0" * 64}}
        await alter(house, Approval, approval_id, **changed)
        async with house.database.reading() as session:
            origin = (await session.get_one(Approval, approval_id)).origin

        status, reason, _ = await decide(ana, approval_id)

        # A turn's is asked again by the gate, as the action is now.
        assert (status, reason) == {"turn": (200, None), "service": (409, "action_changed")}[origin]

    async def test_is_refused_as_any_other_answer_first(self, house, bo, ana, workspace_id, approval_id):
        await save(house, workspace_id, "*", "deny")

        assert (await decide(ana, approval_id, digest="0" * 64))[0] == 409
        assert (await decide(bo, approval_id))[0] in {403, 404}

    async def test_sent_again_it_is_refused_in_the_same_words(self, house, ana, workspace_id, approval_id):
        await save(house, workspace_id, "*", "deny")

        answers = [await decide(ana, approval_id, decision_id="click") for _ in range(2)]

        assert answers[0] == answers[1]
        assert answers[0][1] == "denied_now"

    async def test_costs_one_look_where_the_rules_are_those_it_was_asked_under(self, house, ana, approval_id):
        seen: list[str] = []
        listening = Engine, "before_cursor_execute", _noting(seen)
        event.listen(*listening)
        try:
            await decide(ana, approval_id)
        finally:
            event.remove(*listening)

        assert len([one for one in seen if "operation_mode" in one]) == 1
        assert [one for one in seen if "policies.body" in one] == []


def _noting(seen: list[str]) -> Any:
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    return note
