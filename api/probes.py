"""Health: asks each part how it is, really and at most once a second, however many ask us."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog
from pydantic import Field
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from core.model_entries import OFFLINE, entries_of
from core.settings import Settings
from core.store import inbound, memory_status, model_health
from core.store.database import Database
from core.temporal import TemporalState
from core.values import Value
from workflows import policies

_FRESH = {"ok": 1.0, "degraded": 0.2, "down": 0.2}  # seconds
_LIMIT = 2.0
_POLLED_WITHIN = 75.0  # seconds: a worker that waits for work asks again at least once a minute
_LEAST_FREE = 500_000_000  # bytes
_QUEUES = {
    policies.TURNS_QUEUE: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    policies.STEPS_QUEUE: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    policies.MODELS_QUEUE: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    policies.ACTIONS_QUEUE: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}
_log = structlog.get_logger()


class State(StrEnum):
    """How something is, best first."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


class Part(Value):
    """One part: its state, and the facts that explain it."""

    state: State
    facts: dict[str, Any] = Field(default_factory=dict)


class Health(Value):
    """The whole: `down` when nothing can be accepted, `degraded` when something accepted has to wait."""

    status: State
    parts: dict[str, Part]

    @property
    def is_ready(self) -> bool:
        """Whether messages can be taken in; without Temporal they are, and their turns begin when it is back."""
        return all(self.parts[name].state is State.OK for name in ("database", "gateway"))


class Probes:
    """Asks. One for each api process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        client: Client,
        temporal: TemporalState,
        gateway: Callable[[], dict[str, int] | None],
    ) -> None:
        """Take the parts; `gateway` gives its counts, or None while it does not run."""
        self._settings = settings
        self._database = database
        self._client = client
        self._temporal = temporal
        self._gateway = gateway
        self._asking = asyncio.Lock()
        self._last: Health | None = None
        self._asked_at = 0.0

    async def health(self) -> Health:
        """Tell how everything is, as of a second ago or later."""
        async with self._asking:
            if self._last is None or time.monotonic() - self._asked_at > _FRESH[self._last.status]:
                self._last = await self._ask()
                self._asked_at = time.monotonic()
            return self._last

    async def _ask(self) -> Health:
        asked = (
            self._ask_database,
            self._ask_temporal,
            self._ask_workers,
            self._ask_memory,
            self._ask_model,
            self._ask_channels,
        )
        database, temporal, workers, memory, model, channels = await asyncio.gather(*map(_bounded, asked))
        parts = {
            "database": database,
            "temporal": temporal,
            "workers": workers,
            "gateway": self._ask_gateway(),
            "model": model,
            "memory": memory,
            "channels": channels,
            "disk": _disk(self._settings.data_dir),
        }
        states = {part.state for part in parts.values()}
        status = State.OK if states == {State.OK} else State.DEGRADED
        return Health(status=State.DOWN if database.state is State.DOWN else status, parts=parts)

    async def _ask_database(self) -> Part:
        began = time.perf_counter()
        await self._database.ping()
        milliseconds = round((time.perf_counter() - began) * 1000, 1)
        return Part(state=State.OK, facts={"kind": self._database.dialect, "ms": milliseconds})

    async def _ask_temporal(self) -> Part:
        facts = {"server": self._temporal.state, "restarts": self._temporal.restarts}
        healthy = await self._client.service_client.check_health(timeout=timedelta(seconds=_LIMIT))
        good = healthy and self._temporal.state == "ready"
        return Part(state=State.OK if good else State.DOWN, facts=facts)

    async def _ask_workers(self) -> Part:
        counts = dict(zip(_QUEUES, await asyncio.gather(*map(self._count_pollers, _QUEUES)), strict=True))
        empty = [name for name, count in counts.items() if not count]
        state = State.OK if not empty else State.DOWN if len(empty) == len(counts) else State.DEGRADED
        return Part(state=state, facts={"pollers": counts})

    async def _count_pollers(self, queue: str) -> int:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=_QUEUES[queue]
        )
        answer = await self._client.workflow_service.describe_task_queue(request, timeout=timedelta(seconds=_LIMIT))
        since = time.time() - _POLLED_WITHIN
        return len({one.identity for one in answer.pollers if one.last_access_time.ToSeconds() > since})

    async def _ask_memory(self) -> Part:
        """Tell how memory is; without it all else works, so it never makes the whole unwell."""
        if not self._settings.memory:
            return Part(state=State.OK, facts={"memory": "off", "sentence": "Memory is off: ASSENT_MEMORY is false."})
        async with self._database.reading() as session:
            view = await memory_status.view(session)
        facts = {"memory": view.state, "sentence": view.sentence, "model": view.model, "waiting": view.waiting}
        return Part(state=State.OK, facts=facts)

    async def _ask_channels(self) -> Part:
        """Tell how the channels were last seen; all else works without them, so they never make the whole unwell."""
        async with self._database.reading() as session:
            seen = await inbound.standing(session)
        facts = {name: one.state for (name, _), one in seen.items() if name in self._settings.channels}
        return Part(state=State.OK, facts=facts)

    def _ask_gateway(self) -> Part:
        counts = self._gateway()
        return Part(state=State.DOWN) if counts is None else Part(state=State.OK, facts=dict(counts))

    async def _ask_model(self) -> Part:
        """Tell by the newest word on each model: calls and checks leave it, nobody is asked just for this."""
        names = [entry.name for entry in entries_of(self._settings)]
        if not names:
            return Part(state=State.OK, facts={"name": OFFLINE, "offline": True})
        async with self._database.reading() as session:
            known = await model_health.all_of(session)
        failing = [name for name in names if name in known and not known[name].ok]
        facts: dict[str, Any] = {"name": names[0], "offline": False, "models": len(names)}
        facts |= {"failing": failing} if failing else {}
        return Part(state=State.DEGRADED if len(failing) == len(names) else State.OK, facts=facts)


async def _bounded(ask: Callable[[], Awaitable[Part]]) -> Part:
    """Ask within a limit; whatever goes wrong means that the part is down."""
    try:
        async with asyncio.timeout(_LIMIT + 0.5):
            return await ask()
    except (RPCError, RuntimeError) as error:
        return Part(state=State.DOWN, facts={"error": type(error).__name__})
    except Exception as error:  # noqa: BLE001  # health answers whatever happens, and says what it saw
        _log.warning("a part is down", error=type(error).__name__)
        return Part(state=State.DOWN, facts={"error": type(error).__name__})


def _disk(folder: Path) -> Part:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Part(state=State.DEGRADED, facts={"error": type(error).__name__})
    return Part(state=State.OK if free > _LEAST_FREE else State.DEGRADED, facts={"free_bytes": free})
