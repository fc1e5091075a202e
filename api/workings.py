"""What Temporal tells of a turn: activities with their attempts and failures, timers, updates, signals, endings.

Only names, times, counts and our own sentences are taken from a history; no payload is shown.
"""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.converter import DataConverter
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError
from temporalio.exceptions import TimeoutError as TemporalTimeout

from api.timeline import Entry, Lane, excerpt, milliseconds

_LANES: dict[str, Lane] = {
    "think": "model",
    "act": "tool",
    "open_approval": "approval",
    "close_approval": "approval",
    "park_turn": "turn",
    "resume_turn": "turn",
    "end_turn": "turn",
}
_ENDED = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "completed",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "failed",
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "timed out",
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "cancelled",
}
_CLOSED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: "completed",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: "failed",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: "timed out",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: "cancelled",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: "terminated",
}
_LOCAL_MARKER = "core_local_activity"


@dataclass
class _Open:
    """What began and has not ended, by the number of its first event."""

    activities: dict[int, HistoryEvent] = field(default_factory=dict)
    starts: dict[int, HistoryEvent] = field(default_factory=dict)
    timers: dict[int, HistoryEvent] = field(default_factory=dict)
    updates: dict[int, HistoryEvent] = field(default_factory=dict)


class Workings:
    """Reads one workflow's history. `subject` is `turn` or `approval`: the lane of what the workflow itself does."""

    def __init__(self, converter: DataConverter, subject: Lane) -> None:
        """Take what decodes failures."""
        self._converter = converter
        self._subject: Lane = subject
        self._open = _Open()

    async def tell(self, events: Sequence[HistoryEvent]) -> AsyncIterator[Entry]:
        """Tell the history, in its order; what has not ended yet comes last."""
        for event in events:
            entry = await self._tell(event)
            if entry is not None:
                yield entry
        for event in self._open.timers.values():
            yield self._entry(event, "timer.running", "A timer runs", detail=_timer_length(event))

    async def tell_pending(self, pending: Sequence[PendingActivityInfo]) -> AsyncIterator[Entry]:
        """Tell of the activities that run or wait for another attempt."""
        for one in pending:
            name = one.activity_type.name
            waits = one.HasField("next_attempt_schedule_time") and not one.HasField("last_heartbeat_time")
            yield Entry(
                at=_time(one.last_started_time if one.HasField("last_started_time") else one.scheduled_time),
                lane=_LANES.get(name, "server"),
                kind="activity.pending",
                title=f"Activity {name}: {'to be tried again' if waits else 'not ended yet'}",
                attempt=one.attempt,
                failure=await self._sentence(one.last_failure) if one.HasField("last_failure") else None,
            )

    async def _tell(self, event: HistoryEvent) -> Entry | None:
        kind = event.event_type
        if kind in _ENDED:
            return await self._activity(event, _ENDED[kind])
        if kind in _CLOSED:
            return await self._closing(event, _CLOSED[kind])
        teller = _TELLERS.get(kind)
        return None if teller is None else await teller(self, event)

    async def _started(self, event: HistoryEvent) -> Entry:
        name = event.workflow_execution_started_event_attributes.workflow_type.name
        return self._entry(event, "workflow.started", f"Workflow {name} started")

    async def _closing(self, event: HistoryEvent, how: str) -> Entry:
        failure = None
        if how == "failed":
            failure = await self._sentence(event.workflow_execution_failed_event_attributes.failure)
        return self._entry(event, f"workflow.{how.replace(' ', '_')}", f"Workflow {how}", failure=failure)

    async def _activity_scheduled(self, event: HistoryEvent) -> None:
        self._open.activities[event.event_id] = event

    async def _activity_started(self, event: HistoryEvent) -> None:
        self._open.starts[event.activity_task_started_event_attributes.scheduled_event_id] = event

    async def _activity(self, event: HistoryEvent, how: str) -> Entry:
        ending: Any = getattr(event, event.WhichOneof("attributes") or "")
        scheduled = self._open.activities.pop(ending.scheduled_event_id)
        started = self._open.starts.pop(ending.scheduled_event_id, None)
        name = scheduled.activity_task_scheduled_event_attributes.activity_type.name
        attributes = started.activity_task_started_event_attributes if started else None
        failure = None
        if how in {"failed", "timed out"}:
            failure = await self._sentence(ending.failure)
        elif attributes is not None and attributes.HasField("last_failure"):
            failure = f"before: {await self._sentence(attributes.last_failure)}"
        return Entry(
            at=_time(scheduled.event_time),
            lane=_LANES.get(name, "server"),
            kind=f"activity.{how.replace(' ', '_')}",
            title=f"Activity {name} {how}",
            detail=_activity_detail(scheduled, started, event),
            attempt=attributes.attempt if attributes else None,
            duration_ms=_between(scheduled, event),
            failure=failure,
        )

    async def _marker(self, event: HistoryEvent) -> Entry | None:
        marker = event.marker_recorded_event_attributes
        if marker.marker_name != _LOCAL_MARKER or "data" not in marker.details:
            return None
        facts = json.loads(marker.details["data"].payloads[0].data)
        name = str(facts.get("activity_type", "step"))
        failed = marker.HasField("failure")
        return Entry(
            at=_time(event.event_time),
            lane=_LANES.get(name, "server"),
            kind="activity.failed" if failed else "activity.completed",
            title=f"Local activity {name} {'failed' if failed else 'completed'}",
            attempt=facts.get("attempt"),
            failure=await self._sentence(marker.failure) if failed else None,
        )

    async def _timer_started(self, event: HistoryEvent) -> None:
        self._open.timers[event.event_id] = event

    async def _timer_fired(self, event: HistoryEvent) -> Entry:
        self._open.timers.pop(event.timer_fired_event_attributes.started_event_id, None)
        return self._entry(event, "timer.fired", "The timer fired")

    async def _timer_canceled(self, event: HistoryEvent) -> Entry | None:
        began = self._open.timers.pop(event.timer_canceled_event_attributes.started_event_id, None)
        if began is None:
            return None
        return self._entry(event, "timer.cancelled", "The timer was no longer needed", detail=_timer_length(began))

    async def _update_accepted(self, event: HistoryEvent) -> Entry:
        self._open.updates[event.event_id] = event
        name = event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name
        return self._entry(event, "update.accepted", f"Update {name} was accepted")

    async def _update_completed(self, event: HistoryEvent) -> Entry:
        done = event.workflow_execution_update_completed_event_attributes
        accepted = self._open.updates.pop(done.accepted_event_id, None)
        name = ""
        if accepted is not None:
            name = accepted.workflow_execution_update_accepted_event_attributes.accepted_request.input.name
        failure = await self._sentence(done.outcome.failure) if done.outcome.HasField("failure") else None
        return self._entry(event, "update.completed", f"Update {name} was answered", failure=failure)

    async def _signaled(self, event: HistoryEvent) -> Entry:
        name = event.workflow_execution_signaled_event_attributes.signal_name
        return self._entry(event, "signal.received", f"Signal {name}")

    async def _child_started(self, event: HistoryEvent) -> Entry:
        child = event.child_workflow_execution_started_event_attributes
        return self._entry(event, "child.started", f"Child workflow {child.workflow_type.name} started")

    async def _child_ended(self, event: HistoryEvent) -> Entry:
        ended: Any = getattr(event, event.WhichOneof("attributes") or "")
        return self._entry(event, "child.ended", f"Child workflow {ended.workflow_type.name} ended")

    async def _task_timed_out(self, event: HistoryEvent) -> Entry:
        return self._entry(
            event,
            "worker.lost",
            "A worker was lost or slow; the step went to another",
            failure="workflow task timed out",
        )

    async def _task_failed(self, event: HistoryEvent) -> Entry:
        failure = await self._sentence(event.workflow_task_failed_event_attributes.failure)
        return self._entry(event, "workflow_task.failed", "A workflow step failed and is repeated", failure=failure)

    def _entry(
        self, event: HistoryEvent, kind: str, title: str, *, detail: str | None = None, failure: str | None = None
    ) -> Entry:
        lane: Lane = "server" if kind.startswith(("worker", "workflow", "child")) else self._subject
        return Entry(at=_time(event.event_time), lane=lane, kind=kind, title=title, detail=detail, failure=failure)

    async def _sentence(self, failure: Failure) -> str:
        """Say what went wrong in our own words: a foreign error's text may hold anything, so only its kind is told."""
        try:
            error: BaseException | None = await self._converter.decode_failure(_copied(failure))
        except Exception:  # noqa: BLE001 - a key that is gone, a failure of another version: told as such
            return "a failure that cannot be read any more"
        while isinstance(error, ActivityError) and error.cause is not None:
            error = error.cause
        if isinstance(error, ApplicationError):
            told = excerpt(str(error.details[0])) if error.details else ""
            return f"{told} ({error.type})" if told else str(error.type or "an error")
        if isinstance(error, TemporalTimeout):
            kind = error.type.name.lower().replace("_", " ") if error.type is not None else ""
            return f"time-out: {kind}".removesuffix(": ")
        return "cancelled" if isinstance(error, CancelledError) else type(error).__name__


