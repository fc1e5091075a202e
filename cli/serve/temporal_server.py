"""Keeps a Temporal server running as our child: starts it, watches it, starts it again when it dies."""

import asyncio
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

import structlog
from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from cli.serve.temporal_binary import check_version, find_binary
from cli.serve.temporal_child import TemporalChild, start_child
from cli.serve.temporal_place import LOOPBACK, TemporalPlace, is_served
from core.errors import AssentError, Unavailable
from core.temporal import connect

_TRIES = 3
"""A server dies at its start when others took one of the ports that we chose, or it did, before it could listen."""
_START_LIMIT = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_STEADY = 30.0
_POLL = 0.02
_CALL_LIMIT = timedelta(seconds=5)

log = structlog.get_logger(__name__)


class TemporalServer:
    """The child, from `async with` to its end; `state`, `restarts` and `ui_url` are for health."""

    def __init__(self, data_dir: Path, *, namespace: str, retention_hours: int, ui_port: int | None) -> None:
        """Keep what the child needs; nothing is started yet."""
        self._place = TemporalPlace(data_dir)
        self._namespace = namespace
        self._retention = timedelta(hours=retention_hours)
        self._ui_port = ui_port
        self._state: Literal["starting", "ready", "down"] = "starting"
        self._restarts = 0

    @property
    def state(self) -> str:
        """`starting`, `ready` or `down`."""
        return self._state

    @property
    def restarts(self) -> int:
        """How often the child died and was started again."""
        return self._restarts

    @property
    def address(self) -> str:
        """`HOST:PORT` for clients; the same over restarts of the child."""
        return self._ports.address

    @property
    def ui_url(self) -> str | None:
        """Where the web UI is."""
        return f"http://{LOOPBACK}:{self._ports.ui_port}"

    async def __aenter__(self) -> Self:
        """Start the child and wait until it serves; raises Unavailable, Misconfigured or InUse."""
        self._binary = await find_binary(self._place.downloads)
        check_version(self._place.version, self._binary)
        for left in reversed(range(_TRIES)):
            self._place.rotate_log()
            if await self._begin(last=not left):
                break
        self._place.version.write_text(".".join(map(str, self._binary.version)), "utf-8")
        self._state = "ready"
        self._watch = asyncio.create_task(self._keep_running())
        return self

    async def _begin(self, *, last: bool) -> bool:
        """Start the child on ports that are free; False when it died of itself and this was not the last try."""
        self._ports = self._place.choose_ports(self._ui_port)
        self._child = await self._start()
        try:
            await self._wait_until_listening(self._child)
            self._client = await self._connect(self._child)
            await self._wait_until_serving(self._child)
            await self._set_retention()
        except BaseException as error:
            died = not self._child.alive
            await self._child.end()
            if isinstance(error, Unavailable) and died and not last:
                log.warning("temporal_died_at_its_start", reason=error.detail)
                return False
            raise
        return True

    async def __aexit__(self, *_: object) -> None:
        """End the child."""
        self._state = "down"
        self._watch.cancel()
        with suppress(asyncio.CancelledError):
            await self._watch
        await self._child.end()

    async def _start(self) -> TemporalChild:
        return await start_child(self._binary, self._place, self._ports, self._namespace)

    async def _wait_until_listening(self, child: TemporalChild) -> None:
        until = time.monotonic() + _START_LIMIT
        while not is_served(self._ports.port):
            if not child.alive:
                raise child.obituary()
            if time.monotonic() > until:
                message = "The Temporal server did not start to listen."
                raise Unavailable(message)
            await asyncio.sleep(_POLL)

    async def _connect(self, child: TemporalChild) -> Client:
        """Connect, as long as the child lives: who listens may be somebody else, in its place."""
        connecting = asyncio.create_task(connect(self.address, self._namespace, None, within=_START_LIMIT))
        dying = asyncio.create_task(child.wait())
        try:
            await asyncio.wait({connecting, dying}, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                raise child.obituary()
            return await connecting
        finally:
            connecting.cancel()
            dying.cancel()

    async def _wait_until_serving(self, child: TemporalChild) -> None:
        """Wait until the server knows our namespace: before, starting a workflow would fail."""
        until = time.monotonic() + _START_LIMIT
        while True:
            if not child.alive:
                raise child.obituary()
            try:
                await self._client.workflow_service.describe_namespace(
                    DescribeNamespaceRequest(namespace=self._namespace), timeout=_CALL_LIMIT
                )
            except RPCError as error:
                if time.monotonic() > until:
                    message = f"The Temporal server does not serve: {error}"
                    raise Unavailable(message) from error
                await asyncio.sleep(_POLL)
            else:
                return

    async def _set_retention(self) -> None:
        length = Duration()
        length.FromTimedelta(self._retention)
        request = UpdateNamespaceRequest(
            namespace=self._namespace, config=NamespaceConfig(workflow_execution_retention_ttl=length)
        )
        await self._client.workflow_service.update_namespace(request, retry=True, timeout=_CALL_LIMIT)

    async def _keep_running(self) -> None:
        """Start the child again whenever it dies, on the same port, ever slower while it does not stay."""
        pause = _FIRST_PAUSE
        while True:
            began = time.monotonic()
            code = await self._child.wait()
            self._state = "down"
            log.warning("temporal_died", code=code, restarts=self._restarts)
            if time.monotonic() - began > _STEADY:
                pause = _FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            with suppress(AssentError):  # a child that cannot start shows in the state and is tried again
                await self._start_again()

    async def _start_again(self) -> None:
        self._restarts += 1
        self._state = "starting"
        self._child = await self._start()
        await self._wait_until_serving(self._child)
        self._state = "ready"
        log.info("temporal_restarted", restarts=self._restarts)
