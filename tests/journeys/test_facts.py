"""What a person asks to be remembered and forgotten, by talking, without a language model; by REST alone."""

import pytest

from tests.journeys.person import Person
from tests.journeys.product import Product
from tests.world import eventually

pytestmark = [pytest.mark.journey, pytest.mark.server]


class TestRemembering:
    async def test_the_story_by_talking(self, product: Product, owner: Person):
        conversation = await owner.conversation()
        answer = await owner.reply(conversation, "remember that I am fond of zyxwords")

        async def known(count: int) -> bool:
            return len((await owner.get("/facts"))["items"]) == count

        await eventually(lambda: known(1))
        (fact,) = (await owner.get("/facts"))["items"]
        secret = await owner.reply(conversation, "remember my password is hunter2")
        dropped = await owner.reply(conversation, "forget that I am fond of zyxwords")
        await eventually(lambda: known(0))
        said = await owner.get(f"/messages/{fact['message_id']}")

        assert "I will remember: I am fond of zyxwords" in answer
        assert (fact["text"], fact["origin"], fact["conversation_id"]) == (
            "I am fond of zyxwords",
            "said",
            conversation,
        )
        assert "no passwords" in secret
        assert "I will forget" in dropped
        assert said["forgotten_at"] is not None

    async def test_what_was_written_and_forgotten_is_in_no_file_soon_after(self, product: Product, owner: Person):
        fact = await owner.post("/facts", {"text": "Zebras yodel quixotically"})
        held = [file for file in product.data.glob("assent.db*") if b"yodel" in file.read_bytes()]
        await owner.http.delete(f"/facts/{fact['id']}")

        async def is_gone() -> bool:
            return not any(b"yodel" in file.read_bytes() for file in product.data.glob("assent.db*"))

        assert held
        await eventually(is_gone)

    async def test_a_reply_offers_what_may_be_said_next(self, owner: Person):
        conversation = await owner.conversation()
        said = await owner.say(conversation, "add the task Buy milk", wait=30)

        assert said["reply"]["suggestions"] == ["list my tasks", "complete the task Buy milk"]
