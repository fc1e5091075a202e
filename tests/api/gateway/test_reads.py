"""Read receipts and threads over the socket: the others of a conversation hear of them."""

from core.ids import new_id
from tests.api.gateway.stage import Stage


class TestReads:
    async def test_the_others_see_how_far_somebody_has_read(self, stage: Stage, ana, bo) -> None:
        conversation = await stage.conversation(ana, bo)
        reader, speaker = await stage.listener(bo), await stage.listener(ana)
        await speaker.call("conversation.join", {"conversation_id": conversation})
        await speaker.call("message.send", {"conversation_id": conversation, "text": "Hi", "client_message_id": "a"})
        await speaker.until(lambda one: bool(one.named("message.created")))
        position = speaker.named("message.created")[0]["event"]["message"]["position"]

        first = await reader.call("read", {"conversation_id": conversation, "position": position})
        again = await reader.call("read", {"conversation_id": conversation, "position": 0})

        assert (first["data"]["position"], again["data"]) == (position, first["data"])
        await speaker.until(lambda one: bool(one.named("member.read")))
        (heard,) = speaker.named("member.read")
        assert heard["event"]["read"] == first["data"]
        assert heard["event"]["read"]["user_id"] == bo.user_id


class TestThreads:
    async def test_a_reply_goes_into_its_thread(self, stage: Stage, ana) -> None:
        conversation = await stage.conversation(ana)
        speaker = await stage.listener(ana)
        await speaker.call("conversation.join", {"conversation_id": conversation})
        said = {"conversation_id": conversation, "text": "Hi", "client_message_id": "a"}
        root = (await speaker.call("message.send", said))["data"]["message_id"]

        sent = await speaker.call("message.send", said | {"client_message_id": "b", "reply_to_id": root})
        missing = await speaker.call("message.send", said | {"client_message_id": "c", "reply_to_id": new_id("msg")})

        assert sent["ok"]
        assert missing["error"]["code"] == "not_found"
        await speaker.until(lambda one: len(one.named("message.created")) > 1)
        reply = speaker.named("message.created")[1]["event"]["message"]
        assert (reply["reply_to_id"], reply["thread_id"]) == (root, root)
