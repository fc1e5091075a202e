"""Each known weakness of python-socketio and python-engineio, tried with raw frames."""

import json
from collections.abc import Iterator

import httpx
import pytest
import websockets
from structlog.testing import capture_logs

from tests.api.gateway.stage import Stage, eventually

pytestmark = pytest.mark.server

BAD_FRAMES = {
    "no event": "42",
    "an object for an event": "42{}",
    "an empty event": "42[]",
    "a number for a name": "42[1]",
    "half an event": '42["message.send"',
    "an event nested deep": "42" + "[" * 5000 + "]" * 5000,
    "an event nested a little too deep": '42["typing",' + "[" * 20 + "]" * 20 + "]",
    "attachments announced": '459999999-["x"]',
    "attachments on a plain event": '421-["x"]',
    "a binary acknowledgement": "461-[]",
    "binary": b"\x01\x02",
    "binary in base64": "bAAAA",
    "bad base64": "b!!",
    "an unknown packet": "49",
    "an unknown frame": "9",
    "not a digit": "x",
    "a digit of another script": "4²",
    "an open": "0",
    "a ping": "2",
    "nested control": "2" + "[" * 5000,
    "nested message": "4" + "[" * 5000,
    "a message that is an object": '4{"a":1}',
    "an acknowledgement nobody asked for": "431[]",
    "an error from a client": '44{"message":"x"}',
    "a long number": "42" + "1" * 200 + '["typing",{}]',
    "another namespace": '42/admin,["typing",{}]',
    "a second sign-in": '40{"token":"x"}',
}


@pytest.fixture
def logs() -> Iterator[list]:
    with capture_logs() as entries:
        yield entries


class TestForgedEvents:
    @pytest.mark.parametrize("name", ["connect", "connect_error", "disconnect", "disconnecting"])
    async def test_a_reserved_event_ends_the_connection_and_runs_nothing(self, stage: Stage, ana, name) -> None:
        raw = await stage.raw(ana)
        before = stage.gateway.stats()

        await raw.send("42" + json.dumps([name, {"forged": 1}, {"token": "good", "u": "admin"}]))
        frames = await raw.closed()

        assert frames == ["1"]
        await eventually(lambda: stage.gateway.stats()["connections"] == before["connections"] - 1)


class TestBadFrames:
    @pytest.mark.parametrize("frame", BAD_FRAMES.values(), ids=BAD_FRAMES.keys())
    async def test_the_third_ends_the_connection_without_a_traceback(
        self, stage: Stage, ana, frame, logs, capfd, caplog
    ) -> None:
        raw = await stage.raw(ana)

        for _ in range(2):
            await raw.send(frame)
        await raw.send('427["nothing.such",{}]')
        answer = await raw.until("437")
        await raw.send(frame)
        frames = await raw.closed()

        assert '"unknown_event"' in answer
        assert frames == ["1"]
        assert "Traceback" not in "".join(capfd.readouterr()) + caplog.text
        assert not [entry for entry in logs if entry.get("exc_info")]

    @pytest.mark.parametrize(
        "frame", [frame for frame in BAD_FRAMES.values() if isinstance(frame, str)], ids=lambda frame: frame[:8]
    )
    async def test_long_polling_counts_them_too(self, stage: Stage, frame, capfd, caplog) -> None:
        async with httpx.AsyncClient(base_url=stage.url) as http:
            opened = await http.get("/socket.io/?EIO=4&transport=polling")
            sid = json.loads(opened.text[1:])["sid"]
            answers = [
                await http.post(f"/socket.io/?EIO=4&transport=polling&sid={sid}", content=frame.encode())
                for _ in range(5)
            ]

        assert [answer.status_code for answer in answers[:3]] == [200, 200, 200]
        assert answers[4].status_code == 400
        assert "Traceback" not in "".join(capfd.readouterr()) + caplog.text

    async def test_an_empty_frame_is_one_too(self, stage: Stage, ana) -> None:
        raw = await stage.raw(ana)

        for _ in range(3):
            await raw.send("")

        assert await raw.closed() == ["1"]

    async def test_many_are_one_line_in_the_log(self, stage: Stage, ana, logs) -> None:
        for _ in range(10):
            raw = await stage.raw(ana)
            for _ in range(3):
                await raw.send("42{}")
            await raw.closed()

        assert len([entry for entry in logs if "broke the protocol" in entry["event"]]) <= 1

    async def test_a_frame_over_the_limit_ends_the_connection(self, stage: Stage, ana) -> None:
        raw = await stage.raw(ana)

        await raw.send("42" + json.dumps(["typing", {"x": "a" * 140_000}]))

        assert await raw.closed() == []

    async def test_events_before_sign_in_are_refused(self, stage: Stage) -> None:
        raw = await stage.raw()
        await raw.until("0")

        for _ in range(3):
            await raw.send('421["typing",{}]')

        assert await raw.closed() == ["1"]


