"""The talk as a model reads it: what was said, which calls were asked, what became of them."""

import json
from collections.abc import Iterator

from core.store.context import Talk, TurnRecord
from core.tables.work import ToolCall
from core.values import CallState
from workers.llm.port import AssistantSaid, CallAsked, ChatEntry, ToolAnswered, UserSaid


def entries_of(talk: Talk) -> tuple[ChatEntry, ...]:
    """Give the talk in its order. A turn that was retried shows what it really did, not what it said in the end."""
    retried = {record.turn.retry_of for record in talk.turns}
    before = [None, *(record.turn.id for record in talk.turns)]
    return tuple(
        entry
        for previous, record in zip(before, talk.turns, strict=False)
        for entry in _entries(record, previous, retried=record.turn.id in retried)
    )


def _entries(record: TurnRecord, previous: str | None, *, retried: bool) -> Iterator[ChatEntry]:
    """Give one turn. A retry asks its question again, unless it stands right after the turn that it retries."""
    if record.turn.retry_of is None or record.turn.retry_of != previous:
        yield UserSaid(text=record.message.text)
    for row in record.rounds:
        calls = [call for call in record.calls if call.round == row.number and (not retried or _was_sent(call))]
        if calls or not retried:
            asked = tuple(CallAsked(call_id=one.id, name=one.action, arguments=one.arguments) for one in calls)
            yield AssistantSaid(text=row.text, calls=asked)
        yield from (_answer(call) for call in calls)
    if record.kept is not None and not retried:
        yield AssistantSaid(text=record.kept.text, calls=())


def _was_sent(call: ToolCall) -> bool:
    """Whether a retry must take this call as made: what was refused or failed may be asked again."""
    return call.state in {CallState.DONE, CallState.RUNNING, CallState.UNKNOWN}


def _answer(call: ToolCall) -> ToolAnswered:
    content = call.detail or call.state
    if call.result is not None:
        content = json.dumps(call.result, ensure_ascii=False)
    return ToolAnswered(call_id=call.id, name=call.action, content=content, status=call.state)
