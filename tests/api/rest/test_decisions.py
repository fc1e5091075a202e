"""Decisions over REST: many at once, other arguments, who was shown what, and what waits for whom."""

from typing import Any

import pytest
from sqlalchemy import select

from core.clock import now
from core.permissions import Role
from core.tables.consent import Approval, Decision, Seen
from core.tables.people import Membership
from core.tables.records import AuditRow
from core.values import ACCEPTED
from tests.api.rest.house import House, Person


@pytest.fixture
async def approvals(house: House, ana: Person) -> list[Approval]:
    """Three requests of Ana's that an owner may decide."""
    found = []
    for number in range(3):
        conversation = (await ana.ask("POST", "/conversations", json={})).json()["id"]
        said = await ana.ask(
            "POST", f"/conversations/{conversation}/messages", json={"text": "x", "client_message_id": str(number)}
        )
        found.append(await house.approval(ana, said.json()["turn_id"]))
    return found


def answer(approval: Approval, verdict: str = "approve", **more: Any) -> dict[str, Any]:
    """A decision for one among many."""
    known = {"approval_id": approval.id, "verdict": verdict, "digest": approval.digest}
    return known | {"decision_id": f"d-{approval.id[-6:]}"} | more


async def rows(house: House, table: Any, *where: Any) -> list[Any]:
    async with house.database.reading() as session:
        return list((await session.execute(select(table).where(*where))).scalars())


class TestMany:
    async def test_are_judged_each_by_itself_and_told_in_order(self, house: House, ana: Person, approvals):
        house.workflows.answer = ACCEPTED
        first, second, third = approvals
        body = [answer(first), answer(second, digest="0" * 64), answer(third, "reject")]

        told = (await ana.ask("POST", "/approvals/decisions", json=body)).json()

        assert [one["approval_id"] for one in told] == [first.id, second.id, third.id]
        assert [one["decided"] and one["decided"]["state"] for one in told] == ["accepted", None, "accepted"]
        assert told[1]["problem"]["code"] == "digest_mismatch"
        assert len(await rows(house, Decision)) == 3

    async def test_of_another_workspace_are_not_there(self, house: House, eve: Person, approvals):
        told = (await eve.ask("POST", "/approvals/decisions", json=[answer(one) for one in approvals])).json()

        assert [one["problem"]["status"] for one in told] == [404, 404, 404]
        assert await rows(house, Decision) == []

    @pytest.mark.parametrize("count", [0, 51])
    async def test_are_fifty_at_most(self, ana: Person, approvals, count: int):
        body = [answer(approvals[0], decision_id=str(number)) for number in range(count)]

        assert (await ana.ask("POST", "/approvals/decisions", json=body)).status_code == 422


class TestEdit:
    async def test_is_kept_with_the_decision(self, house: House, ana: Person, approvals):
        body = answer(approvals[0], arguments={"id": "tsk_2"})
        body.pop("approval_id")

        told = await ana.ask("POST", f"/approvals/{approvals[0].id}/decision", json=body)

        assert told.status_code == 202
        (row,) = await rows(house, Decision)
        assert (row.arguments, row.made["edits"]) == ({"id": "tsk_2"}, True)

    @pytest.mark.parametrize(
        "more", [{"verdict": "reject"}, {"arguments": {"x": "\x00"}}, {"arguments": [1]}, {"arguments": "x"}]
    )
    async def test_that_makes_no_sense_is_refused(self, house: House, ana: Person, approvals, more: dict[str, Any]):
        body = answer(approvals[0], **({"arguments": {"id": "x"}} | more))
        body.pop("approval_id")

        told = await ana.ask("POST", f"/approvals/{approvals[0].id}/decision", json=body)

        assert told.status_code in {400, 422}
        assert await rows(house, Decision) == []


class TestSeen:
    async def test_is_noted_once_for_each_person_and_audited(self, house: House, ana: Person, approvals, workspace_id):
        owner = await house.person(workspace_id, Role.OWNER)
        path = f"/approvals/{approvals[0].id}"
        for _ in range(3):
            await ana.ask("GET", path)
        await owner.ask("GET", path, headers={"x-assent-door": "cli"})

        told = (await ana.ask("GET", f"{path}/seen")).json()

        assert {(one["user_id"], one["door"]) for one in told["items"]} == {
            (ana.principal.user_id, "rest"),
            (owner.principal.user_id, "cli"),
        }
        assert len(await rows(house, AuditRow, AuditRow.kind == "approval.seen")) == 2

    async def test_of_somebody_who_may_not_see_it_is_nothing(self, house: House, eve: Person, bo: Person, approvals):
        for who in (eve, bo):
            assert (await who.ask("GET", f"/approvals/{approvals[0].id}")).status_code == 404

        assert await rows(house, Seen) == []


