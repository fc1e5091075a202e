"""The activity `act`: a tool call through the gate, then on record. The only caller of a connector's `execute`."""

import asyncio
import hashlib
import json
from typing import Any

import structlog
from temporalio import activity

from connectors.base import (
    Answered,
    InputRequired,
    NeedsAuthorization,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
)
from connectors.manifest import Effect
from connectors.registry import BoundAction
from core.clock import now
from core.errors import AssentError
from core.faults import crash_point
from core.masking import scrub
from core.messages import Acted, ActInput
from core.rooms import Rooms
from core.store import calls
from core.store.database import Database
from core.store.work import change
from core.tables.work import Intent, ToolCall
from core.text import clean_text
from core.values import CallState
from workers.acting.again import Again
from workers.acting.gate import Gate, Passage
from workers.acting.questions import Questions
from workers.acting.services import Services
from workers.failures import as_failure
from workers.heartbeat import beating

MAX_ATTEMPTS = 4
LONGEST_PAUSE_SECONDS = 60.0
"""A call is made again within this time, or its failure is said."""
MAX_RESULT_BYTES = 262_144
_log = structlog.get_logger()


class Settled(Exception):
    """The call came to an end that is not a result."""

    def __init__(self, state: CallState, detail: str) -> None:
        """Keep the state and the sentence for it."""
        super().__init__(detail)
        self.state = state
        self.detail = detail


class Actor:
    """Makes tool calls."""

    def __init__(self, database: Database, rooms: Rooms, gate: Gate) -> None:
        """Take the gate and where the outcome is kept; calls to services are watched by a `Services` of its own."""
        self._database = database
        self._rooms = rooms
        self._gate = gate
        self._again = Again(database, rooms, gate)
        self._questions = Questions(database, rooms, gate)
        self._services = Services(database, rooms)

    @activity.defn(name="act")
    async def act(self, step: ActInput) -> Acted:
        """Pass the gate, execute, record. A stop does not interrupt it; a lost worker's call is settled by the next."""
        async with beating():
            crash_point("act.before_gate")
            async with change(self._database, self._rooms) as work:
                passage = await self._questions.pass_through(work, step, activity.info().attempt)
                if passage is None:
                    passage = await self._gate.pass_through(work, step, activity.info().attempt)
            if passage.void is not None:
                return await self._again.ask(step, passage.void)
            if passage.action is None:
                return Acted(tool_call_id=passage.call.id, state=CallState(passage.call.state), again=passage.again)
            crash_point("act.intended")
            if not await self._is_newest(passage):
                return await self._standing(passage.call)
            executing = asyncio.create_task(self._execute(passage, passage.action))
            executing.add_done_callback(_heard)
            return await asyncio.shield(executing)

    async def _is_newest(self, passage: Passage) -> bool:
        """Whether this attempt may still send: one that stood still since the gate may have been replaced."""
        async with self._database.reading() as session:
            intent = await calls.intent_of(session, passage.call.id)
        return intent is not None and intent.outcome is None and intent.attempt == passage.number

    async def _standing(self, call: ToolCall) -> Acted:
        _log.info("a newer attempt has begun; this one sends nothing", tool_call_id=call.id)
        async with self._database.reading() as session:
            row = await session.get_one(ToolCall, call.id)
        return Acted(tool_call_id=call.id, state=CallState(row.state))

    async def _execute(self, passage: Passage, action: BoundAction) -> Acted:
        call = passage.call
        try:
            result = _fit(await self._send(call, action, passage.answer))
        except InputRequired as asked:
            return await self._questions.keep(call, asked, passage.number)
        except Settled as settled:
            detail = _hidden(passage, settled.detail)
            return await self._record(passage, settled.state, detail=detail)
        crash_point("act.executed")
        told = _hidden(passage, result)
        return await self._record(passage, CallState.DONE, result=told, untrusted=action.is_untrusted)

    async def _send(self, call: ToolCall, action: BoundAction, answer: Answered | None) -> dict[str, Any]:
        try:
            return await self._services.run(action, call, answer)
        except InputRequired:
            raise
        except (PermanentFailure, NeedsAuthorization) as error:
            raise Settled(CallState.FAILED, error.detail) from error
        except OutcomeUnknown as error:
            raise Settled(CallState.UNKNOWN, error.detail) from error
        except TemporaryFailure as error:
            self._try_again(call, error, error.retry_after)
            raise Settled(CallState.FAILED, error.detail) from error
        except Exception as error:
            # A traceback may quote the arguments.
            _log.error("a connector failed", action=call.action, tool_call_id=call.id, exc_info=not call.secrets)
            raise self._unexpected(call, error) from error

    def _try_again(self, call: ToolCall, error: AssentError, after_seconds: float | None) -> None:
        soon = after_seconds is None or after_seconds <= LONGEST_PAUSE_SECONDS
        if soon and call.effect != "at_most_once" and activity.info().attempt < MAX_ATTEMPTS:
            error.detail = scrub(call.secrets, call.arguments, error.detail)
            raise as_failure(error, again=True, after_seconds=after_seconds) from None

    def _unexpected(self, call: ToolCall, error: Exception) -> Settled:
        slow = isinstance(error, TimeoutError)
        detail = "the service took too long" if slow else "the connector failed unexpectedly"
        if slow or call.effect != "read":
            self._try_again(call, TemporaryFailure(detail), None)
        if call.effect == "read":
            return Settled(CallState.FAILED, detail)
        return Settled(CallState.UNKNOWN, f"{detail}: nobody knows whether it took effect")

    async def _record(
        self,
        passage: Passage,
        state: CallState,
        *,
        result: dict[str, Any] | None = None,
        detail: str | None = None,
        untrusted: bool = False,
    ) -> Acted:
        call = passage.call
        async with change(self._database, self._rooms) as work:
            turn, row = await calls.lock(work.session, call.id)
            intent = await calls.intent_of(work.session, call.id)
            if intent is None or not _may_settle(intent, row, state, passage.number):
                return Acted(tool_call_id=call.id, state=CallState(row.state))
            if untrusted and turn.untrusted_at is None:
                turn.untrusted_at = now()
            await calls.settle(work, row, state, result=result, detail=detail)
            kind = {CallState.DONE: "call.executed", CallState.UNKNOWN: "call.unknown"}.get(state, "call.failed")
            facts = {"action": call.action, "detail": detail}
            if result is not None:
                facts["result_digest"] = result_digest(result)
            await self._gate.audit.record(work, call.workspace_id, call.user_id, kind, call.id, **facts)
        crash_point("act.recorded")
        return Acted(tool_call_id=call.id, state=state)


