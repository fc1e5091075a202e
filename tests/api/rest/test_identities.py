"""Accounts on channels through REST; the chat's side is what the channels' workers call."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.permissions import Role
from core.store import identities, links, pairings
from core.store.audit import AuditTrail
from core.store.identities import Account
from core.store.work import Work, change
from tests.api.rest.house import House, Person

HERS = Account(channel="telegram", account="bot", external_id="7", shown_as="Ana", thread="7")


class Chat:
    """What a chat does."""

    def __init__(self, house: House, audit: AuditTrail) -> None:
        self.house, self.audit = house, audit

    async def do(self, change_it: Callable[[Work], Awaitable[Any]]) -> Any:
        async with change(self.house.database, self.house.rooms) as work:
            return await change_it(work)

    async def redeem(self, code: str, account: Account = HERS) -> Any:
        return await self.do(lambda work: links.redeem(work, code, account))

    async def confirm(self, link_id: str, account: Account = HERS) -> Any:
        return await self.do(lambda work: links.confirm(work, self.audit, link_id, account))

    async def pair(self, account: Account = HERS) -> str:
        return await self.do(lambda work: pairings.begin_pairing(work, account))

    async def behind(self) -> Any:
        async with self.house.database.reading() as session:
            return await identities.principal_of(session, "telegram", "bot", "7")


@pytest.fixture
def chat(house: House, audit: AuditTrail) -> Chat:
    return Chat(house, audit)


async def listed(who: Person, **query: str) -> list[dict[str, Any]]:
    answer = await who.ask("GET", "/identities", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


class TestWebFirst:
    async def test_a_code_made_here_and_confirmed_there_links(self, ana, chat):
        made = (await ana.ask("POST", "/identities/links", json={"channel": "telegram"})).json()
        asked = await chat.redeem(made["code"])
        before = await listed(ana)
        await chat.confirm(asked.id)

        assert before == []
        assert [one["external_id"] for one in await listed(ana)] == ["7"]
        assert [one["state"] for one in (await ana.ask("GET", "/identities/links")).json()["items"]] == ["linked"]

    async def test_the_address_opens_the_chat_with_the_code(self, ana):
        made = (await ana.ask("POST", "/identities/links", json={"channel": "telegram"})).json()

        assert made["address"] == f"https://t.me/assent_bot?start={made['code']}"

    @pytest.mark.parametrize("channel", ["slack", "TELEGRAM", "", "a" * 100])
    async def test_a_channel_that_is_not_set_up_is_refused(self, ana, channel):
        assert (await ana.ask("POST", "/identities/links", json={"channel": channel})).status_code == 422

    async def test_the_code_is_shown_once(self, ana):
        code = (await ana.ask("POST", "/identities/links", json={"channel": "telegram"})).json()["code"]

        assert code not in (await ana.ask("GET", "/identities/links")).text

    async def test_a_code_taken_back_holds_no_more(self, ana, chat):
        made = (await ana.ask("POST", "/identities/links", json={"channel": "telegram"})).json()
        answer = await ana.ask("DELETE", f"/identities/links/{made['link']['id']}")

        assert answer.json()["state"] == "withdrawn"
        assert await chat.redeem(made["code"]) is None


class TestChatFirst:
    async def test_a_code_from_the_chat_shows_the_account_and_then_links(self, ana, chat):
        code = {"code": await chat.pair()}
        shown = await ana.ask("POST", "/identities/pairings/look-up", json=code)
        before = await chat.behind()
        linked = await ana.ask("POST", "/identities/pairings/confirm", json=code)

        assert before is None
        assert (shown.json()["external_id"], shown.json()["shown_as"]) == ("7", "Ana")
        assert linked.status_code == 201
        assert (await chat.behind()).user_id == ana.principal.user_id

    async def test_wrong_used_and_over_are_one_answer_and_count(self, ana, bo, chat):
        code = {"code": await chat.pair()}
        await ana.ask("POST", "/identities/pairings/confirm", json=code)
        used = await bo.ask("POST", "/identities/pairings/confirm", json=code)
        wrong = [await bo.ask("POST", "/identities/pairings/confirm", json={"code": "AAAA-AAAA"}) for _ in range(4)]
        locked = await bo.ask("POST", "/identities/pairings/look-up", json={"code": "AAAA-AAAA"})

        assert {(one.status_code, one.text) for one in (used, *wrong)} == {(404, used.text)}
        assert locked.status_code == 429
        assert int(locked.headers["retry-after"]) > 3500


class TestUnlinking:
    async def test_ends_what_the_chat_may(self, ana, chat, house):
        await ana.ask("POST", "/identities/pairings/confirm", json={"code": await chat.pair()})
        identity = (await listed(ana))[0]
        answer = await ana.ask("DELETE", f"/identities/{identity['id']}")

        assert answer.json()["unlinked_at"] is not None
        assert await listed(ana) == []
        assert await chat.behind() is None

    async def test_owners_see_and_unlink_members_and_admins_not_owners(self, ana, bo, house, workspace_id):
        admin = await house.person(workspace_id, Role.ADMIN)
        hers, his = await house.identity(ana), await house.identity(bo)
        seen = await listed(admin, user_id=bo.principal.user_id)

        assert [one["id"] for one in seen] == [his]
        assert (await admin.ask("DELETE", f"/identities/{hers}")).status_code == 404
        assert (await admin.ask("DELETE", f"/identities/{his}")).status_code == 200

    async def test_a_member_sees_only_their_own_and_nobody_another_workspaces(self, ana, bo, eve, house):
        await house.identity(ana)
        theirs = {"user_id": ana.principal.user_id}

        assert await listed(bo) == []
        assert (await bo.ask("GET", "/identities", params=theirs)).status_code == 403
        assert (await eve.ask("GET", "/identities", params=theirs)).json()["items"] == []


class TestPrograms:
    async def test_no_token_links_whatever_its_scopes(self, ana, house):
        scopes = ["read", "chat", "decide", "admin"]
        made = (await ana.ask("POST", "/tokens", json={"name": "all", "scopes": scopes})).json()
        program = await house.http(made["secret"])
        answers = [
            await program.post("/api/v1/identities/links", json={"channel": "telegram"}),
            await program.post("/api/v1/identities/pairings/confirm", json={"code": "AAAA-AAAA"}),
            await program.delete(f"/api/v1/identities/{await house.identity(ana)}"),
        ]

        assert {one.status_code for one in answers} == {403}