_Teller = Callable[[Workings, HistoryEvent], Any]
_TELLERS: dict[int, _Teller] = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: Workings._started,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: Workings._activity_scheduled,
    EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED: Workings._activity_started,
    EventType.EVENT_TYPE_MARKER_RECORDED: Workings._marker,
    EventType.EVENT_TYPE_TIMER_STARTED: Workings._timer_started,
    EventType.EVENT_TYPE_TIMER_FIRED: Workings._timer_fired,
    EventType.EVENT_TYPE_TIMER_CANCELED: Workings._timer_canceled,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: Workings._update_accepted,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED: Workings._update_completed,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: Workings._signaled,
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: Workings._child_started,
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: Workings._child_ended,
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: Workings._child_ended,
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED: Workings._child_ended,
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: Workings._task_timed_out,
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED: Workings._task_failed,
}


def _copied(failure: Failure) -> Failure:
    """Copy it: decoding changes it in place."""
    copy = Failure()
    copy.CopyFrom(failure)
    return copy


def _activity_detail(scheduled: HistoryEvent, started: HistoryEvent | None, ended: HistoryEvent) -> str:
    if started is None:
        return "never taken by a worker"
    return f"waited {_between(scheduled, started)} ms for a worker, last attempt ran {_between(started, ended)} ms"


def _timer_length(event: HistoryEvent) -> str:
    seconds = event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta().total_seconds()
    return f"{seconds:.0f} s"


def _between(first: HistoryEvent, second: HistoryEvent) -> int:
    return milliseconds(_time(second.event_time) - _time(first.event_time))


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