def _hidden(passage: Passage, said: Any) -> Any:
    """Give what a service said without the secrets of the arguments, and of the answers that it was given."""
    for paths, values in ((passage.call.secrets, passage.call.arguments), *passage.hides):
        said = scrub(paths, values, said)
    return said


def result_digest(result: dict[str, Any]) -> str:
    """Give the SHA-256, in hex, of a result as it is stored: JSON with sorted keys, in ASCII, without spaces.

    Not canonical JSON, which refuses integers above 2^53: whatever was stored has a digest.
    """
    return hashlib.sha256(json.dumps(result, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _may_settle(intent: Intent, call: ToolCall, state: CallState, attempt: int) -> bool:
    """Whether what this attempt knows counts. A replaced one only makes known what nobody knew."""
    if intent.outcome is not None:
        return False
    if intent.attempt == attempt:
        return True
    alone = call.effect == Effect.AT_MOST_ONCE and state is CallState.FAILED
    return call.state == CallState.UNKNOWN and (state is CallState.DONE or alone)


def _fit(result: dict[str, Any]) -> dict[str, Any]:
    """Make a connector's result safe to store; one that is too large is a failure that says so."""
    text = clean_text(json.dumps(result, ensure_ascii=False, default=str).replace("\\u0000", "\\ufffd"))
    if len(text.encode()) > MAX_RESULT_BYTES:
        return {"cut": True, "text": text[: MAX_RESULT_BYTES // 8]}
    cleaned: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)  # NaN and Infinity are not JSON
    return cleaned


def _heard(executing: asyncio.Task[Acted]) -> None:
    """Take note of how it ended where nobody waits for it any more, as after a stop; the next attempt settles it."""
    if not executing.cancelled():
        executing.exception()
