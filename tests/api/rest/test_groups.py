"""Groups, managers, and users who are one person, through REST."""

import pytest

from core.clock import now
from core.consent import Party, asks
from core.ids import new_id
from core.permissions import Role
from core.tables.consent import Approval, Policy
from tests.api.rest.house import House, Person

NOBODY = f"usr_{'0' * 26}"


@pytest.fixture
async def group_id(ana: Person) -> str:
    return (await ana.ask("POST", "/groups", json={"name": "finance", "title": "Who pays"})).json()["id"]


class TestGroups:
    async def test_owners_fill_them_and_members_see_them(self, ana, bo, group_id):
        body = {"user_id": bo.principal.user_id}
        first = await ana.ask("POST", f"/groups/{group_id}/members", json=body)
        again = await ana.ask("POST", f"/groups/{group_id}/members", json=body)
        seen = (await bo.ask("GET", f"/groups/{group_id}/members")).json()

        assert first.json() == again.json()
        assert [one["user_id"] for one in seen["items"]] == [bo.principal.user_id]
        assert [one["size"] for one in (await bo.ask("GET", "/groups")).json()["items"]] == [1]

    async def test_a_name_is_used_once_in_a_workspace(self, ana, eve, group_id):
        answers = [(await who.ask("POST", "/groups", json={"name": "finance"})).status_code for who in (ana, eve)]

        assert answers == [409, 201]

    @pytest.mark.parametrize("name", ["", "Finance", "two words", "x" * 41, "-x"])
    async def test_a_name_is_one_that_rules_can_say(self, ana, name):
        assert (await ana.ask("POST", "/groups", json={"name": name})).status_code == 422

    async def test_nobody_of_another_workspace_and_no_service_gets_in(self, ana, eve, group_id):
        service = (await ana.ask("POST", "/services", json={"name": "bot"})).json()["id"]
        path = f"/groups/{group_id}/members"
        answers = [
            (await ana.ask("POST", path, json={"user_id": one})).status_code
            for one in (eve.principal.user_id, NOBODY, service)
        ]

        assert answers == [404, 404, 422]

    async def test_out_is_out_and_twice_is_once(self, ana, bo, group_id):
        path = f"/groups/{group_id}/members"
        await ana.ask("POST", path, json={"user_id": bo.principal.user_id})
        sizes = [(await ana.ask("DELETE", f"{path}/{bo.principal.user_id}")).json()["size"] for _ in range(2)]

        assert sizes == [0, 0]

    async def test_an_empty_page_follows_the_last(self, ana):
        for name in ("c", "a", "b"):
            await ana.ask("POST", "/groups", json={"name": name})
        first = (await ana.ask("GET", "/groups", params={"limit": "2"})).json()
        rest = (await ana.ask("GET", "/groups", params={"limit": "2", "cursor": first["next"]})).json()

        assert [one["name"] for one in first["items"] + rest["items"]] == ["a", "b", "c"]
        assert (rest["next"], rest["total"]) == (None, 3)


class TestDeletingAGroup:
    async def test_takes_everybody_out(self, ana, bo, group_id):
        await ana.ask("POST", f"/groups/{group_id}/members", json={"user_id": bo.principal.user_id})

        assert (await ana.ask("DELETE", f"/groups/{group_id}")).status_code == 204
        assert (await ana.ask("GET", f"/groups/{group_id}")).status_code == 404

    @pytest.mark.parametrize("named", [{"ask": {"approvers": {"group": "finance"}}}, {"when": {"group": ["finance"]}}])
    async def test_is_refused_while_the_rules_of_now_name_it(self, ana, house, group_id, named):
        await self.policy(house, ana, 1, {"rules": [{"name": "r", "verdict": "ask", **named}]})
        refused = await ana.ask("DELETE", f"/groups/{group_id}")
        await self.policy(house, ana, 2, {"rules": [{"name": "finance", "verdict": "deny", "because": "finance"}]})

        assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
        assert "version 1" in refused.json()["detail"]
        assert (await ana.ask("DELETE", f"/groups/{group_id}")).status_code == 204

    async def policy(self, house: House, who: Person, version: int, body: dict[str, object]) -> None:
        row = Policy(
            id=new_id("pol"),
            workspace_id=who.principal.workspace_id,
            version=version,
            body=body,
            created_by=who.principal.user_id,
            created_at=now(),
        )
        async with house.database.writing() as session:
            session.add(row)

    async def test_is_refused_while_a_saved_policy_names_it(self, ana, bo, group_id):
        await ana.ask("POST", f"/groups/{group_id}/members", json={"user_id": bo.principal.user_id})
        rule = "rules: [{name: money, when: {risk: money}, verdict: ask, ask: {approvers: {group: finance}}}]"
        saved = await ana.ask("PUT", "/policy", json={"yaml": rule, "expected_version": 0})
        refused = await ana.ask("DELETE", f"/groups/{group_id}")
        await ana.ask("PUT", "/policy", json={"yaml": "rules: []", "expected_version": 1})

        assert saved.status_code == 200, saved.text
        assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
        assert (await ana.ask("DELETE", f"/groups/{group_id}")).status_code == 204

    async def test_is_refused_while_an_open_request_asks_it(self, ana, house, group_id, turn_id):
        approval = await house.approval(ana, turn_id)
        plan = asks(Party(groups=(group_id,))).model_dump(mode="json")
        async with house.database.writing() as session:
            (await session.get_one(Approval, approval.id)).plan = plan
        refused = await ana.ask("DELETE", f"/groups/{group_id}")
        async with house.database.writing() as session:
            (await session.get_one(Approval, approval.id)).state = "rejected"

        assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
        assert (await ana.ask("DELETE", f"/groups/{group_id}")).status_code == 204


