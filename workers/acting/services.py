"""What surrounds a call to a service: its turn, its breaker, its time, and what is noted of how it went."""

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

import structlog

from connectors.base import (
    Answered,
    ConnectorError,
    NeedsAuthorization,
    OutcomeUnknown,
    Reaching,
    TemporaryFailure,
    Throttled,
    Unreachable,
)
from connectors.breaker import Admission, Breaker, Resting, State
from connectors.guarded import AddressRefused
from connectors.limits import Limits
from connectors.registry import BoundAction
from core.clock import now
from core.rooms import Rooms
from core.store import service_health
from core.store.database import Database
from core.store.work import change
from core.tables.work import ToolCall
from workers.calling import context_of

WAIT_SECONDS = 6.0
"""How long a call waits for its turn; within policies.TOOL_CALL_MARGIN."""
_PAUSE_SECONDS = 30.0
_LONGEST_PAUSE = 3_600.0
_NEWS_EVERY = timedelta(seconds=15)
_MOST_BREAKERS = 5_000
_log = structlog.get_logger()

Key = tuple[str, str]


class Services:
    """Makes the calls. One for each worker process; what it finds out is shared through SQL."""

    def __init__(self, database: Database, rooms: Rooms) -> None:
        """Begin with what SQL says."""
        self._database = database
        self._rooms = rooms
        self._limits = Limits()
        self._breakers: dict[Key, Breaker] = {}
        self._noted: dict[Key, tuple[datetime, bool]] = {}
        self._writing: dict[Key, asyncio.Task[None]] = {}

    async def run(self, action: BoundAction, call: ToolCall, answer: Answered | None = None) -> dict[str, Any]:
        """Execute the call when its turn has come; TimeoutError when it took longer than its action may.

        Raises TemporaryFailure, with nothing sent, when its service rests, wants fewer calls or has no place for it.
        """
        connector, spec = action.connector, action.spec
        name = _name(action, call)
        async with self._limits.turn(name, spec, call.user_id, WAIT_SECONDS):
            if not isinstance(connector, Reaching):
                return await _execute(action, call, answer)
            key = (name, connector.host_of(spec.name, call.arguments))
            return await self._watched(key, await self._admit(key), action, call, answer)

    async def _watched(
        self, key: Key, admission: Admission, action: BoundAction, call: ToolCall, answer: Answered | None
    ) -> dict[str, Any]:
        try:
            result = await _execute(action, call, answer)
        except Throttled as busy:
            self._leave(key, admission)
            self._later(key, self._pause(key, busy))
            raise
        except (Unreachable, OutcomeUnknown, TimeoutError) as failure:
            self._settle(key, admission, ok=False, detail=_sentence(failure))
            raise
        except (TemporaryFailure, AddressRefused):
            self._leave(key, admission)
            raise
        except ConnectorError as refusal:  # the service is there; but a refused sign-in is nothing to call well
            unwell = refusal.detail if isinstance(refusal, NeedsAuthorization) else None
            self._settle(key, admission, ok=True, detail=unwell)
            raise
        except BaseException:
            self._leave(key, admission)
            raise
        self._settle(key, admission, ok=True)
        return result

    async def _admit(self, key: Key) -> Admission:
        if key in self._writing:
            await asyncio.shield(self._writing[key])
        async with self._database.reading() as session:
            row = await service_health.find(session, *key)
        breaker = self._breaker(key)
        if row is not None:
            _check_pause(row.paused_until)
            breaker.adopt(_state(row.breaker), row.open_until, 1 if row.breaker != "closed" else 0)
        seen = (breaker.state, breaker.until)
        admission = breaker.admit()
        lease = breaker.until
        if admission.probe and row is not None and lease is not None and not await self._claim(key, seen, lease):
            raise Resting("The service failed too often; one call is finding out whether it is back.", retry_after=2.0)
        return admission

    def _breaker(self, key: Key) -> Breaker:
        if len(self._breakers) > _MOST_BREAKERS:
            self._breakers = {one: kept for one, kept in self._breakers.items() if kept.state != "closed"}
            self._noted.clear()
        return self._breakers.setdefault(key, Breaker())

    async def _claim(self, key: Key, seen: tuple[str, datetime | None], until: datetime) -> bool:
        async with change(self._database, self._rooms) as work:
            return await service_health.claim(work, *key, seen, until)

    def _settle(self, key: Key, admission: Admission, *, ok: bool, detail: str | None = None) -> None:
        """Note the outcome at once here, and in SQL soon: the call's own outcome is what must be written first.

        `ok` is for the breaker; `detail` says why it is not well, also where a service answers with a refusal.
        """
        breaker = self._breakers.setdefault(key, Breaker())
        changed = breaker.went_well(admission) if ok else breaker.failed(admission)
        at, was_well = self._noted.get(key, (None, None))
        if changed or was_well is not (detail is None) or at is None or now() - at > _NEWS_EVERY:
            self._noted[key] = (now(), detail is None)
            self._later(key, self._note(key, breaker, changed=changed, detail=detail))

    def _leave(self, key: Key, admission: Admission) -> None:
        """Forget a call that told nothing of its service; when it was the one that tries, the next call does."""
        breaker = self._breakers.setdefault(key, Breaker())
        breaker.left(admission)
        if admission.probe and breaker.until is not None:
            self._later(key, self._give_back(key, breaker.until))

    async def _give_back(self, key: Key, until: datetime) -> None:
        async with change(self._database, self._rooms) as work:
            await service_health.give_back(work, *key, until)

    async def _note(self, key: Key, breaker: Breaker, *, changed: bool, detail: str | None) -> None:
        state, until, failures = breaker.state if changed else None, breaker.until, breaker.failures
        async with change(self._database, self._rooms) as work:
            await service_health.note(
                work, *key, ok=detail is None, failures=failures, detail=detail, breaker=state, open_until=until
            )

    async def _pause(self, key: Key, busy: Throttled) -> None:
        seconds = min(_PAUSE_SECONDS if busy.retry_after is None else busy.retry_after, _LONGEST_PAUSE)
        async with change(self._database, self._rooms) as work:
            await service_health.pause(work, *key, now() + timedelta(seconds=seconds), busy.detail)

    def _later(self, key: Key, writing: Coroutine[Any, Any, None]) -> None:
        """Write after what is being written of the same service; the next call to it waits for that."""
        task = asyncio.create_task(self._after(self._writing.get(key), writing))
        self._writing[key] = task
        task.add_done_callback(lambda done: self._writing.pop(key) if self._writing.get(key) is done else None)

    async def _after(self, before: asyncio.Task[None] | None, writing: Coroutine[Any, Any, None]) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            await writing
        except Exception:  # noqa: BLE001 - how a service is must not decide what became of a call
            _log.exception("the state of a service was not written")


def _name(action: BoundAction, call: ToolCall) -> str:
    """Name what is called; what a workspace imported shares no turns and no breaker with another's of that name."""
    manifest = action.connector.manifest
    if manifest.pin is None:
        return manifest.id
    return service_health.of_workspace(manifest.id, call.workspace_id)


async def _execute(action: BoundAction, call: ToolCall, answer: Answered | None) -> dict[str, Any]:
    seconds = action.spec.timeout_s
    context = context_of(call, seconds=seconds).model_copy(update={"answer": answer})
    async with asyncio.timeout(seconds):
        return await action.connector.execute(action.spec.name, call.arguments, context)


def _check_pause(until: datetime | None) -> None:
    left = 0.0 if until is None else (until - now()).total_seconds()
    if left > 0:
        raise TemporaryFailure("The service wants fewer calls for a while.", retry_after=left)


def _state(text: str) -> State:
    return "open" if text == "open" else "half_open" if text == "half_open" else "closed"


def _sentence(failure: BaseException) -> str:
    return failure.detail if isinstance(failure, ConnectorError) else "The service took too long."
