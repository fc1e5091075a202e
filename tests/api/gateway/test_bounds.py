"""Each bound on what a socket may do, hit from outside; and what stays of those who left."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import websockets

from core.permissions import Principal
from tests.api.gateway.stage import Stage, eventually, open_stage

pytestmark = pytest.mark.server


class TestBounds:
    @pytest.fixture
    async def strict(self, tmp_path) -> AsyncIterator[Stage]:
        async with open_stage(tmp_path, socket_auth_seconds=0.3, socket_queue=50, sockets_per_user=2) as opened:
            yield opened

    @pytest.fixture
    async def cy(self, strict: Stage) -> Principal:
        return await strict.person(await strict.workspace())

    async def test_who_does_not_sign_in_in_time_is_cut(self, strict: Stage) -> None:
        raw = await strict.raw()

        frames = await raw.closed()

        assert frames[1:] == ["1"]
        assert strict.gateway.server._conduct == {}

    async def test_a_long_poll_that_does_not_sign_in_is_cut(self, strict: Stage) -> None:
        async with httpx.AsyncClient(base_url=strict.url, timeout=10) as http:
            sid = json.loads((await http.get("/socket.io/?EIO=4&transport=polling")).text[1:])["sid"]
            answer = await http.get(f"/socket.io/?EIO=4&transport=polling&sid={sid}")

        assert answer.text == "1"
        assert sid not in strict.gateway.server.eio.sockets

    async def test_an_upgrade_that_is_not_finished_is_cut(self, strict: Stage, cy) -> None:
        async with httpx.AsyncClient(base_url=strict.url, timeout=10) as http:
            sid = json.loads((await http.get("/socket.io/?EIO=4&transport=polling")).text[1:])["sid"]
            address = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
            await http.post(address, content=f'40{{"token":"{strict.token(cy)}"}}')
            upgrade = strict.url.replace("http", "ws") + f"/socket.io/?EIO=4&transport=websocket&sid={sid}"
            async with websockets.connect(upgrade) as wire:
                with pytest.raises(websockets.ConnectionClosed):
                    await wire.recv()
            answer = await http.get(address)

        assert '42["connected"' in answer.text

    async def test_a_person_has_so_many_sockets(self, strict: Stage, cy) -> None:
        held = [await strict.raw(cy), await strict.raw(cy)]
        third = await strict.raw()
        await third.until("0")
        await third.send("40" + json.dumps({"token": strict.token(cy)}))
        refused = await third.until("44")
        await held[0].send("41")
        await held[0].closed()

        fourth = await strict.raw(cy)

        assert json.loads(refused[2:])["data"]["code"] == "too_many"
        assert fourth.wire.state is websockets.State.OPEN

    async def test_a_slow_reader_is_cut_and_its_queue_stays_short(self, strict: Stage, cy) -> None:
        conversation = await strict.conversation(cy)
        raw = await strict.raw(cy, max_queue=1)
        await raw.send(f'421["conversation.join",{{"conversation_id":"{conversation}"}}]')
        await raw.until("431")
        (line,) = strict.gateway.server.eio.sockets.values()
        longest = 0

        for _ in range(60):
            await strict.append(conversation, 10, title="x" * 60_000)
            longest = max(longest, line.queue.qsize())
            if line.closed:
                break

        await eventually(lambda: strict.gateway.stats()["connections"] == 0)
        assert line.closed
        assert line.web_socket.asgi_send.__self__.transport.is_closing()
        assert longest <= 50
        assert line.queue.size == 0
        assert strict.gateway.stats()["streams"] == 0
        assert strict.gateway.stats()["slow_readers_cut"] == 1


class TestFloods:
    async def test_what_is_too_much_is_refused_and_then_the_door_closes(self, stage: Stage, ana) -> None:
        raw = await stage.raw(ana)

        for number in range(300):
            await raw.send(f'42{number}["nothing.such",{{}}]')
        frames = await raw.closed()

        refused = [frame for frame in frames if '"too_many"' in frame]
        assert 30 <= len([frame for frame in frames if '"unknown_event"' in frame]) <= 80
        assert len(refused) >= 150
        assert '"retry_after"' in refused[0]
        assert frames[-1] == "1"

    async def test_a_burst_that_stops_is_forgiven(self, stage: Stage, ana) -> None:
        raw = await stage.raw(ana)

        for number in range(60):
            await raw.send(f'42{number}["nothing.such",{{}}]')
        answers = [await raw.until("43") for _ in range(60)]

        assert any('"too_many"' in answer for answer in answers)
        assert raw.wire.state is websockets.State.OPEN

    async def test_so_many_are_worked_on_at_once(self, stage: Stage, ana) -> None:
        conversation = await stage.conversation(ana)
        raw = await stage.raw(ana)

        async with stage.database.writing():
            for number in range(36):
                message = {"conversation_id": conversation, "text": "Hi", "client_message_id": f"m{number}"}
                await raw.send(f"42{number}" + json.dumps(["message.send", message]))
            refused = [await raw.until("43") for _ in range(4)]
        accepted = [await raw.until("43") for _ in range(32)]

        assert all('"too_many"' in answer for answer in refused)
        assert all('"ok":true' in answer for answer in accepted)


class TestForgetting:
    async def test_nothing_stays_of_those_who_left(self, tmp_path) -> None:
        async with open_stage(tmp_path) as stage:
            ana = await stage.person(await stage.workspace())
            conversation = await stage.conversation(ana)
            for transport in ("websocket", "polling") * 3:
                listener = await stage.listener(ana, (transport,))
                await listener.call("conversation.join", {"conversation_id": conversation})
                await listener.leave()
            server = stage.gateway.server
            await eventually(lambda: stage.gateway.stats()["connections"] == 0)
            await eventually(lambda: not server.eio.sockets)

            assert (server.manager.rooms, server.environ, server._conduct) == ({}, {}, {})
            assert stage.gateway.stats()["streams"] == 0
            assert server._pending == 0

    async def test_a_client_that_leaves_while_it_is_let_in_is_forgotten(self, tmp_path, monkeypatch) -> None:
        async with open_stage(tmp_path) as stage:
            ana = await stage.person(await stage.workspace())
            entered, go_on = asyncio.Event(), asyncio.Event()
            authenticate = stage.tokens.authenticate

            async def slowly(database, token):
                entered.set()
                await go_on.wait()
                return await authenticate(database, token)

            monkeypatch.setattr(stage.tokens, "authenticate", slowly)
            async with httpx.AsyncClient(base_url=stage.url, timeout=10) as http:
                sid = json.loads((await http.get("/socket.io/?EIO=4&transport=polling")).text[1:])["sid"]
                address = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
                signing_in = asyncio.create_task(http.post(address, content=f'40{{"token":"{stage.token(ana)}"}}'))
                await entered.wait()
                await stage.gateway.server.eio.disconnect(sid)
                go_on.set()
                await signing_in

            await eventually(lambda: stage.gateway.stats()["connections"] == 0)
            assert stage.gateway.server.manager.rooms == {}


class TestForgetfulDoors:
    async def test_a_handler_that_does_not_answer_lets_nobody_in(self, stage: Stage, ana, monkeypatch) -> None:
        monkeypatch.setattr(stage.gateway, "connect", _forgets)
        raw = await stage.raw()
        await raw.until("0")

        await raw.send("40" + json.dumps({"token": stage.token(ana)}))

        assert (await raw.next()).startswith("44")


async def _forgets(*_: object) -> None:
    return None