class TestManagers:
    async def put(self, who: Person, of: Person, manager: Person | None) -> int:
        body = {"manager_id": manager.principal.user_id if manager else None}
        return (await who.ask("PATCH", f"/users/{of.principal.user_id}", json=body)).status_code

    async def test_is_named_seen_and_taken_back(self, ana, bo):
        await self.put(ana, bo, ana)
        seen = (await bo.ask("GET", f"/users/{bo.principal.user_id}")).json()["manager_id"]
        await self.put(ana, bo, None)

        assert seen == ana.principal.user_id
        assert (await ana.ask("GET", f"/users/{bo.principal.user_id}")).json()["manager_id"] is None

    async def test_nobody_manages_themselves_even_by_others(self, ana, bo, house, workspace_id):
        cy = await house.person(workspace_id)
        answers = [
            await self.put(ana, one, other) for one, other in ((bo, bo), (bo, cy), (cy, ana), (ana, bo), (ana, cy))
        ]

        assert answers == [409, 200, 200, 409, 409]

    async def test_is_of_the_workspace(self, ana, bo, eve):
        assert await self.put(ana, bo, eve) == 404
        assert await self.put(eve, bo, eve) == 404
        assert await self.put(bo, bo, ana) == 403

    async def test_a_role_alone_leaves_the_manager_alone(self, ana, bo):
        await self.put(ana, bo, ana)
        changed = await ana.ask("PATCH", f"/users/{bo.principal.user_id}", json={"role": "approver"})

        assert (changed.json()["role"], changed.json()["manager_id"]) == ("approver", ana.principal.user_id)
        assert (await ana.ask("PATCH", f"/users/{bo.principal.user_id}", json={})).status_code == 422


class TestOnePerson:
    async def state(self, who: Person, one: Person, other: Person) -> int:
        path = f"/users/{one.principal.user_id}/same-person-as"
        return (await who.ask("POST", path, json={"user_id": other.principal.user_id})).status_code

    async def shown(self, who: Person, of: Person) -> str | None:
        found: str | None = (await who.ask("GET", f"/users/{of.principal.user_id}")).json()["same_person_as"]
        return found

    async def test_is_stated_and_taken_back(self, ana, bo, house, workspace_id):
        cy = await house.person(workspace_id)
        answers = [await self.state(ana, bo, cy), await self.state(ana, bo, cy), await self.state(ana, cy, bo)]
        stated = await self.shown(ana, bo)
        back = await ana.ask("DELETE", f"/users/{bo.principal.user_id}/same-person-as")

        assert answers == [200, 200, 200]
        assert stated == cy.principal.user_id
        assert back.json()["same_person_as"] is None

    async def test_three_accounts_are_one(self, ana, bo, house, workspace_id):
        cy, di = await house.person(workspace_id), await house.person(workspace_id)
        await self.state(ana, bo, cy)
        await self.state(ana, cy, di)
        root = cy.principal.user_id

        assert [await self.shown(ana, one) for one in (bo, cy, di)] == [root, None, root]

    async def test_two_of_several_are_not_thrown_together(self, ana, bo, house, workspace_id):
        cy, di, ed = [await house.person(workspace_id) for _ in range(3)]
        await self.state(ana, bo, cy)
        await self.state(ana, di, ed)

        assert await self.state(ana, bo, di) == 409
        assert (await ana.ask("DELETE", f"/users/{cy.principal.user_id}/same-person-as")).status_code == 409

    async def test_only_owners_and_admins_of_the_workspace_and_admins_not_of_owners(
        self, ana, bo, eve, house, workspace_id
    ):
        admin, cy = await house.person(workspace_id, Role.ADMIN), await house.person(workspace_id)
        answers = [
            await self.state(bo, bo, cy),
            await self.state(eve, bo, cy),
            await self.state(ana, bo, eve),
            await self.state(admin, bo, ana),
            await self.state(ana, bo, bo),
            await self.state(admin, bo, cy),
        ]

        assert answers == [403, 404, 404, 403, 422, 200]