class TestDecisions:
    async def test_are_listed_with_those_that_did_not_count(self, house: House, ana: Person, approvals):
        house.workflows.answer = ACCEPTED
        path = f"/approvals/{approvals[0].id}"
        for number, digest in enumerate(["0" * 64, approvals[0].digest]):
            body = {"verdict": "approve", "digest": digest, "decision_id": str(number)}
            await ana.ask("POST", f"{path}/decision", json=body)

        page = (await ana.ask("GET", f"{path}/decisions?limit=1")).json()
        rest = (await ana.ask("GET", f"{path}/decisions?cursor={page['next']}")).json()

        assert page["total"] == 2
        assert [one["refusal"] for one in (*page["items"], *rest["items"])] == ["digest_mismatch", None]


class TestInbox:
    async def mine(self, who: Person) -> set[str]:
        return {one["id"] for one in (await who.ask("GET", "/approvals?mine=true")).json()["items"]}

    async def test_has_what_the_person_may_decide_now(
        self, house: House, ana: Person, bo: Person, eve: Person, approvals
    ):
        assert await self.mine(ana) == {one.id for one in approvals}
        assert await self.mine(bo) == await self.mine(eve) == set()

    async def test_loses_what_the_person_answered_with_any_account(
        self, house: House, ana: Person, approvals, workspace_id
    ):
        other, third = await house.person(workspace_id, Role.OWNER), await house.person(workspace_id, Role.OWNER)
        first = approvals[0]
        body = {"verdict": "approve", "digest": first.digest, "decision_id": "one"}
        await ana.ask("POST", f"/approvals/{first.id}/decision", json=body)
        (decision,) = await rows(house, Decision)
        async with house.database.writing() as session:
            row = await session.get_one(Approval, first.id)
            row.votes = [
                {
                    "decision_id": decision.id,
                    "user_id": ana.principal.user_id,
                    "name": "Ana",
                    "verdict": "approve",
                    "at": now().isoformat(),
                }
            ]
            (await session.get_one(Membership, other.principal.membership_id)).person_id = ana.principal.user_id

        assert first.id not in await self.mine(ana)
        assert first.id not in await self.mine(other)
        assert first.id in await self.mine(third)

    async def test_leaves_the_requester_out_where_somebody_else_has_to_decide(self, house: House, ana, approvals):
        async with house.database.writing() as session:
            row = await session.get_one(Approval, approvals[0].id)
            row.plan = row.plan | {"exclude_requester": True}

        assert approvals[0].id not in await self.mine(ana)


class TestOlderClients:
    async def test_approve_by_the_path_they_know(self, house: House, ana: Person, approvals):
        house.workflows.answer = ACCEPTED
        body = {"decision_id": approvals[0].id, "approved": True, "modifications": {"id": "tsk_9"}}

        told = await ana.ask("POST", "/unified-chat/decision/approve", json=body)

        assert told.status_code == 200
        assert (told.json()["success"], told.json()["decision_id"]) == (True, approvals[0].id)
        (row,) = await rows(house, Decision)
        assert (row.arguments, row.digest) == ({"id": "tsk_9"}, approvals[0].digest)

    async def test_do_not_approve_what_somebody_changed_since(self, house: House, ana: Person, approvals):
        async with house.database.writing() as session:
            (await session.get_one(Approval, approvals[0].id)).revision = 1

        told = await ana.ask(
            "POST", "/unified-chat/decision/approve", json={"decision_id": approvals[0].id, "approved": True}
        )

        assert told.status_code == 409
        assert await rows(house, Decision) == []

    async def test_of_another_workspace_find_nothing(self, house: House, eve: Person, approvals):
        told = await eve.ask(
            "POST", "/unified-chat/decision/approve", json={"decision_id": approvals[0].id, "approved": True}
        )

        assert told.status_code == 404
        assert await rows(house, Decision) == []
