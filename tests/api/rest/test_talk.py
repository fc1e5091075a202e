"""Conversations, messages, turns and approvals over REST; Temporal is away, and nothing acknowledged is lost."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from core.errors import Unavailable
from core.messages import TurnStep
from core.permissions import Role
from core.store import turns
from core.store.work import change
from core.tables.work import Turn
from tests.api.rest.house import House, Person

DIGEST = "d" * 64


async def say(who: Person, conversation_id: str, text: str = "Hello", client_id: str = "one", **query: Any):
    body = {"text": text, "client_message_id": client_id}
    return await who.ask("POST", f"/conversations/{conversation_id}/messages", json=body, params=query)


class TestConversations:
    async def test_the_story_of_one(self, ana):
        made = await ana.ask("POST", "/conversations", json={"title": "Shopping"})
        path = f"/conversations/{made.json()['id']}"
        renamed = await ana.ask("PATCH", path, json={"title": "Groceries"})
        deleted = await ana.ask("DELETE", path)
        missing = await ana.ask("GET", path)
        bin_ = await ana.ask("GET", "/conversations?deleted=true")
        restored = await ana.ask("POST", f"{path}/restore")

        assert (made.status_code, made.json()["title"]) == (201, "Shopping")
        assert renamed.json()["title"] == "Groceries"
        assert deleted.json()["deleted_at"] is not None
        assert missing.status_code == 404
        assert [one["title"] for one in bin_.json()["items"]] == ["Groceries"]
        assert restored.json()["deleted_at"] is None

    async def test_without_a_body_it_begins_untitled(self, ana):
        made = await ana.ask("POST", "/conversations")

        assert (made.status_code, made.json()["title"], made.json()["mode"]) == (201, "", "full")

    async def test_the_first_message_names_it(self, ana, conversation_id):
        await say(ana, conversation_id, "What should I buy today?")

        assert (await ana.ask("GET", f"/conversations/{conversation_id}")).json()["title"] == "What should I buy today?"

    async def test_the_list_is_newest_first_with_a_cursor(self, ana):
        made = [(await ana.ask("POST", "/conversations", json={"title": str(n)})).json()["id"] for n in range(5)]
        first = (await ana.ask("GET", "/conversations?limit=3")).json()
        second = (await ana.ask("GET", f"/conversations?limit=3&cursor={first['next']}")).json()

        assert [one["id"] for one in first["items"] + second["items"]] == made[::-1]
        assert (first["total"], second["next"]) == (5, None)

    async def test_deleting_stops_what_runs_in_it(self, house, ana, conversation_id, turn_id):
        await ana.ask("DELETE", f"/conversations/{conversation_id}")
        async with house.database.reading() as session:
            assert (await session.get_one(Turn, turn_id)).state == "stopped"

    async def test_deleting_begins_nothing_that_was_queued(self, house, ana, conversation_id, turn_id):
        queued = [(await say(ana, conversation_id, str(n), str(n))).json()["turn_id"] for n in range(3)]
        await ana.ask("DELETE", f"/conversations/{conversation_id}")
        async with house.database.reading() as session:
            ended = [await session.get_one(Turn, one) for one in (turn_id, *queued)]

        assert [one.state for one in ended] == ["stopped"] * 4
        assert [one.started_at for one in ended[1:]] == [None] * 3

    async def test_a_message_that_races_with_deleting_never_goes_on_hidden(self, house, ana, conversation_id):
        said = (say(ana, conversation_id, str(n), str(n)) for n in range(6))
        await asyncio.gather(*said, ana.ask("DELETE", f"/conversations/{conversation_id}"))
        async with house.database.reading() as session:
            turns = (await session.execute(select(Turn).where(Turn.conversation_id == conversation_id))).scalars()

        assert {one.state for one in turns} <= {"stopped"}

    async def test_what_cannot_be_deleted_is_not_stopped(self, house, ana, conversation_id, turn_id, monkeypatch):
        async def fails(*_: object) -> None:
            message = "away"
            raise Unavailable(message)

        monkeypatch.setattr("core.store.conversations.delete", fails)
        answer = await ana.ask("DELETE", f"/conversations/{conversation_id}")
        async with house.database.reading() as session:
            turn = await session.get_one(Turn, turn_id)

        assert (answer.status_code, turn.state) == (503, "running")

    async def test_a_deleted_one_takes_no_messages(self, ana, conversation_id):
        await ana.ask("DELETE", f"/conversations/{conversation_id}")

        assert (await say(ana, conversation_id)).status_code == 404

    async def test_too_many_in_a_minute_are_refused(self, ana):
        answers = [(await ana.ask("POST", "/conversations", json={})) for _ in range(12)]

        assert [one.status_code for one in answers] == [201] * 10 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) > 0

    async def test_times_have_their_zone(self, ana, conversation_id):
        made = (await ana.ask("GET", f"/conversations/{conversation_id}")).json()

        assert datetime.fromisoformat(made["created_at"]).tzinfo is not None


class TestMessages:
    async def test_it_is_acknowledged_and_kept_though_temporal_is_away(self, ana, conversation_id):
        said = await say(ana, conversation_id)
        kept = (await ana.ask("GET", f"/conversations/{conversation_id}/messages")).json()

        assert said.status_code == 202
        assert {"message_id", "turn_id", "state"} <= set(said.json())
        assert [(one["id"], one["text"]) for one in kept["items"]] == [(said.json()["message_id"], "Hello")]

    async def test_sent_twice_it_is_said_once(self, ana, conversation_id):
        answers = await asyncio.gather(*(say(ana, conversation_id) for _ in range(5)))
        kept = (await ana.ask("GET", f"/conversations/{conversation_id}/messages")).json()

        assert len({one.json()["turn_id"] for one in answers}) == 1
        assert sorted(one.json()["duplicate"] for one in answers) == [False, True, True, True, True]
        assert kept["total"] == 1

    async def test_the_list_goes_back_from_the_newest(self, ana, conversation_id):
        for n in range(5):
            await say(ana, conversation_id, str(n), str(n))
        path = f"/conversations/{conversation_id}/messages?limit=3"
        newest = (await ana.ask("GET", path)).json()
        older = (await ana.ask("GET", f"{path}&cursor={newest['next']}")).json()

        assert [one["text"] for one in newest["items"]] == ["2", "3", "4"]
        assert [one["text"] for one in older["items"]] == ["0", "1"]
        assert (newest["total"], older["next"]) == (5, None)

    async def test_any_text_comes_back_as_it_was(self, ana, conversation_id):
        text = "ünïcode 👩‍👩‍👧 \u202e\u200b\x07 <script> ' \" \\ \r\n" + "x" * 1000
        said = await say(ana, conversation_id, text)

        assert (await ana.ask("GET", f"/messages/{said.json()['message_id']}")).json()["text"] == text

    async def test_waiting_ends_with_the_turn(self, ana, conversation_id):
        waiting = asyncio.create_task(say(ana, conversation_id, wait=20))
        turn_id = await first_turn(ana, conversation_id)
        await ana.ask("POST", f"/turns/{turn_id}/stop")
        answer = await waiting

        assert answer.status_code == 200
        assert answer.json()["state"] == "stopped"
        assert answer.json()["reply"] is None

    async def test_waiting_ends_when_people_are_asked(self, house, ana, conversation_id):
        waiting = asyncio.create_task(say(ana, conversation_id, wait=20))
        turn_id = await first_turn(ana, conversation_id)
        approval = await house.approval(ana, turn_id)
        await park(house, turn_id)
        answer = (await waiting).json()

        assert (answer["state"], answer["requires_approval"]) == ("waiting", True)
        assert answer["approval_id"] == approval.id

    async def test_waiting_in_vain_is_an_acknowledgement(self, ana, conversation_id):
        answer = await say(ana, conversation_id, wait=0.01)

        assert (answer.status_code, answer.json()["state"]) == (202, "running")

    async def test_too_many_in_a_minute_are_refused_and_not_kept(self, ana, conversation_id):
        answers = [(await say(ana, conversation_id, str(n), str(n))).status_code for n in range(32)]
        kept = (await ana.ask("GET", f"/conversations/{conversation_id}/messages?limit=1")).json()

        assert answers == [202] * 30 + [429] * 2
        assert kept["total"] == 30


async def first_turn(who: Person, conversation_id: str) -> str:
    async with asyncio.timeout(20):
        while True:
            found = (await who.ask("GET", f"/conversations/{conversation_id}/turns")).json()["items"]
            if found:
                return str(found[0]["id"])
            await asyncio.sleep(0.01)


async def park(house: House, turn_id: str) -> None:
    async with change(house.database, house.rooms) as work:
        turn = await work.session.get_one(Turn, turn_id)
        await turns.park(work, TurnStep(turn_id=turn_id, lease_epoch=turn.lease_epoch))


class TestTurns:
    async def test_stopping_twice_is_stopping_once(self, ana, turn_id):
        answers = [(await ana.ask("POST", f"/turns/{turn_id}/stop")) for _ in range(2)]

        assert [one.status_code for one in answers] == [200, 200]
        assert answers[0].json() == answers[1].json() == (await ana.ask("GET", f"/turns/{turn_id}")).json()

    async def test_only_an_ended_turn_is_tried_again(self, ana, turn_id):
        early = await ana.ask("POST", f"/turns/{turn_id}/retry", json={"client_message_id": "again"})
        await ana.ask("POST", f"/turns/{turn_id}/stop")
        retries = [
            await ana.ask("POST", f"/turns/{turn_id}/retry", json={"client_message_id": "again"}) for _ in range(2)
        ]

        assert early.status_code == 409
        assert [one.status_code for one in retries] == [202, 202]
        assert retries[0].json()["turn_id"] == retries[1].json()["turn_id"] != turn_id

    async def test_history_tells_what_sql_knows(self, ana, turn_id):
        history = (await ana.ask("GET", f"/turns/{turn_id}/history")).json()

        assert history["turn"]["id"] == turn_id
        assert history["entries"]


class TestApprovals:
    @pytest.fixture
    async def approval_id(self, house: House, ana: Person, turn_id: str) -> str:
        return (await house.approval(ana, turn_id)).id

    async def decide(self, who: Person, approval_id: str, **other: Any):
        body = {"verdict": "approve", "digest": DIGEST, "decision_id": "one"} | other
        return await who.ask("POST", f"/approvals/{approval_id}/decision", json=body)

    async def test_what_waits_is_listed_with_its_digest(self, ana, approval_id):
        page = (await ana.ask("GET", "/approvals?state=pending")).json()

        assert [(one["id"], one["digest"]) for one in page["items"]] == [(approval_id, DIGEST)]
        assert page["total"] == 1
        assert (await ana.ask("GET", "/approvals?state=decided")).json()["items"] == []

    async def test_whoever_may_decide_sees_it_without_taking_part(self, house, ana, workspace_id, approval_id):
        owner = await house.person(workspace_id, Role.OWNER)

        assert (await owner.ask("GET", f"/approvals/{approval_id}")).status_code == 200

    async def test_a_decision_that_cannot_be_told_yet_is_kept(self, ana, approval_id):
        answer = await self.decide(ana, approval_id)

        assert (answer.status_code, answer.json()["state"]) == (202, "received")
        assert answer.json()["approval"]["state"] == "pending"

    async def test_a_digest_of_something_else_is_refused(self, ana, approval_id):
        answer = await self.decide(ana, approval_id, digest="e" * 64)

        assert (answer.status_code, answer.json()["code"]) == (409, "digest_mismatch")

    async def test_it_waits_for_nobody_once_its_conversation_is_deleted(self, ana, approval_id, conversation_id):
        await ana.ask("DELETE", f"/conversations/{conversation_id}")
        page = (await ana.ask("GET", "/approvals?state=pending")).json()

        assert (page["items"], page["total"]) == ([], 0)

    async def test_looking_decides_nothing(self, ana, approval_id):
        for path in (f"/approvals/{approval_id}", f"/approvals/{approval_id}/decision"):
            await ana.ask("GET", path)

        assert (await ana.ask("GET", f"/approvals/{approval_id}")).json()["state"] == "pending"

    @pytest.mark.parametrize("verdict", ["yes", "approved", "", None, True])
    async def test_anything_but_the_two_words_is_an_error(self, ana, approval_id, verdict):
        assert (await self.decide(ana, approval_id, verdict=verdict)).status_code == 422


class TestConnectors:
    async def test_each_action_says_what_it_asks_of_people(self, ana):
        page = (await ana.ask("GET", "/connectors")).json()
        actions = {action["name"]: action for one in page["items"] for action in one["actions"]}

        assert page["total"] == len(page["items"])
        assert actions["tasks.delete"]["policy"]["verdict"] == "ask"
        assert actions["tasks.list"]["policy"]["verdict"] == "allow"
        assert actions["tasks.add"]["examples"]


class TestInvitations:
    async def test_the_story_of_one(self, ana, nobody):
        invited = (await ana.ask("POST", "/invitations", json={"email": "Zoe@x.test", "role": "approver"})).json()
        body = {"token": invited["token"], "name": "Zoe", "password": "a sentence of Zoe"}
        joined = await nobody.post("/api/v1/invitations/accept", json=body)
        again = await nobody.post("/api/v1/invitations/accept", json=body)
        listed = (await ana.ask("GET", "/invitations")).json()

        assert joined.status_code == 201
        assert (joined.json()["user"]["email"], joined.json()["user"]["role"]) == ("zoe@x.test", "approver")
        assert again.status_code == 404
        assert invited["token"] not in str(listed)
        assert listed["items"][0]["accepted_at"] is not None

    async def test_a_withdrawn_one_lets_nobody_in(self, ana, nobody):
        invited = (await ana.ask("POST", "/invitations", json={"email": "zoe@x.test"})).json()
        await ana.ask("POST", f"/invitations/{invited['invitation']['id']}/revoke")
        body = {"token": invited["token"], "name": "Zoe", "password": "a sentence of Zoe"}

        assert (await nobody.post("/api/v1/invitations/accept", json=body)).status_code == 404

    async def test_who_has_an_account_proves_it(self, house, ana, eve, nobody):
        invited = (await ana.ask("POST", "/invitations", json={"email": "zoe@x.test"})).json()
        zoe = {"name": "Zoe", "password": "a sentence of Zoe"}
        await nobody.post("/api/v1/invitations/accept", json=zoe | {"token": invited["token"]})
        second = (await eve.ask("POST", "/invitations", json={"email": "zoe@x.test"})).json()["token"]
        wrong = await nobody.post(
            "/api/v1/invitations/accept", json=zoe | {"token": second, "password": "a guess of 8"}
        )
        right = await nobody.post("/api/v1/invitations/accept", json=zoe | {"token": second})

        assert (wrong.status_code, right.status_code) == (401, 201)
        assert right.json()["user"]["workspace_id"] == eve.principal.workspace_id
