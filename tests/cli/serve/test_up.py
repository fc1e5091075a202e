"""`assent up`, as a person starts and stops it."""

import asyncio
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from cli.serve.lock import take_lock

pytestmark = pytest.mark.server
ROOT = Path(__file__).resolve().parents[3]
ASSENT = (sys.executable, "-c", "from cli.main import main; main()")
READY = re.compile(r"Assent is ready at (http://127\.0\.0\.1:\d+)\n")
LIMIT = 60.0
CRASH_SIGNS = ("PyGILState", "Fatal Python error", "Traceback")

Start = Callable[..., Coroutine[Any, Any, Process]]


@pytest_asyncio.fixture(loop_scope="session")
async def start(tmp_path) -> AsyncIterator[Start]:
    started: list[Process] = []

    async def start_one(*arguments: str, command: str = "up", **environment: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            *ASSENT,
            *(command, "--data", str(tmp_path / "data"), *arguments),
            cwd=ROOT,
            env={**os.environ, "ASSENT_MEMORY": "false", **environment},
            stdout=PIPE,
            stderr=PIPE,
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def address_of(process: Process) -> str:
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), LIMIT)).decode()
    found = READY.fullmatch(line)
    assert found, f"not the ready line: {line!r}"
    return found[1]


async def ended(process: Process) -> tuple[int | None, str, str]:
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    return process.returncode, out.decode(), err.decode()


async def temporal_is_gone(data: Path) -> bool:
    handle = await asyncio.to_thread(take_lock, data / "temporal" / "lock", within=LIMIT)
    if handle is None:
        return False
    os.close(handle)
    return True


class TestLife:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    async def test_one_ready_line_and_a_clean_end(self, start, tmp_path, number):
        process = await start("--port", "0", "--no-browser")
        address = await address_of(process)
        async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
            ready = await client.get("/api/v1/ready")
        process.send_signal(number)
        code, out, err = await ended(process)

        assert ready.status_code == 200
        assert (code, out) == (0, "")
        assert not [sign for sign in CRASH_SIGNS if sign in err]
        assert await temporal_is_gone(tmp_path / "data")

    async def test_nobody_else_can_read_what_it_writes_into_an_open_folder(self, start, tmp_path):
        data = tmp_path / "data"
        data.mkdir(mode=0o755)
        process = await start("--port", "0", "--no-browser")
        await address_of(process)
        process.terminate()
        await ended(process)
        files = [one for one in data.rglob("*") if not one.is_symlink()]

        assert {"assent.db", "temporal.db"} <= {one.name for one in files}
        assert [str(one) for one in files if one.stat().st_mode & 0o077] == []

    async def test_a_new_server_tells_the_first_visitors_code(self, start):
        process = await start("--port", "0", "--no-browser")
        await address_of(process)
        process.terminate()
        _, _, err = await ended(process)

        assert re.search(r"^First visit\? Your one-time code: \w{4}-\w{4}$", err, re.MULTILINE)

    async def test_it_can_be_stopped_while_it_starts(self, start, tmp_path):
        process = await start("--port", "0", "--no-browser")
        assert process.stderr is not None
        assert await process.stderr.readline() == b"Starting Temporal ...\n"
        process.terminate()
        code, out, err = await ended(process)

        assert (code, out) == (0, "")
        assert not [sign for sign in CRASH_SIGNS if sign in err]
        assert await temporal_is_gone(tmp_path / "data")

    async def test_a_second_signal_forces(self, start, tmp_path):
        process = await start("--port", "0", "--no-browser")
        await address_of(process)
        process.terminate()
        process.terminate()
        code, _, _ = await ended(process)

        assert code in {0, 128 + signal.SIGTERM}
        assert await temporal_is_gone(tmp_path / "data")

    async def test_killed_it_leaves_nothing_behind_and_starts_again(self, start, tmp_path):
        process = await start("--port", "0", "--no-browser")
        await address_of(process)
        process.kill()
        await ended(process)

        assert await temporal_is_gone(tmp_path / "data")
        again = await start("--port", "0", "--no-browser")
        assert await address_of(again)


class TestRefusals:
    async def test_a_second_instance_on_the_same_data(self, start):
        process = await start("--port", "0", "--no-browser")
        await address_of(process)
        code, out, err = await ended(await start("--port", "0", "--no-browser"))

        assert (code, out) == (75, "")
        assert f"process {process.pid}" in err

    async def test_a_port_that_somebody_has(self, start, tmp_path):
        with closing(socket.create_server(("127.0.0.1", 0))) as other:
            code, out, err = await ended(await start("--port", str(other.getsockname()[1])))

        assert (code, out) == (75, "")
        assert "--port" in err
        assert not (tmp_path / "data" / "temporal").exists()

    async def test_the_network_with_the_defaults(self, start, tmp_path):
        code, out, err = await ended(await start("--host", "0.0.0.0", "--port", "0"))

        assert (code, out) == (78, "")
        assert "ASSENT_ALLOW_NETWORK" in err
        assert not (tmp_path / "data").exists()

    async def test_a_wrong_setting(self, start):
        code, out, err = await ended(await start(ASSENT_ROUNDS="none"))

        assert (code, out) == (78, "")
        assert err.startswith("assent: Wrong settings. rounds (ASSENT_ROUNDS)")

    async def test_keys_that_others_may_read(self, start, tmp_path):
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "keys.json").touch()
        (tmp_path / "data" / "keys.json").chmod(0o644)
        code, out, err = await ended(await start("--port", "0"))

        assert (code, out) == (78, "")
        assert "chmod 600" in err

    async def test_a_worker_without_a_server(self, start):
        code, out, err = await ended(await start(command="worker"))

        assert (code, out) == (78, "")
        assert "ASSENT_TEMPORAL_ADDRESS" in err

    async def test_a_worker_for_a_queue_that_is_not_there(self, start):
        code, out, err = await ended(await start("--queues", "turns,nope", command="worker"))

        assert (code, out) == (78, "")
        assert err.startswith(
            "assent: There is no task queue nope. There are: actions, index, memory, models, steps, turns."
        )
