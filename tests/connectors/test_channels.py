"""What holds for every channel there is: each folder with a channel.py is put to this."""

import ast
import json
from pathlib import Path

import httpx
import pytest

from connectors.channel import Channel, ChannelKind, Hook, NotVerified, OutMessage, channel_kinds
from core.incoming import INBOUND
from core.outgoing import Button, Fact, Headline, Plain, Prose, Quoted

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"telegram": {"token": "7:" + "A" * 35}}
"""The least that each needs to be set up; a new channel adds its own."""
LONG = OutMessage(
    parts=(Headline(text="H"), Plain(text="p" * 9000), Prose(text="**b** " * 900), Fact(label="a", text="<" * 3000)),
    buttons=((Button(label="Approve", data="a1:" + "x" * 22 + ":y20"),),),
)


@pytest.fixture(params=sorted(channel_kinds()))
def name(request) -> str:
    return str(request.param)


@pytest.fixture
def kind(name: str) -> ChannelKind:
    return channel_kinds()[name]


@pytest.fixture
def channel(name: str, kind: ChannelKind) -> Channel:
    return kind.make(kind.config.model_validate(SETTINGS[name]), httpx.AsyncClient())


class TestEveryChannel:
    def test_nothing_is_believed_that_nobody_signed(self, channel: Channel):
        for body in (b"", b"{}", b"\xff"):
            with pytest.raises(NotVerified):
                channel.verify(Hook(method="POST", url="https://x.test", headers={}, query={}, body=body))

    @pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"{", b"[" * 3000, b'"\\ud800"'])
    def test_what_cannot_be_read_is_a_value_error(self, channel: Channel, body: bytes):
        with pytest.raises(ValueError):
            channel.parse(body)

    def test_each_captured_payload_is_read_alike_each_time(self, name: str, channel: Channel):
        payloads = sorted((ROOT / "connectors" / name / "fixtures").glob("*.json"))

        assert payloads
        for payload in payloads:
            events = channel.parse(payload.read_bytes())
            assert events == channel.parse(payload.read_bytes())
            assert [INBOUND.validate_json(INBOUND.dump_json(event)) for event in events] == events

    def test_a_long_message_is_split_and_its_buttons_fit(self, channel: Channel):
        payloads = channel.render(LONG)

        assert len(payloads) > 1
        assert "x" * 22 in json.dumps(payloads[-1])
        assert channel.capabilities.max_callback_bytes >= len("a1:" + "x" * 22 + ":y20")

    def test_what_others_say_is_escaped(self, channel: Channel):
        hostile = '<script>alert(1)</script><a href="https://evil.test">x</a>'
        said = OutMessage(parts=(Quoted(label="x", text=hostile), Fact(label="y", text=hostile), Plain(text=hostile)))

        assert "<script>" not in json.dumps(channel.render(said))

    def test_it_knows_of_nothing_above_it(self, name: str):
        for file in (ROOT / "connectors" / name).glob("*.py"):
            tree = ast.parse(file.read_text("utf-8"))
            modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
            assert not {one for one in modules if one.startswith(("api", "workers", "workflows", "core.store"))}
