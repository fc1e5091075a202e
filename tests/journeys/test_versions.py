"""Edits, new answers, modes and stops, through the doors; and one conversation in two doors at once."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.journeys.person import Listener, Person, until
from tests.journeys.product import Product

pytestmark = [pytest.mark.journey, pytest.mark.server]
SEEDS = (1, 2, 3)
STEPS = 20


@pytest_asyncio.fixture(loop_scope="session")
async def owner(fresh: Product) -> AsyncIterator[Person]:
    """Its owner, who may say much in a minute."""
    await fresh.start(ASSENT_MESSAGES_PER_MINUTE="5000", ASSENT_CONVERSATIONS_PER_MINUTE="100")
    async with Person(fresh.url) as person:
        await person.set_up(fresh.code)
        yield person


async def texts(person: Person, conversation_id: str, query: str = "") -> list[str]:
    page = await person.get(f"/conversations/{conversation_id}/messages?limit=100{query}")
    assert page["total"] == len(page["items"])
    return [one["text"] for one in page["items"]]


class TestAnEditAfterAnAction:
    async def test_neither_undoes_nor_repeats_it_and_says_so(self, owner: Person):
        conversation = await owner.conversation()
        first = await owner.say(conversation, "add the task Buy milk", wait=30)
        again = await owner.post(f"/turns/{first['turn_id']}/regenerate", {"client_message_id": "again"})
        assert (await owner.ended(again["turn_id"]))["state"] == "finished"
        other = await owner.post(
            f"/messages/{first['message_id']}/edit", {"text": "add the task Buy bread", "client_message_id": "edit"}
        )
        resent = await owner.post(
            f"/messages/{first['message_id']}/edit", {"text": "add the task Buy bread", "client_message_id": "edit"}
        )
        assert (await owner.ended(other["turn_id"]))["state"] == "finished"
        replies = [await _reply(owner, conversation, one) for one in (again, other)]
        listed = await owner.reply(conversation, "list my tasks")
        versions = (await owner.get(f"/messages/{first['message_id']}/versions"))["items"]
        said = await texts(owner, conversation)

        assert [one["action"] for one in again["already_done"]] == ["tasks.add"]
        assert [one["state"] for one in other["already_done"]] == ["done"]
        assert (resent["turn_id"], resent["duplicate"]) == (other["turn_id"], True)
        assert resent["already_done"] == other["already_done"]
        assert "stays done" in replies[0]
        assert "I do not do that again" in replies[0]
        assert "Buy milk" in replies[1]
        assert "I do not do that again" not in replies[1]
        assert (listed.count("Buy milk"), listed.count("Buy bread")) == (1, 1)
        assert said[0] == "add the task Buy bread"
        assert [(one["reason"], one["active"]) for one in versions] == [
            ("original", False),
            ("regenerate", False),
            ("edit", True),
        ]

        await owner.post(f"/conversations/{conversation}/branches/trunk/activate")

        assert await texts(owner, conversation) == await texts(owner, conversation, "&branch=trunk")
        assert await texts(owner, conversation, f"&branch={versions[2]['branch_id']}") == said

    async def test_typed_again_it_asks(self, owner: Person):
        conversation = await owner.conversation()
        first = await owner.say(conversation, '/do tasks.add title="Once"', wait=30)
        again = await owner.post(f"/turns/{first['turn_id']}/regenerate", {"client_message_id": "again"})
        approval = await owner.asked()
        await owner.decide(approval, "reject")
        await owner.ended(again["turn_id"])

        assert approval["action"] == "tasks.add"
        assert (await owner.reply(conversation, "list my tasks")).count("Once") == 1


async def _reply(owner: Person, conversation: str, accepted: dict[str, Any]) -> str:
    turn = await owner.turn(accepted["turn_id"])
    page = await owner.get(f"/conversations/{conversation}/messages?branch={turn['branch_id']}")
    return str(next(one["text"] for one in page["items"] if one["turn_id"] == turn["id"] and one["role"] != "user"))


class TestAMode:
    async def test_without_tools_holds_for_commands_too(self, owner: Person):
        await owner.post("/modes", {"name": "words_only", "title": "Words only", "tools": []})
        conversation = str((await owner.post("/conversations", {"mode": "words_only"}))["id"])
        said = await owner.say(conversation, '/do tasks.add title="No"', wait=30)
        calls = (await owner.get(f"/turns/{said['turn_id']}/calls"))["items"]

        assert [(one["state"], one["rule"]) for one in calls] == [("denied", "not in this mode")]

        await owner.http.delete("/modes/words_only")
        failed = await owner.say(conversation, "hello", wait=30)
        refused = await owner.http.post("/conversations", json={"mode": "words_only"})

        assert (failed["state"], failed["error"]["code"]) == ("failed", "unknown_mode")
        assert "was removed" in failed["error"]["detail"]
        assert refused.status_code == 422
        assert "full, quick, analysis, support" in refused.json()["detail"]


class Screen:
    """What a client shows, by the rule that the events page states: fetch at a switch, else believe the events."""

    def __init__(self, person: Person, conversation_id: str, listener: Listener) -> None:
        self.person = person
        self.conversation_id = conversation_id
        self.listener = listener
        self._shown: dict[str, dict[str, Any]] = {}
        self._active: str | None = None
        self._heard = 0
        self.title = ""

    async def catch_up(self) -> None:
        """Take in what was heard; fetch once when there was a switch, then go on with what came after the fetch."""
        heard = self.listener.envelopes[self._heard :]
        self._heard += len(heard)
        for event in (one["event"] for one in heard):
            if event["type"] == "conversation.updated":
                self.title = event["conversation"]["title"]
                if event["conversation"]["active_branch_id"] != self._active:
                    self._active = event["conversation"]["active_branch_id"]
                    page = await self.person.get(f"/conversations/{self.conversation_id}/messages?limit=100")
                    self._shown = {one["id"]: one for one in page["items"]}
            elif event["type"] == "message.created":
                self._take(event["message"])

    def _take(self, message: dict[str, Any]) -> None:
        answers = message["role"] != "user" and any(
            one["turn_id"] == message["turn_id"] for one in self._shown.values()
        )
        if message["branch_id"] == self._active or answers:
            self._shown[message["id"]] = message

    def lines(self) -> list[tuple[int, str]]:
        return sorted((one["position"], one["text"]) for one in self._shown.values())


class Busybody:
    """Does one random thing after another through one door, waits for no reply, and keeps its screen up to date."""

    def __init__(self, seed: int, name: str, screen: Screen) -> None:
        self.screen = screen
        self._dice = random.Random(f"{seed}-{name}")  # any dice will do
        self._name = name
        self._person = screen.person
        self._listener = screen.listener
        self._conversation_id = screen.conversation_id
        self._count = 0

    async def work(self) -> None:
        for _ in range(STEPS):
            deed = self._dice.choices(
                (self._say, self._edit, self._regenerate, self._stop, self._rename, self._activate),
                weights=(8, 2, 2, 2, 1, 1),
            )[0]
            await deed()
            await self.screen.catch_up()

    def _id(self) -> str:
        self._count += 1
        return f"{self._name}-{self._count}"

    async def _call(self, event: str, method: str, path: str, body: dict[str, Any]) -> None:
        """By socket where there is an event for it, else by REST. What the state of things forbids is no fault."""
        if self._name == "socket" and event:
            answer = await self._listener.ask(event, body)
            assert answer["ok"] or answer["error"]["code"] in {"conflict", "not_found"}, answer
            return
        sent = {key: value for key, value in body.items() if key not in {"message_id", "turn_id", "conversation_id"}}
        found = await self._person.http.request(method, path, json=sent)
        assert found.is_success or found.status_code in {404, 409}, found.text

    async def _say(self) -> None:
        body = {
            "conversation_id": self._conversation_id,
            "text": f"hello {self._id()}",
            "client_message_id": self._id(),
        }
        await self._call("message.send", "POST", f"/conversations/{self._conversation_id}/messages", body)

    async def _mine(self, role: str) -> dict[str, Any] | None:
        page = await self._person.get(f"/conversations/{self._conversation_id}/messages?limit=100")
        found = [one for one in page["items"] if one["role"] == role]
        return self._dice.choice(found) if found else None

    async def _edit(self) -> None:
        if message := await self._mine("user"):
            body = {"message_id": message["id"], "text": f"hi {self._id()}", "client_message_id": self._id()}
            await self._call("message.edit", "POST", f"/messages/{message['id']}/edit", body)

    async def _regenerate(self) -> None:
        if message := await self._mine("assistant"):
            body = {"turn_id": message["turn_id"], "client_message_id": self._id()}
            await self._call("turn.regenerate", "POST", f"/turns/{message['turn_id']}/regenerate", body)

    async def _stop(self) -> None:
        body = {"conversation_id": self._conversation_id}
        await self._call("conversation.stop", "POST", f"/conversations/{self._conversation_id}/stop", body)

    async def _rename(self) -> None:
        await self._call("", "PATCH", f"/conversations/{self._conversation_id}", {"title": f"Named {self._id()}"})

    async def _activate(self) -> None:
        found = (await self._person.get(f"/conversations/{self._conversation_id}/branches"))["items"]
        branch = self._dice.choice(["trunk", *(one["id"] for one in found)])
        path = f"/conversations/{self._conversation_id}/branches/{branch}/activate"
        await self._call("", "POST", path, {})


class TestTwoDoorsAtOnce:
    async def test_show_the_same_in_the_same_order(self, fresh: Product, owner: Person):
        async with Person(fresh.url) as second:
            await second.sign_in()
            for seed in SEEDS:
                await _two_doors(owner, second, seed)


async def _two_doors(first: Person, second: Person, seed: int) -> None:
    """Let both do what the dice say at once; in the end each shows what a fresh fetch shows."""
    conversation = await first.conversation()
    async with Listener(first, conversation) as one, Listener(second, conversation) as two:
        doors = [
            Busybody(seed, "socket", Screen(first, conversation, one)),
            Busybody(seed, "rest", Screen(second, conversation, two)),
        ]
        await asyncio.gather(*(door.work() for door in doors))
        last = await until(lambda: _settled(first, conversation))
        for door in doors:
            await door.screen.listener.until(lambda it: it.envelopes[-1:] and it.envelopes[-1]["seq"] >= last)
            await door.screen.catch_up()
    page = await first.get(f"/conversations/{conversation}/messages?limit=100")
    title = (await first.get(f"/conversations/{conversation}"))["title"]
    expected = [(message["position"], message["text"]) for message in page["items"]]

    assert expected
    assert [door.screen.lines() for door in doors] == [expected, expected]
    assert [door.screen.title for door in doors] == [title, title]
    assert [envelope["seq"] for envelope in one.envelopes] == list(range(one.last_seq + 1, last + 1))
    assert one.envelopes == two.envelopes


async def _settled(owner: Person, conversation: str) -> int:
    """Give the number of the last event once nothing is open any more; 0 before."""
    turns = (await owner.get(f"/conversations/{conversation}/turns?limit=100"))["items"]
    if any(one["state"] in {"queued", "running", "waiting"} for one in turns):
        return 0
    async with Listener(owner, conversation) as late:
        return late.last_seq
