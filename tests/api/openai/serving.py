"""The whole server on a free port, with workers, a real Temporal server and a scripted model; and Node programs."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from api.app import build_doors
from api.gateway.serving import uvicorn_options
from core.clock import now
from core.permissions import Scope
from core.settings import Settings
from core.store import api_tokens
from core.store.work import change
from core.tables.people import Session
from tests.api.rest.house import ReadyTemporal
from tests.doubles.packages import ROOT, install
from tests.workflows.stage import Stage

PACKAGE = ROOT / "tests" / "doubles" / "openai_clients"


class Served:
    """A running server and one person's token for programs."""

    def __init__(self, stage: Stage, url: str, secret: str) -> None:
        self.stage = stage
        self.url = url
        self.secret = secret

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"BASE_URL": f"{self.url}/v1", "API_KEY": self.secret}


@asynccontextmanager
async def serving(stage: Stage, folder: Path) -> AsyncIterator[Served]:
    """Serve the stage's conversations."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    settings = Settings(data_dir=folder, public_url=url, conversations_per_minute=100, messages_per_minute=100)
    app = build_doors(settings, stage.database, stage.workflows, stage.rooms, stage.ring, ReadyTemporal())
    server = uvicorn.Server(
        uvicorn.Config(app, lifespan="on", log_config=None, access_log=False, **uvicorn_options(settings))
    )
    task = asyncio.create_task(server._serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield Served(stage, url, await _secret(stage))
    finally:
        server.should_exit = True
        await task


async def _secret(stage: Stage) -> str:
    who = stage.ana
    await stage.add(Session(id=who.session_id, user_id=who.user_id, workspace_id=who.workspace_id, created_at=now()))
    async with change(stage.database, stage.rooms) as work:
        _, secret = await api_tokens.create(work, stage.audit, who, name="x", days=1, scopes={Scope.CHAT, Scope.READ})
    return secret


async def installed() -> Path:
    """Return the folder with the clients and Node."""
    return await asyncio.to_thread(install, PACKAGE)


class Node:
    """A running Node program whose answers are lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            return (await self._process.stdout.readline()).decode().strip()

    async def value(self) -> Any:
        """The next line, as JSON."""
        line = await self.line()
        assert line, await self.complaint()
        return json.loads(line)

    async def complaint(self) -> str:
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode()


@asynccontextmanager
async def node(served: Served, program: str, *words: str) -> AsyncIterator[Node]:
    """Run one of the programs against the server."""
    home = await installed()
    process = await asyncio.create_subprocess_exec(
        home / "node" / "node",
        home / program,
        *words,
        cwd=home,
        env=served.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Node(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
