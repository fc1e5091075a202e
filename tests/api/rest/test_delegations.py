"""Delegations through REST: who may hand over what to whom, what the delegate sees, and that it ends."""

from datetime import timedelta

from sqlalchemy import select

from core.clock import now
from core.ids import new_id
from core.permissions import Role
from core.tables.identity import Group, GroupMember
from core.tables.people import Membership
from core.tables.records import AuditRow, StoredEvent
from tests.api.rest.house import House, Person


def until(**more: float) -> str:
    return (now() + timedelta(**(more or {"days": 2}))).isoformat()


async def asked(house: House, who: Person) -> str:
    """A pending request of this person's turn, which the requester and owners may decide."""
    conversation_id = (await who.ask("POST", "/conversations", json={})).json()["id"]
    said = await who.ask(
        "POST", f"/conversations/{conversation_id}/messages", json={"text": "Hi", "client_message_id": "1"}
    )
    return (await house.approval(who, said.json()["turn_id"])).id


async def told(house: House, who: Person) -> list[str]:
    async with house.database.reading() as session:
        statement = select(StoredEvent.type).where(StoredEvent.stream_id == who.principal.membership_id)
        return list((await session.execute(statement.order_by(StoredEvent.seq))).scalars())


async def hand(who: Person, deputy: Person, **more):
    return await who.ask(
        "POST", "/delegations", json={"to_user_id": deputy.principal.user_id, "ends_at": until(), **more}
    )


class TestCreate:
    async def test_one_hands_over_for_oneself_and_both_are_told(self, house, ana, bo):
        answer = await hand(ana, bo, risks=["write", "destructive"], note="On holiday.")

        assert answer.status_code == 201
        body = answer.json()
        assert (body["from_name"], body["to_name"]) == (ana.principal.name, bo.principal.name)
        assert body["risks"] == ["destructive", "write"]
        assert await told(house, ana) == ["delegation.changed"]
        assert await told(house, bo) == ["delegation.changed"]
        for one in (ana, bo):
            listed = (await one.ask("GET", "/delegations")).json()
            assert [item["id"] for item in listed["items"]] == [body["id"]]
        async with house.database.reading() as session:
            (row,) = (await session.execute(select(AuditRow).where(AuditRow.kind == "delegation.created"))).scalars()
        assert (row.actor, row.subject) == (ana.principal.user_id, body["id"])

    async def test_only_owners_and_admins_hand_over_for_others(self, house, workspace_id, ana, bo):
        cy = await house.person(workspace_id)
        theirs = {"from_user_id": bo.principal.user_id}

        assert (await hand(cy, cy, **theirs)).status_code == 403
        assert (await hand(ana, cy, **theirs)).status_code == 201

    async def test_not_to_oneself_by_whatever_account(self, house, ana, bo):
        assert (await hand(ana, ana)).status_code == 422
        async with house.database.writing() as session:
            for one in (ana, bo):
                row = await session.get_one(Membership, one.principal.membership_id)
                row.person_id = ana.principal.user_id
        assert (await hand(ana, bo)).status_code == 422

    async def test_not_to_strangers_or_viewers(self, house, workspace_id, ana, eve):
        viewer = await house.person(workspace_id, Role.VIEWER)

        assert (await hand(ana, eve)).status_code == 404
        assert (await hand(ana, viewer)).status_code == 422

    async def test_not_for_longer_than_30_days_nor_backwards(self, ana, bo):
        assert (await hand(ana, bo, ends_at=until(days=31))).status_code == 422
        assert (await hand(ana, bo, ends_at=until(hours=-1))).status_code == 422
        assert (await hand(ana, bo, starts_at=until(days=3))).status_code == 422
        assert (await hand(ana, bo, starts_at=until(days=-1))).status_code == 422

    async def test_no_program_hands_over(self, house, ana, bo):
        token = (
            await ana.ask("POST", "/tokens", json={"name": "x", "scopes": ["read", "chat", "decide", "admin"]})
        ).json()
        http = await house.http(token["secret"])

        answer = await http.post("/api/v1/delegations", json={"to_user_id": bo.principal.user_id, "ends_at": until()})

        assert answer.status_code == 403


