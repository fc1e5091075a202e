"""Normal use, on both transports, and what is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from api.gateway.clients import Client
from api.gateway.handlers import HANDLERS, answer
from core.ids import new_id
from core.permissions import Door, Principal, Role
from core.tables.consent import Decision
from core.tables.talk import Message
from core.tables.work import Turn
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

    async def test_the_operation_mode_is_for_those_who_may_and_told_to_all(self, stage: Stage, ana: Principal) -> None:
        approver = await stage.person(ana.workspace_id, Role.APPROVER)
        stops, hears = await stage.listener(approver), await stage.listener(ana)

        refused = await hears.call("workspace.mode", {"mode": "emergency"})
        stopped = await stops.call("workspace.mode", {"mode": "emergency"})
        again = await stops.call("workspace.mode", {"mode": "assisted"})

        assert [one.get("error", {}).get("code") for one in (refused, stopped, again)] == [
            "not_allowed",
            None,
            "not_allowed",
        ]
        assert stopped["data"]["operation_mode"] == "emergency"
        await hears.until(lambda it: bool(it.named("workspace.updated")))
        assert hears.named("workspace.updated")[0]["event"]["workspace"] == stopped["data"]


GOOD: dict[str, dict] = {
    "message.send": {"conversation_id": "cnv", "text": "Hi", "client_message_id": "m"},
    "message.edit": {"message_id": "msg", "text": "Hi", "client_message_id": "e"},
    "turn.stop": {"turn_id": "trn"},
    "turn.regenerate": {"turn_id": "trn", "client_message_id": "g"},
    "conversation.stop": {"conversation_id": "cnv", "queued": True},
    "turn.retry": {"turn_id": "trn", "client_message_id": "r"},
    "decision.submit": {"approval_id": "apr", "verdict": "approve", "digest": "0" * 64, "decision_id": "d"},
    "conversation.join": {"conversation_id": "cnv"},
    "conversation.leave": {"conversation_id": "cnv"},
    "conversation.resume": {"conversation_id": "cnv", "epoch": "e", "after_seq": 0},
    "inbox.resume": {"epoch": "e", "after_seq": 0},
    "typing": {"conversation_id": "cnv", "typing": True},
    "read": {"conversation_id": "cnv", "position": 0},
    "workspace.mode": {"mode": "emergency"},
}
BAD_VALUES: list[Any] = [
    None,
    "",
    " ",
    5,
    -1,
    2**70,
    1.5,
    True,
    [],
    {},
    ["x"],
    "a\x00b",
    "\ud800",
    "x' OR 1=1 --",
    "../etc",
    "é" * 5000,
]


def filled(name: str) -> dict:
    """An event as it should be, with ids of things that are not there."""
    return {
        key: new_id(value) if key.endswith("_id") and len(value) == 3 else value for key, value in GOOD[name].items()
    }


def bad_inputs(name: str) -> Iterator[tuple[str, list]]:
    arguments: list[Any]
    for arguments in ([], [None], ["x"], [[]], [{}], [filled(name), {}], [filled(name) | {"user_id": "usr"}]):
        yield "arguments", arguments
    for field in GOOD[name]:
        for value in BAD_VALUES:
            yield field, [filled(name) | {field: value}]


async def rows(stage: Stage) -> list[int]:
    async with stage.database.reading() as session:
        return [
            (await session.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (Message, Turn, Decision)
        ]


class TestBadInput:
    @pytest.mark.parametrize("name", HANDLERS)
    async def test_each_is_refused_clearly_and_nothing_is_kept(self, stage: Stage, ana, name, capfd, caplog) -> None:
        client = Client("sid", None, ana, Door.SOCKET)  # type: ignore[arg-type]  # nothing is sent to it
        codes: dict[str, list[str]] = {"invalid": [], "not_found": [], "resync_required": [], "too_large": []}
        before = await rows(stage)

        with capture_logs() as logs:
            for field, arguments in bad_inputs(name):
                answered = await answer(stage.gateway._desk, client, name, arguments)
                if name != "conversation.leave" or not answered["ok"]:
                    codes[answered["error"]["code"]].append(field)

        assert codes["invalid"].count("arguments") == 7
        assert set(codes["invalid"]) == {"arguments", *GOOD[name]}
        assert [entry for entry in logs if entry["log_level"] == "error"] == []
        assert "Traceback" not in "".join(capfd.readouterr()) + caplog.text
        assert await rows(stage) == before

    @pytest.mark.parametrize(
        "name", ["", "*", "message", "message.erase", "reads", "__class__", "constructor", "a" * 1000]
    )
    async def test_an_unknown_event_is_told_so(self, stage: Stage, ana, name) -> None:
        listener = await stage.listener(ana)

        answered = await listener.call(name, {})

        assert answered["error"]["code"] == "unknown_event"
        assert "message.send" in answered["error"]["detail"]

    async def test_one_wrong_field_is_told_with_its_reason(self, stage: Stage, ana) -> None:
        listener = await stage.listener(ana)
        good = {"conversation_id": new_id("cnv"), "text": "x", "client_message_id": "1"}
        one = await listener.call("message.send", good | {"text": "a\x00b"})
        two = await listener.call("message.send", {"text": "x"})

        assert one["error"]["detail"] == "text: must not contain the NUL character."
        assert two["error"]["detail"] == "These fields are not right: conversation_id, client_message_id."

    async def test_a_broken_server_still_answers(self, stage: Stage, ana, monkeypatch) -> None:
        async def breaks(*_: object) -> None:
            raise ZeroDivisionError

        conversation = await stage.conversation(ana)
        listener = await stage.listener(ana)
        monkeypatch.setattr(stage.intake, "submit_message", breaks)

        said = filled("message.send") | {"conversation_id": conversation}
        with capture_logs() as logs:
            answered = await listener.call("message.send", said)

        assert answered["error"]["code"] == "error"
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["a socket event failed"]

    async def test_an_error_names_the_field_and_not_what_was_in_it(self, stage: Stage, ana) -> None:
        listener = await stage.listener(ana)

        answered = await listener.call(
            "message.send", filled("message.send") | {"conversation_id": "secret", "role": 1}
        )

        assert {one["field"] for one in answered["error"]["fields"]} == {"conversation_id", "role"}
        assert "secret" not in str(answered)
