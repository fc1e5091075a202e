"""The Temporal child: started as it should be, started again, ended with us."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from cli.exit import InUse
from cli.serve.lock import take_lock
from cli.serve.temporal_child import TemporalChild
from cli.serve.temporal_place import Ports, TemporalPlace, is_free
from cli.serve.temporal_server import TemporalServer
from core.errors import Misconfigured, Unavailable
from core.keys import KeyRing
from core.temporal import connect

pytestmark = pytest.mark.server
LIMIT = 30.0
RING = KeyRing({"k": b"k" * 32})
HOLDER = """
import asyncio, pathlib, sys
from cli.serve.temporal_server import TemporalServer
async def main():
    server = TemporalServer(pathlib.Path(sys.argv[1]), namespace="default", retention_hours=72, ui_port=None)
    async with server:
        print(server.address, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


def server_at(folder: Path) -> TemporalServer:
    return TemporalServer(folder, namespace="default", retention_hours=100, ui_port=None)


async def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < end, "it never became true"
        await asyncio.sleep(0.02)


def process_of(folder: Path) -> psutil.Process:
    """Find the server's own process: the one that was started on this folder's database and is no tether."""
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        tethered = not any(part.endswith("tether.py") for part in command)
        if tethered and "start-dev" in command and str(folder / "temporal" / "temporal.db") in command:
            return process
    message = "no server"
    raise LookupError(message)


async def retention(client: Client) -> timedelta:
    answer = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace), retry=True
    )
    return answer.config.workflow_execution_retention_ttl.ToTimedelta()


class TestStart:
    async def test_it_is_ready_with_our_retention_and_keeps_its_port(self, tmp_path):
        async with server_at(tmp_path) as server:
            client = await connect(server.address, "default", RING)
            first = server.address

            assert (server.state, server.restarts) == ("ready", 0)
            assert await retention(client) == timedelta(hours=100)
        assert server.state == "down"
        async with server_at(tmp_path) as server:
            assert server.address == first

    async def test_it_is_reached_on_loopback_only(self, tmp_path):
        async with server_at(tmp_path):
            listening = [
                one.laddr.ip
                for one in process_of(tmp_path).net_connections(kind="tcp")
                if one.status == psutil.CONN_LISTEN
            ]

        assert set(listening) <= {"127.0.0.1", "::1"}

    async def test_it_gets_none_of_our_secrets(self, tmp_path, monkeypatch):
        monkeypatch.setenv("ASSENT_KEYS", "k:secret")
        async with server_at(tmp_path):
            environment = process_of(tmp_path).environ()

        assert environment["GOGC"] == "400"
        assert not [name for name in environment if name.startswith("ASSENT_")]

    async def test_other_ports_are_taken_when_its_own_are_not_free(self, tmp_path):
        place = TemporalPlace(tmp_path)
        ports = place.choose_ports(None)
        taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", ports.port)
        async with taken, server_at(tmp_path) as server:
            assert server.address != ports.address
            assert server.state == "ready"

    @pytest.mark.parametrize("which", ["port", "ui_port"])
    async def test_a_port_that_others_took_after_it_was_chosen_is_chosen_anew(self, tmp_path, monkeypatch, which):
        choose = TemporalPlace.choose_ports
        took: list[socket.socket] = []

        def slow(place: TemporalPlace, ui_port: int | None) -> Ports:
            """Choose, and be overtaken the first time."""
            ports = choose(place, ui_port)
            if not took:
                took.append(socket.create_server(("127.0.0.1", getattr(ports, which))))
            return ports

        monkeypatch.setattr(TemporalPlace, "choose_ports", slow)
        async with server_at(tmp_path) as server:
            state = server.state
        took[0].close()

        assert state == "ready"
        assert len(took) == 1

    async def test_one_that_never_lives_is_given_up_with_its_own_last_word(self, tmp_path):
        place = TemporalPlace(tmp_path)
        place.folder.mkdir()
        place.database.write_bytes(b"no database at all" * 100)

        with pytest.raises(Unavailable, match="file is not a database"):
            async with server_at(tmp_path):
                pass

    async def test_its_last_word_stands_before_a_stack(self, tmp_path):
        log = tmp_path / "temporal.log"
        log.write_text("started\npanic: no port is free\n\ngoroutine 1 [running]:\n" + "\tsomewhere.go:1\n" * 200)
        process = await asyncio.create_subprocess_exec("false")
        await process.wait()

        said = TemporalChild(process, log).obituary().detail

        assert "ended with code 1. panic: no port is free" in said

    async def test_a_database_of_a_newer_server_is_not_opened(self, tmp_path):
        place = TemporalPlace(tmp_path)
        place.folder.mkdir()
        place.version.write_text("99.0.0")

        with pytest.raises(Misconfigured, match=r"99\.0\.0"):
            async with server_at(tmp_path):
                pass
        assert not place.database.exists()

    async def test_two_never_open_the_same_files(self, tmp_path, monkeypatch):
        monkeypatch.setattr("cli.serve.temporal_child._LOCK_WAIT", 0.1)
        async with server_at(tmp_path):
            with pytest.raises(InUse, match="earlier start"):
                async with server_at(tmp_path):
                    pass


class TestDeath:
    async def test_a_killed_server_is_started_again_where_it_was(self, tmp_path):
        async with server_at(tmp_path) as server:
            client = await connect(server.address, "default", RING)
            process_of(tmp_path).kill()
            await until(lambda: server.restarts == 1 and server.state == "ready")

            assert await retention(client) == timedelta(hours=100)

    async def test_a_killed_tether_takes_the_server_with_it_and_both_come_back(self, tmp_path):
        async with server_at(tmp_path) as server:
            client = await connect(server.address, "default", RING)
            tether = process_of(tmp_path).parent()
            assert tether is not None
            tether.kill()
            await until(lambda: server.restarts == 1 and server.state == "ready")

            assert await retention(client) == timedelta(hours=100)

    async def test_it_dies_with_a_killed_parent(self, tmp_path):
        parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", HOLDER, str(tmp_path)), stdout=asyncio.subprocess.PIPE
        )
        assert parent.stdout is not None
        port = int((await parent.stdout.readline()).decode().strip().rpartition(":")[2])
        os.kill(parent.pid, signal.SIGKILL)
        await parent.wait()
        released = await asyncio.to_thread(take_lock, tmp_path / "temporal" / "lock", within=LIMIT)

        assert released is not None
        os.close(released)
        assert is_free(port)
        with pytest.raises(LookupError):
            process_of(tmp_path)
