"""Several people: invitation, whose consent counts, what others cannot see; by REST alone."""

from typing import Any

import pytest

from tests.journeys.person import Person
from tests.journeys.product import Product

pytestmark = [pytest.mark.journey, pytest.mark.server]
BEN = "ben@example.com"
SECRET = "only Ben knows this"


@pytest.fixture
async def member(product: Product, owner: Person) -> Any:
    """Ben, invited by the owner."""
    token = (await owner.post("/invitations", {"email": BEN, "role": "member"}))["token"]
    async with Person(product.url) as ben:
        await ben.post("/invitations/accept", {"token": token, "name": "Ben", "password": SECRET})
        await ben.sign_in(BEN, SECRET)
        yield ben


class TestOwnerAlone:
    async def test_the_story_by_requests(self, owner: Person):
        conversation = await owner.conversation()
        first = await owner.reply(conversation, "hello")
        await owner.reply(conversation, "add the task Buy milk")
        said = await owner.say(conversation, "delete the task Buy milk", wait=30)
        approval = await owner.asked()
        decided = await owner.decide(approval)
        turn = await owner.ended(said["turn_id"])
        later = await owner.decide(approval, "reject", "d-2")
        history = await owner.get(f"/turns/{said['turn_id']}/history")

        assert "offline" in first
        assert (said["requires_approval"], said["approval_id"]) == (True, approval["id"])
        assert (decided.status_code, turn["state"]) == (200, "finished")
        assert (later.status_code, later.json()["decided_by"]) == (409, "Ana")
        assert "Buy milk" not in await owner.reply(conversation, "list my tasks")
        assert {"tasks.delete"} <= {word for entry in history["entries"] for word in entry["title"].split()}
        assert (await owner.get("/audit/verify"))["intact"] is True

    async def test_a_rejection_reaches_the_assistant(self, owner: Person):
        conversation = await owner.conversation()
        await owner.reply(conversation, "add the task Buy milk")
        said = await owner.say(conversation, "delete the task Buy milk", wait=30)
        approval = await owner.asked()
        body = {"verdict": "reject", "digest": approval["digest"], "decision_id": "d-1", "comment": "we need milk"}
        await owner.post(f"/approvals/{approval['id']}/decision", body)
        await owner.ended(said["turn_id"])

        assert "we need milk" in (await owner.messages(conversation))[-1]["text"]
        assert "Buy milk" in await owner.reply(conversation, "list my tasks")


class TestMember:
    async def test_a_destructive_action_needs_the_owner(self, owner: Person, member: Person):
        conversation = await member.conversation()
        await member.reply(conversation, "add the task Water plants")
        said = await member.say(conversation, "delete the task Water plants", wait=30)
        (seen,) = await member.pending()
        refused = await member.decide(seen)
        approval = await owner.asked()
        decided = await owner.decide(approval)
        turn = await member.ended(said["turn_id"])

        assert refused.status_code == 403
        assert (decided.status_code, turn["state"]) == (200, "finished")
        assert "Water plants" not in await member.reply(conversation, "list my tasks")
        assert (await member.get(f"/approvals/{approval['id']}"))["decided_by_name"].startswith("Ana")

    async def test_a_conversation_is_invisible_to_others(self, owner: Person, member: Person):
        mine, theirs = await owner.conversation(), await member.conversation()
        await member.reply(theirs, "add the task Water plants")
        paths = [f"/conversations/{theirs}{part}" for part in ("", "/messages", "/turns", "/calls")]
        answers = [(await owner.http.get(path)).status_code for path in paths]
        said = await owner.http.post(
            f"/conversations/{theirs}/messages", json={"text": "hello", "client_message_id": "x"}
        )
        listed = [one["id"] for one in (await owner.get("/conversations"))["items"]]

        assert answers == [404, 404, 404, 404]
        assert said.status_code == 404
        assert listed == [mine]
        assert "Water plants" not in await owner.reply(mine, "list my tasks")

    async def test_an_invitation_works_once(self, product: Product, owner: Person, member: Person):
        token = (await owner.post("/invitations", {"email": "cy@example.com"}))["token"]
        body = {"token": token, "name": "Cy", "password": "only Cy knows this"}
        async with Person(product.url) as cy:
            first = await cy.http.post("/invitations/accept", json=body)
            second = await cy.http.post("/invitations/accept", json=body)
        refused = await member.http.post("/invitations", json={"email": "di@example.com"})

        assert (first.status_code, refused.status_code) == (201, 403)
        assert second.status_code in {404, 409, 410}, second.text