class TestRequests:
    @pytest.mark.parametrize(
        "query",
        [
            "EIO=4&transport=polling&token=secret",
            "EIO=4&transport=polling&ACCESS_TOKEN=secret",
            "EIO=4&transport=polling&j=0",
            "EIO=4&transport=polling&sid=nobody",
            "EIO=3&transport=polling",
            "EIO=4&transport=carrier-pigeon",
            "EIO=4&transport=websocket",
            "",
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_a_wrong_one_is_refused_without_a_traceback(self, stage: Stage, query, method, capfd, caplog) -> None:
        async with httpx.AsyncClient(base_url=stage.url) as http:
            answer = await http.request(method, f"/socket.io/?{query}")

        assert answer.status_code == 400
        assert "Traceback" not in "".join(capfd.readouterr()) + caplog.text

    async def test_a_token_in_the_address_of_a_websocket_is_refused(self, stage: Stage, ana) -> None:
        address = stage.url.replace("http", "ws") + f"/socket.io/?EIO=4&transport=websocket&token={stage.token(ana)}"

        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(address)

        assert refused.value.response.status_code == 403

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example"]
    )
    async def test_pages_of_other_origins_are_refused(self, stage: Stage, origin) -> None:
        with pytest.raises(websockets.InvalidStatus) as refused:
            await stage.raw(origin=origin)

        assert refused.value.response.status_code == 403

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
    async def test_pages_of_this_server_are_let_in(self, stage: Stage, ana, host) -> None:
        raw = await stage.raw(ana, origin=f"http://{host}:{stage.port}")

        await raw.send('421["nothing.such",{}]')

        assert (await raw.until("431")).startswith('431[{"ok":false')

    async def test_a_body_over_the_limit_is_refused(self, stage: Stage) -> None:
        async with httpx.AsyncClient(base_url=stage.url) as http:
            sid = json.loads((await http.get("/socket.io/?EIO=4&transport=polling")).text[1:])["sid"]
            answer = await http.post(f"/socket.io/?EIO=4&transport=polling&sid={sid}", content=b"4" * 200_000)

        assert answer.status_code == 400


class TestSigningIn:
    @pytest.mark.parametrize(
        "auth",
        [
            "",
            "[]",
            "{}",
            "1",
            '"token"',
            '{"token":""}',
            '{"token":"good-nobody"}',
            '{"token":5}',
            '{"token":"x","user":"u"}',
        ],
    )
    async def test_no_token_no_way_in(self, stage: Stage, auth) -> None:
        raw = await stage.raw()
        await raw.until("0")
        before = stage.gateway.stats()["connections"]

        await raw.send("40" + auth)
        answer = await raw.next()

        assert answer.startswith("44")
        assert json.loads(answer[2:])["data"]["code"] in {"invalid", "not_signed_in"}
        assert stage.gateway.stats()["connections"] == before

    async def test_another_namespace_is_no_way_in(self, stage: Stage, ana) -> None:
        raw = await stage.raw()
        await raw.until("0")

        for _ in range(3):
            await raw.send(f'40/admin,{{"token":"{stage.token(ana)}"}}')

        assert await raw.closed() == ["1"]

    async def test_leaving_ends_the_connection(self, stage: Stage, ana) -> None:
        raw = await stage.raw(ana)

        await raw.send("41")

        assert await raw.closed() == ["1"]
