"""The newcomer's story at the command line alone: single commands for programs, and a talk at a terminal."""

import pytest

from tests.journeys.person import EMAIL, PASSWORD, Person, until
from tests.journeys.product import Product
from tests.journeys.terminal import Terminal

pytestmark = [pytest.mark.journey, pytest.mark.server]


class TestCommands:
    async def test_the_whole_story_as_a_program_tells_it(self, product: Product, terminal: Terminal):
        added = await terminal.run(
            *("users", "add", EMAIL, "--role", "owner", "--name", "Ana", "--password-stdin"),
            *("--data", str(product.data)),
            typed=f"{PASSWORD}\n",
        )
        assert added.code == 0, added
        assert (await terminal.login(product.url)).code == 0
        for text in ("add the task Buy milk", "add the task Call Ben"):
            assert (await terminal.run("chat", text)).code == 0
        listed = await terminal.run("chat", "list my tasks")
        asked = (await terminal.run("chat", "delete the task Buy milk", "--json")).data
        approval = (await terminal.run("approvals", "list", "--json")).data["items"][0]
        shown = await terminal.run("approvals", "show", approval["id"])
        unsure = await terminal.run("approvals", "approve", approval["id"])
        decided = (await terminal.run("approvals", "approve", approval["id"], "--yes", "--json")).data
        again = await terminal.run("approvals", "reject", approval["id"], "--yes")
        async with Person(product.url) as person:
            await person.sign_in()
            await person.ended(asked["turn"]["id"])
        after = await terminal.run("chat", "list my tasks")
        history = await terminal.run("history", asked["turn"]["id"])
        verified = await terminal.run("audit", "verify")
        health = (await terminal.run("health", "--json")).data

        assert "Buy milk" in listed.out
        assert ("waiting", approval["id"]) == (asked["turn"]["state"], asked["approvals"][0]["id"])
        assert "Buy milk" in shown.out
        assert "DESTRUCTIVE" in shown.out
        assert (unsure.code, "--yes" in unsure.err) == (2, True), unsure
        assert (decided["state"], decided["approval"]["state"]) == ("accepted", "approved")
        assert (again.code, "Ana" in again.err) == (4, True), again
        assert ("Buy milk" in after.out, "Call Ben" in after.out) == (False, True)
        assert "tasks.delete" in history.out
        assert verified.code == 0
        assert (health["status"], health["offline_model"]) == ("ok", True)

    async def test_a_stranger_is_told_what_to_do(self, product: Product, terminal: Terminal):
        unsigned = await terminal.run("chat", "hello")
        wrong = await terminal.login(product.url, password="not the password")
        away = await terminal.login("http://127.0.0.1:9")

        assert (unsigned.code, "assent login" in unsigned.err) == (3, True), unsigned
        assert (wrong.code, wrong.err.startswith("assent: ")) == (3, True), wrong
        assert (away.code, "127.0.0.1:9" in away.err) == (5, True), away


class TestTalkAtATerminal:
    async def test_consent_is_asked_and_given_in_the_talk(self, product: Product, owner: Person, terminal: Terminal):
        await terminal.login(product.url)
        async with terminal.open("chat", "--new") as talk:
            await talk.until("leaves.")
            talk.type("add the task Buy milk")
            place = await talk.until("Added")
            talk.type("delete the task Buy milk")
            place = await talk.until("Approve with", after=place)
            talk.type("a")
            place = await talk.until("Approved by Ana", after=place)
            place = await talk.until("Deleted", after=place)
            talk.type("list my tasks")
            await talk.until("no tasks", after=place)
            talk.press_control_d()
            code = await talk.ended()

        assert code == 0
        assert "DESTRUCTIVE" in talk.seen
        assert "Traceback" not in talk.seen

    async def test_control_c_stops_the_answer_and_then_leaves(
        self, product: Product, owner: Person, terminal: Terminal
    ):
        await terminal.login(product.url)
        async with terminal.open("chat", "--new") as talk:
            await talk.until("leaves.")
            talk.type("add the task Buy milk")
            place = await talk.until("Added")
            talk.type("delete the task Buy milk")
            place = await talk.until("Approve with", after=place)
            talk.press_control_c()
            await talk.until("(stopped)", after=place)
            talk.press_control_c()
            code = await talk.ended()
        conversation = (await owner.get("/conversations"))["items"][0]["id"]
        await until(lambda: _none_pending(owner))

        assert code == 130
        assert "Buy milk" in await owner.reply(conversation, "list my tasks")
        assert "Traceback" not in talk.seen


async def _none_pending(person: Person) -> bool:
    return not await person.pending()
