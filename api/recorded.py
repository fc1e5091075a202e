"""What SQL tells of a turn: the message, its states, rounds, tool calls, approvals, decisions and audit rows."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from api.timeline import Entry, excerpt, milliseconds
from core.prices import dollars
from core.store.timeline import TurnRecords
from core.tables.consent import Approval, Decision
from core.tables.cost import Usage
from core.tables.memory import Recall
from core.tables.records import StoredEvent
from core.tables.work import Round, ToolCall
from core.values import ApprovalState, CallState
from core.views import ConsensusView

_TITLES = {
    "turn.queued": "Waits for the turns before it",
    "turn.started": "Has the conversation",
    "turn.restarted": "The model call begins again",
    "turn.waiting": "Waits for people; others may talk meanwhile",
    "turn.finished": "Answered",
    "turn.failed": "Failed",
    "turn.stopped": "Stopped",
}
_UNTOLD = {
    "start_turn": "The workflow is still to be started",
    "wake_turn": "The turn is still to be woken",
    "stop_turn": "The stop is still to be told",
}
_FATES = {
    "settled": "asked",
    "reserved": "being asked",
    "released": "failed; not counted",
    "lapsed": "lost; another attempt took its place",
}
_REFUSALS = {
    "not_allowed": "may not decide this",
    "expired": "the time was over",
    "already_decided": "somebody had decided before",
    "digest_mismatch": "it was not what was shown",
    "closed": "the request was lost",
    "action_changed": "the action was not as it was asked any more",
    "denied_now": "the rules denied it by then",
    "emergency": "the workspace was in emergency mode",
}
_FAILED = frozenset({CallState.FAILED, CallState.NOT_RUN, CallState.UNKNOWN})


def recorded(records: TurnRecords) -> Iterator[Entry]:
    """Tell what SQL knows, in no order."""
    yield from _message(records)
    for event in records.events:
        yield _state(event, records)
    paid = {row.round: row for row in records.usage if row.state == "settled" and row.purpose == "reply"}
    if records.recall is not None:
        yield _recall(records.recall)
    for row in records.rounds:
        yield _round(row, paid.get(row.number))
        if row.consensus is not None:
            yield _consensus(row, ConsensusView.model_validate(row.consensus))
    yield from _spent(records)
    for call in records.calls:
        yield from _call(call, records.names)
    for approval in records.approvals:
        yield from _approval(approval, records.names)
    for decision in records.decisions:
        yield from _decision(decision, records.names)
    yield from _audit(records)
    for left in records.untold:
        title = _UNTOLD.get(left.kind, "Something is still to be told")
        detail = f"{left.attempts} times tried" if left.attempts else None
        yield Entry(at=left.created_at, lane="server", kind="outbox.pending", title=title, detail=detail)


def _message(records: TurnRecords) -> Iterator[Entry]:
    turn, message = records.turn, records.message
    again = turn.retry_of is not None
    yield Entry(
        at=turn.created_at,
        lane="person",
        kind="turn.retried" if again else "message.created",
        title="Asked to try again" if again else "Wrote",
        detail=None if message is None else excerpt(message.text),
        who=records.names.get(turn.user_id),
    )
    reply = records.reply
    if reply is not None:
        yield Entry(
            at=reply.created_at,
            lane="turn",
            kind="message.created",
            title="Reply" if reply.model else "Kept what was said so far",
            detail=excerpt(reply.text),
            duration_ms=reply.response_time_ms,
        )


def _recall(row: Recall) -> Entry:
    """Tell how much was recalled, never the texts: they may be forgotten since."""
    names = sorted({str(item.get("name")) for item in row.items if item.get("name")})
    kinds = Counter(str(item["kind"]) for item in row.items)
    counted = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in sorted(kinds.items()))
    told = f"Recalled {counted}" if row.items else "Went on without memory"
    return Entry(
        at=row.created_at,
        lane="turn",
        kind=f"recall.{row.state}",
        title=told,
        detail=row.reason or (", ".join(names) or None),
        duration_ms=row.took_ms,
    )


def _state(event: StoredEvent, records: TurnRecords) -> Entry:
    turn = event.body["turn"]
    error = turn.get("error")
    stopped = event.type == "turn.stopped"
    return Entry(
        at=event.created_at,
        lane="turn",
        kind=event.type,
        title=_TITLES.get(event.type, event.type),
        who=records.names.get(records.turn.stopped_by or "") if stopped else None,
        attempt=turn["attempt"] if event.type == "turn.restarted" else None,
        duration_ms=_length(records.turn.created_at, records.turn.ended_at) if turn.get("ended_at") else None,
        failure=f"{error['detail']} ({error['code']})" if error else None,
    )


def _round(row: Round, paid: Usage | None) -> Entry:
    tokens = [f"{count} tokens {way}" for count, way in ((row.input_tokens, "in"), (row.output_tokens, "out")) if count]
    cost = [] if paid is None else [_cost(paid)]
    return Entry(
        at=row.started_at,
        lane="model",
        kind="round.answered",
        title=f"Round {row.number + 1}: {row.model} answered",
        detail=", ".join([*tokens, *cost]) or None,
        attempt=row.attempt,
        duration_ms=_length(row.started_at, row.ended_at),
    )


def _consensus(row: Round, view: ConsensusView) -> Entry:
    told = [
        f"{one.model}: {one.fault or (', '.join(one.calls) or 'nothing')}{' (agrees)' if one.agrees else ''}"
        for one in view.answers
    ]
    return Entry(
        at=row.ended_at,
        lane="model",
        kind="consensus.reached" if view.reached else "consensus.missed",
        title=f"{view.agreed} of {view.asked} models agreed",
        detail=excerpt("; ".join(told)),
        failure=None if view.reached else "Too few agreed, so it was not done",
    )


def _spent(records: TurnRecords) -> Iterator[Entry]:
    """Tell the calls that no round tells: beside the reply, failed, lost, or stopped while the model spoke."""
    answered = {row.number for row in records.rounds}
    for row in records.usage:
        settled = row.state == "settled"
        if settled and row.purpose == "reply" and row.round in answered:
            continue
        title = f"{row.model}: {_FATES.get(row.state, row.state)}" + (
            "" if row.purpose == "reply" else f" ({row.purpose})"
        )
        yield Entry(
            at=row.created_at,
            lane="model",
            kind=f"model.{row.state}",
            title=title,
            detail=_cost(row) if settled else None,
            attempt=row.attempt,
            duration_ms=_length(row.created_at, row.settled_at),
        )


def _cost(row: Usage) -> str:
    if row.cost_micros is None:
        return "price unknown"
    return f"{'about ' if row.estimated else ''}{dollars(row.cost_micros)} US dollars"


def _call(call: ToolCall, names: dict[str, str]) -> Iterator[Entry]:
    yield Entry(
        at=call.created_at,
        lane="tool",
        kind="tool.proposed",
        title=f"{call.action} was proposed",
        detail=f"{call.verdict}: {call.rule} (risk {call.risk}, effect {call.effect})",
        who=names.get(call.user_id),
    )
    if call.started_at is not None:
        yield Entry(at=call.started_at, lane="tool", kind="tool.started", title=f"{call.action} began")
    if call.ended_at is not None:
        failed = call.state in _FAILED
        told = excerpt(call.detail) if call.detail else None
        yield Entry(
            at=call.ended_at,
            lane="tool",
            kind="tool.failed" if failed else "tool.ended",
            title=f"{call.action}: {call.state}",
            detail=None if failed else told,
            duration_ms=_length(call.started_at, call.ended_at),
            failure=(told or str(call.state)) if failed else None,
        )


def _approval(row: Approval, names: dict[str, str]) -> Iterator[Entry]:
    yield Entry(
        at=row.opened_at or row.created_at,
        lane="approval",
        kind=f"approval.{ApprovalState.REQUESTED}",
        title=f"Consent was asked: {row.title}" if row.opened_at else f"Consent will be asked: {row.title}",
        detail=f"{row.action}, risk {row.risk}, until {row.expires_at:%Y-%m-%d %H:%M} UTC",
    )
    if row.decided_at is not None:
        yield Entry(
            at=row.decided_at,
            lane="approval",
            kind=f"approval.{row.state}",
            title=f"{row.title}: {row.state}",
            detail=excerpt(row.comment) if row.comment else None,
            who=names.get(row.decided_by or ""),
            duration_ms=_length(row.opened_at, row.decided_at),
        )
    if row.consumed_at is not None:
        yield Entry(at=row.consumed_at, lane="approval", kind="approval.consumed", title="The consent was used")


def _decision(row: Decision, names: dict[str, str]) -> Iterator[Entry]:
    who = names.get(row.user_id)
    verb = "Approved" if row.verdict == "approve" else "Rejected"
    yield Entry(
        at=row.created_at,
        lane="person",
        kind="decision.received",
        title=f"{verb} through {row.door}",
        detail=excerpt(row.comment) if row.comment else None,
        who=who,
    )
    if row.settled_at is not None:
        refusal = _REFUSALS.get(row.refusal or "", row.refusal)
        yield Entry(
            at=row.settled_at,
            lane="approval",
            kind=f"decision.{row.state}",
            title=f"The decision was {row.state}",
            who=who,
            duration_ms=_length(row.created_at, row.settled_at),
            failure=refusal,
        )


def _audit(records: TurnRecords) -> Iterator[Entry]:
    for row in records.audit:
        reason = row.body.get("reason") or row.body.get("detail")
        yield Entry(
            at=row.at,
            lane="server",
            kind=f"audit.{row.kind}",
            title=f"Audit row {row.number}: {row.kind}",
            detail=excerpt(str(reason)) if reason else None,
            who=records.names.get(row.actor),
        )


def _length(began: datetime | None, ended: datetime | None) -> int | None:
    return None if began is None or ended is None else milliseconds(ended - began)
