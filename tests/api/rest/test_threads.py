"""Threads and read receipts over REST: what hangs on which message, and who has read how far."""

from typing import Any

import pytest
from sqlalchemy import select

from core.clock import now
from core.ids import new_id
from core.store import context
from core.tables.records import StoredEvent
from core.tables.talk import Participant
from core.tables.work import Turn
from tests.api.rest.house import House, Person


async def say(who: Person, conversation_id: str, text: str, **more: Any) -> dict[str, Any]:
    body = {"text": text, "client_message_id": new_id("cli")} | more
    answer = await who.ask("POST", f"/conversations/{conversation_id}/messages", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def shown(who: Person, conversation_id: str, **query: Any) -> list[str]:
    page = await who.ask("GET", f"/conversations/{conversation_id}/messages", params=query)
    return [one["text"] for one in page.json()["items"]]


async def join(house: House, who: Person, conversation_id: str) -> None:
    async with house.database.writing() as session:
        session.add(Participant(conversation_id=conversation_id, user_id=who.principal.user_id, joined_at=now()))


async def reads(house: House, conversation_id: str) -> list[dict[str, Any]]:
    async with house.database.reading() as session:
        of_it = select(StoredEvent).where(StoredEvent.stream_id == conversation_id, StoredEvent.type == "member.read")
        return [row.body["read"] for row in (await session.execute(of_it)).scalars()]


class TestThreads:
    async def test_a_reply_goes_into_the_thread_of_its_root(self, ana, conversation_id):
        root = await say(ana, conversation_id, "root")
        await say(ana, conversation_id, "aside")
        first = await say(ana, conversation_id, "first", reply_to_id=root["message_id"])
        await say(ana, conversation_id, "second", reply_to_id=first["message_id"])
        path = f"/conversations/{conversation_id}"

        assert await shown(ana, conversation_id, thread=root["message_id"]) == ["root", "first", "second"]
        assert await shown(ana, conversation_id) == ["root", "aside", "first", "second"]
        (thread,) = (await ana.ask("GET", f"{path}/threads")).json()["items"]
        assert (thread["id"], thread["messages"]) == (root["message_id"], 2)
        message = (await ana.ask("GET", f"/messages/{first['message_id']}")).json()
        assert (message["reply_to_id"], message["thread_id"]) == (root["message_id"], root["message_id"])
        assert (await ana.ask("GET", f"/turns/{first['turn_id']}")).json()["thread_id"] == root["message_id"]

    async def test_pages_of_a_thread_have_cursors(self, ana, conversation_id):
        root = (await say(ana, conversation_id, "0"))["message_id"]
        for number in range(1, 5):
            await say(ana, conversation_id, str(number), reply_to_id=root)
        path = f"/conversations/{conversation_id}/messages"
        first = (await ana.ask("GET", path, params={"thread": root, "limit": 3})).json()
        rest = (await ana.ask("GET", path, params={"thread": root, "limit": 3, "cursor": first["next"]})).json()

        assert [one["text"] for one in rest["items"] + first["items"]] == ["0", "1", "2", "3", "4"]
        assert (first["total"], rest["next"]) == (5, None)

    async def test_the_model_hears_the_thread_and_what_led_to_it(self, house, ana, conversation_id):
        root = await say(ana, conversation_id, "root")
        await say(ana, conversation_id, "later in the main talk")
        replied = await say(ana, conversation_id, "in the thread", reply_to_id=root["message_id"])
        main = await say(ana, conversation_id, "main again")
        async with house.database.writing() as session:
            for row in (await session.execute(select(Turn))).scalars():
                row.state = "finished"
        async with house.database.reading() as session:
            heard = [one.message.text for one in (await context.load(session, replied["turn_id"])).turns]
            outside = [one.message.text for one in (await context.load(session, main["turn_id"])).turns]

        assert heard == ["root", "in the thread"]
        assert outside == ["root", "later in the main talk", "main again"]

    async def test_what_is_not_there_to_reply_to_is_not_found(self, ana, eve, conversation_id):
        other = (await ana.ask("POST", "/conversations", json={})).json()["id"]
        elsewhere = (await say(ana, other, "elsewhere"))["message_id"]
        theirs = (await eve.ask("POST", "/conversations", json={})).json()["id"]
        strange = (await say(eve, theirs, "strange"))["message_id"]

        for one in (elsewhere, strange, new_id("msg")):
            body = {"text": "x", "client_message_id": new_id("cli"), "reply_to_id": one}
            answer = await ana.ask("POST", f"/conversations/{conversation_id}/messages", json=body)
            assert (answer.status_code, answer.json()["detail"]) == (404, "There is no such message to reply to.")
        assert await shown(ana, conversation_id) == []
        nothing = await ana.ask("GET", f"/conversations/{conversation_id}/messages", params={"thread": elsewhere})
        assert nothing.status_code == 404


class TestReads:
    async def test_it_only_goes_forward_and_the_others_hear_of_it(self, house, ana, bo, conversation_id):
        await join(house, bo, conversation_id)
        positions = []
        for text in ("one", "two"):
            message_id = (await say(ana, conversation_id, text))["message_id"]
            positions.append((await ana.ask("GET", f"/messages/{message_id}")).json()["position"])
        path = f"/conversations/{conversation_id}/read"
        answers = [
            (await bo.ask("POST", path, json={"position": one})).json()["position"]
            for one in (positions[0], 0, positions[1], positions[0], 10**6)
        ]

        assert answers == [positions[0], positions[0], positions[1], positions[1], positions[1]]
        assert [one["position"] for one in await reads(house, conversation_id)] == positions
        listed = (await ana.ask("GET", f"/conversations/{conversation_id}/reads")).json()
        assert [(one["user_id"], one["position"]) for one in listed["items"]] == [
            (bo.principal.user_id, positions[1]),
            (ana.principal.user_id, 0),
        ]

    async def test_what_others_said_is_unread_until_it_is_read(self, house, ana, bo, conversation_id):
        await join(house, bo, conversation_id)
        await say(ana, conversation_id, "one")
        await say(ana, conversation_id, "two")

        assert (await ana.ask("GET", "/unread")).json()["items"] == []
        assert (await bo.ask("GET", "/unread")).json()["items"] == [{"conversation_id": conversation_id, "unread": 2}]
        await bo.ask("POST", f"/conversations/{conversation_id}/read", json={"position": 10**6})
        assert (await bo.ask("GET", "/unread")).json()["items"] == []

    @pytest.mark.parametrize("position", [-1, 2**31, "1", 1.5, None, True])
    async def test_a_bad_position_is_refused(self, ana, conversation_id, position):
        answer = await ana.ask("POST", f"/conversations/{conversation_id}/read", json={"position": position})

        assert answer.status_code == 422