class TestDelegate:
    async def test_sees_what_waits_and_what_is_asked_later(self, house, workspace_id, ana, bo):
        cy = await house.person(workspace_id)
        before = await asked(house, cy)
        assert (await bo.ask("GET", f"/approvals/{before}")).status_code == 404

        await hand(ana, bo)
        after = await asked(house, cy)

        for approval_id in (before, after):
            seen = await bo.ask("GET", f"/approvals/{approval_id}")
            assert seen.status_code == 200
        shown = (await bo.ask("GET", f"/approvals/{before}")).json()["deciders"]
        assert {"user_id": bo.principal.user_id, "name": bo.principal.name, "in_place_of": ana.principal.name} in shown
        assert (await told(house, bo))[:2] == ["delegation.changed", "approval.updated"]

    async def test_sees_only_what_was_handed_over(self, house, workspace_id, ana, bo):
        cy = await house.person(workspace_id)
        approval_id = await asked(house, cy)
        await hand(ana, bo, risks=["write"])
        await hand(ana, bo, actions=["tasks_delete.x", "tasksxdelete.y"])

        assert (await bo.ask("GET", f"/approvals/{approval_id}")).status_code == 404
        assert (await bo.ask("GET", "/approvals")).json()["total"] == 0

        await hand(ana, bo, actions=["tasks.delete"], risks=["destructive"])
        assert (await bo.ask("GET", f"/approvals/{approval_id}")).status_code == 200

    async def test_cannot_pass_it_on(self, house, workspace_id, ana, bo):
        cy, di = await house.person(workspace_id), await house.person(workspace_id)
        approval_id = await asked(house, cy)
        await hand(ana, bo)
        await hand(bo, di)

        assert (await bo.ask("GET", f"/approvals/{approval_id}")).status_code == 200
        assert (await di.ask("GET", f"/approvals/{approval_id}")).status_code == 404

    async def test_decides_in_the_place_of_a_group_member(self, house, workspace_id, ana, bo):
        group = Group(id=new_id("grp"), workspace_id=workspace_id, name="ops", created_at=now())
        async with house.database.writing() as session:
            session.add(group)
            await session.flush()
            member = GroupMember(group_id=group.id, user_id=ana.principal.user_id, added_by="x", added_at=now())
            session.add(member)

        assert (await hand(ana, bo)).status_code == 201

    async def test_an_ended_one_shows_nothing(self, house, workspace_id, ana, bo):
        cy = await house.person(workspace_id)
        approval_id = await asked(house, cy)
        await house.delegation(ana, bo, ends_at=now() - timedelta(seconds=1))

        assert (await bo.ask("GET", f"/approvals/{approval_id}")).status_code == 404


class TestRevoke:
    async def test_either_ends_it_and_the_delegate_sees_no_more(self, house, workspace_id, ana, bo):
        cy = await house.person(workspace_id)
        approval_id = await asked(house, cy)
        made = (await hand(ana, bo)).json()

        ended = await bo.ask("POST", f"/delegations/{made['id']}/revoke")

        assert ended.json()["revoked_by"] == bo.principal.user_id
        assert (await bo.ask("GET", f"/approvals/{approval_id}")).status_code == 404
        assert (await ana.ask("GET", f"/approvals/{approval_id}")).status_code == 200
        again = await ana.ask("POST", f"/delegations/{made['id']}/revoke")
        assert again.json()["revoked_at"] == ended.json()["revoked_at"]

    async def test_somebody_else_does_not(self, house, workspace_id, ana, bo):
        cy = await house.person(workspace_id)
        made = (await hand(ana, bo)).json()

        assert (await cy.ask("POST", f"/delegations/{made['id']}/revoke")).status_code == 404
