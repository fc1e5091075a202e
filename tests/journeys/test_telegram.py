"""A person's story on Telegram: linked from the web, talking in the chat, consenting by a button, across a kill."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.doubles.telegram_server import TOKEN, TelegramDouble, telegram
from tests.journeys.person import Person, until
from tests.journeys.product import Product

pytestmark = [pytest.mark.server, pytest.mark.journey]
ANA, EVE = 4400001, 4400002


@pytest.fixture
def double() -> Iterator[TelegramDouble]:
    with telegram() as running:
        yield running


def channels(double: TelegramDouble) -> str:
    return json.dumps({"telegram": {"token": TOKEN, "api_base": double.url}})


@pytest_asyncio.fixture(loop_scope="session")
async def owner(fresh: Product, double: TelegramDouble) -> AsyncIterator[Person]:
    """Ana, who owns a product that hears Telegram."""
    await fresh.start(ASSENT_CHANNELS=channels(double))
    async with Person(fresh.url) as person:
        await person.set_up(fresh.code)
        yield person


class Chat:
    """One private chat, as its person sees it."""

    def __init__(self, double: TelegramDouble, who: int) -> None:
        self.double = double
        self.who = who

    def say(self, text: str) -> None:
        self.double.say(self.who, text)

    async def shows(self, *words: str) -> dict[str, Any]:
        """Wait for a message with all these words; gives the newest."""

        async def look() -> dict[str, Any] | None:
            found = [one for one in self.double.seen(self.who) if all(word in one["text"] for word in words)]
            return found[-1] if found else None

        return await until(look)

    def press(self, message: dict[str, Any], label: str, who: int | None = None) -> None:
        self.double.press(who or self.who, data_of(message, label), message["message_id"])


def data_of(message: dict[str, Any], label: str) -> str:
    buttons = [button for row in message["reply_markup"]["inline_keyboard"] for button in row]
    return str(next(button["callback_data"] for button in buttons if label in button["text"]))


def has_buttons(message: dict[str, Any]) -> bool:
    return bool(message["reply_markup"]["inline_keyboard"])


async def linked(owner: Person, chat: Chat) -> None:
    code = (await owner.post("/identities/links", {"channel": "telegram"}))["code"]
    chat.say(f"/start {code}")
    question = await chat.shows("Link this chat to a***@example.com?")
    chat.press(question, "Yes")
    await chat.shows("Linked.")


class TestTelegram:
    async def test_linked_talking_and_consenting_by_a_button(self, owner: Person, double: TelegramDouble):
        chat, stranger = Chat(double, ANA), Chat(double, EVE)
        stranger.say("hello")
        offer = await stranger.shows("I do not know this account yet")
        await linked(owner, chat)
        chat.say("hello")
        greeting = await chat.shows("offline")
        chat.say("add the task Buy milk")
        await chat.shows("Buy milk")
        chat.say("delete the task Buy milk")
        prompt = await chat.shows("DESTROYS SOMETHING")
        approval = await owner.asked()
        stranger.press(prompt, "Approve", who=EVE)
        chat.press(prompt, "Approve")
        closed = await chat.shows("Approved by Ana on Telegram")
        (talk,) = (await owner.get("/conversations"))["items"]
        found = await owner.get(f"/approvals/{approval['id']}")
        turn = await owner.ended(found["turn_id"])

        assert "sign in" in offer["text"]
        assert "offline" in greeting["text"]
        assert (closed["message_id"], has_buttons(closed)) == (prompt["message_id"], False)
        assert (found["state"], found["decided_by_name"], found["decided_door"]) == ("approved", "Ana", "telegram")
        assert (found["votes"][0]["assurance"], turn["state"], talk["origin_channel"]) == ("L2", "finished", "telegram")
        assert (await owner.get("/audit/verify"))["intact"] is True

    async def test_asked_in_the_browser_answered_on_telegram_across_a_kill(
        self, fresh: Product, owner: Person, double: TelegramDouble
    ):
        chat = Chat(double, ANA)
        await linked(owner, chat)
        conversation = await owner.conversation()
        await owner.reply(conversation, "add the task Buy milk")
        said = await owner.say(conversation, "delete the task Buy milk", wait=30)
        prompt = await chat.shows("DESTROYS SOMETHING")
        await fresh.kill()
        chat.press(prompt, "Approve")
        chat.press(prompt, "Reject")
        chat.press(prompt, "Approve")
        await fresh.start(ASSENT_CHANNELS=channels(double))
        owner.move(fresh.url)
        closed = await chat.shows("Approved by Ana on Telegram")
        turn = await owner.ended(said["turn_id"])
        (approval,) = (await owner.get("/approvals?state=decided"))["items"]
        (listed,) = (await owner.get("/channels"))["items"]

        assert (closed["message_id"], has_buttons(closed)) == (prompt["message_id"], False)
        assert (turn["state"], approval["state"], len(approval["votes"])) == ("finished", "approved", 1)
        assert (listed["state"], listed["known_as"]) == ("live", "@TestNameBot")
        assert "Buy milk" not in await owner.reply(conversation, "list my tasks")

    async def test_decided_on_the_web_the_prompt_closes(self, owner: Person, double: TelegramDouble):
        chat = Chat(double, ANA)
        await linked(owner, chat)
        conversation = await owner.conversation()
        await owner.reply(conversation, "add the task Buy milk")
        await owner.say(conversation, "delete the task Buy milk", wait=30)
        prompt = await chat.shows("DESTROYS SOMETHING")
        approval = await owner.asked()
        chat.say("yes")
        await owner.decide(approval, "reject")
        closed = await chat.shows("Rejected by Ana on the API")
        chat.press(prompt, "Approve")
        chat.say("/status")
        await chat.shows("Nothing waits for you")
        found = await owner.get(f"/approvals/{approval['id']}")

        assert has_buttons(closed) is False
        assert (found["state"], found["decided_door"]) == ("rejected", "rest")

    async def test_decided_by_the_code_that_the_prompt_shows(self, owner: Person, double: TelegramDouble):
        chat = Chat(double, ANA)
        await linked(owner, chat)
        conversation = await owner.conversation()
        await owner.reply(conversation, "add the task Buy milk")
        await owner.say(conversation, "delete the task Buy milk", wait=30)
        prompt = await chat.shows("DESTROYS SOMETHING", "/reject")
        approval = await owner.asked()
        code = prompt["text"].partition("/reject ")[2][:6]
        chat.say(f"/reject {code.lower()} we need it")
        closed = await chat.shows("Rejected by Ana on Telegram", ": we need it.")
        chat.say(f"/approve {code}")
        await chat.shows("This code does not hold here")
        found = await owner.get(f"/approvals/{approval['id']}")

        assert code not in closed["text"]
        assert (found["state"], found["comment"], found["decided_door"]) == ("rejected", "we need it", "telegram")
