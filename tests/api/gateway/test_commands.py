"""Normal use, on both transports, and what is refused."""

import pytest

from core.permissions import Principal
from tests.api.gateway.stage import Stage


class TestTalking:
    @pytest.mark.parametrize("transports", [("websocket",), ("polling",), ("polling", "websocket")])
    async def test_a_message_is_kept_and_everybody_hears_it(self, stage: Stage, ana, bo, transports) -> None:
        conversation = await stage.conversation(ana, bo)
        speaker = await stage.listener(ana, transports)
        other = await stage.listener(bo, transports)
        for one in (speaker, other):
            assert (await one.call("conversation.join", {"conversation_id": conversation}))["ok"]

        sent = {"conversation_id": conversation, "text": "Grüße 👋", "client_message_id": "m1"}
        first = await speaker.call("message.send", sent)
        again = await speaker.call("message.send", sent)

        assert first["ok"]
        assert again["data"] == first["data"] | {"duplicate": True}
        for one in (speaker, other):
            await one.until(lambda it: bool(it.named("turn.started")))
            messages = [payload["event"]["message"]["text"] for payload in one.named("message.created")]
            assert messages == ["Grüße 👋"]
            assert one.numbers(conversation) == list(range(1, len(one.numbers(conversation)) + 1))

    async def test_a_socket_is_greeted_with_its_inbox(self, stage: Stage, ana: Principal) -> None:
        listener = await stage.listener(ana, door="cli")

        greeting = listener.named("connected")[0]

        assert greeting["user"] == {"id": ana.user_id, "name": ana.name, "role": "member"}
        assert greeting["workspace_id"] == ana.workspace_id
        assert greeting["inbox"]["stream"] == ana.membership_id
        assert greeting["offline_model"] is True
