"""Every route against every role: docs/roles.md says which is the least that may, and the doors do so."""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from core.permissions import Role
from core.tables.people import Membership
from tests.api.rest.house import House, Person
from tests.api.rest.test_visibility import CLOSED, EXPECTED, NEW_MESSAGE, Belongings, ana, anas, house, workspace_id

__all__ = ["ana", "anas", "house", "workspace_id"]

PAGE = Path(__file__).parents[3] / "docs" / "roles.md"
RANKS = (Role.VIEWER, Role.MEMBER, Role.APPROVER, Role.ADMIN, Role.OWNER)
REFUSED = 403
NOT_BY_ROLE = {"step_up_required", "proof_failed"}  # the person's proof is not good enough, whatever their role


def least_roles() -> dict[str, Role]:
    """What the page says of each route; those that it leaves out are for everybody who is signed in."""
    rows = re.findall(r"^\| (\w+) \| `(\w+ /\S+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return dict.fromkeys(CLOSED, Role.VIEWER) | {route: Role(role) for role, route in rows}


async def own(house: House, who: Person) -> dict[str, Any]:
    """What is this person's, from a time when they might talk."""
    conversation_id = (await who.ask("POST", "/conversations", json={})).json()["id"]
    said = await who.ask("POST", f"/conversations/{conversation_id}/messages", json=NEW_MESSAGE)
    turn = (await who.ask("GET", f"/turns/{said.json()['turn_id']}")).json()
    approval = await house.approval(who, turn["id"])
    document = await who.ask(
        "POST", "/documents", files={"file": ("a.txt", b"Mine.")}, data={"conversation_id": conversation_id}
    )
    token = await who.ask("POST", "/tokens", json={"name": "mine"})
    link = await who.ask("POST", "/identities/links", json={"channel": "telegram"})
    return {
        "conversation_id": conversation_id,
        "turn_id": turn["id"],
        "message_id": turn["message_id"],
        "approval_id": approval.id,
        "tool_call_id": approval.tool_call_id,
        "document_id": document.json()["id"],
        "token_id": token.json()["token"]["id"],
        "link_id": link.json()["link"]["id"],
        "identity_id": await house.identity(who),
        "fact_id": (await who.ask("POST", "/facts", json={"text": "I was born."})).json()["id"],
        "grant_id": (await house.grant(who)).id,
        "delegation_id": (await house.delegation(who, who)).id,
    }


def in_order(names: list[str]) -> list[str]:
    """What removes things comes last, and signing out after everything."""
    return sorted(names, key=lambda name: ("sign-out" in name, name.startswith("DELETE")))


class TestRoles:
    def test_the_page_names_routes_that_are_there(self):
        assert set(least_roles()) == set(CLOSED)

    @pytest.mark.parametrize("role", RANKS)
    async def test_each_route_is_for_this_role_or_refused(self, house, workspace_id, anas, role):
        who, other = await house.person(workspace_id), await house.person(workspace_id)
        ids = anas.ids | await own(house, who) | {"user_id": other.principal.user_id}
        await self.become(house, who, role)
        refused = {}
        for name in in_order(CLOSED):
            method, path = Belongings(ids).path(name)
            answer = await who.ask(method, path, json=EXPECTED[name].body)
            refused[name] = answer.status_code == REFUSED and answer.json()["code"] not in NOT_BY_ROLE
        least = least_roles()

        assert refused == {name: RANKS.index(role) < RANKS.index(least[name]) for name in refused}

    async def become(self, house: House, who: Person, role: Role) -> None:
        """Let this be their role from now on; what they have is from before."""
        async with house.database.writing() as session:
            theirs = Membership.id == who.principal.membership_id
            await session.execute(update(Membership).where(theirs).values(role=role))
