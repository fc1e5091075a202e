"""The talk as a model reads it: what was said, which calls were asked, what became of them, as far as there is room."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from core.masking import mask
from core.store.context import Talk, TurnRecord
from core.tables.work import ToolCall
from core.values import CallState
from workers.llm.marks import boundary_of
from workers.llm.port import AssistantSaid, CallAsked, ChatEntry, ToolAnswered, UserSaid
from workers.thinking.cutting import shorten, shorten_json

LEAST = 400
"""No text is cut below so many bytes."""
_OLD_SHARE, _BLOCK, _ENTRY = 8, 100, 16


@dataclass(frozen=True)
class Window:
    """The entries of a call, and the turns that they tell."""

    entries: tuple[ChatEntry, ...]
    turn_ids: frozenset[str]


def window_of(talk: Talk, size: int, key: bytes) -> Window:
    """Give the newest turns that fit into `size` bytes, in their order, the asking turn in any case.

    A turn that was retried shows what it really did, not what it said in the end. `key` makes the boundaries of tool
    results. Once turns have to be left out, the window begins where a block of the conversation begins: so it moves
    now and then instead of with each message, and what a provider cached of the call before is used again.
    """
    retried = {record.turn.retry_of for record in talk.turns}
    current = _current(talk, retried, size, key)
    tried = [place for place, one in enumerate(talk.turns[:-1]) if one.turn.id == talk.current.turn.retry_of]
    most = max(LEAST, size // _OLD_SHARE)
    known = {place: _told(talk, place, retried, most, key) for place in tried}
    left = size - size_of(current) - sum(map(size_of, known.values()))
    places: list[int] = []
    for place in range(len(talk.turns) - 2, -1, -1):
        if place not in known:
            known[place] = _told(talk, place, retried, most, key)
            left -= size_of(known[place])
        if left < 0:
            places = _from_block(talk, places, talk.turns[place].turn.place)
            break
        places.append(place)
    # What a turn that is tried again has sent is told in any case, or it would be sent twice.
    shown = sorted({*places, *tried})
    older = tuple(entry for place in shown for entry in known[place])
    ids = frozenset(talk.turns[place].turn.id for place in shown) | {talk.current.turn.id}
    return Window((*older, *current), ids)


def _from_block(talk: Talk, places: list[int], dropped: int) -> list[int]:
    """Leave out the rest of the block that the dropped turn is in, unless that is half of what is told."""
    kept = [place for place in places if talk.turns[place].turn.place // _BLOCK > dropped // _BLOCK]
    return kept if len(kept) * 2 >= len(places) else places


def _current(talk: Talk, retried: set[str | None], size: int, key: bytes) -> Sequence[ChatEntry]:
    """Give the asking turn, each of its texts cut further until they fit together."""
    most = max(LEAST, size // 2)
    while True:
        entries = _told(talk, len(talk.turns) - 1, retried, most, key)
        if size_of(entries) <= size or most <= LEAST:
            return entries
        most = max(LEAST, most // 2)


def _told(talk: Talk, place: int, retried: set[str | None], most: int, key: bytes) -> Sequence[ChatEntry]:
    record = talk.turns[place]
    previous = talk.turns[place - 1].turn.id if place else None
    entries = _entries(record, previous, retried=record.turn.id in retried)
    return [_shortened(entry, most, key) for entry in entries]


def _entries(record: TurnRecord, previous: str | None, *, retried: bool) -> Iterator[ChatEntry]:
    """Give one turn. A retry asks its question again, unless it stands right after the turn that it retries."""
    if record.turn.retry_of is None or record.turn.retry_of != previous:
        yield UserSaid(text=record.message.text)
    for row in record.rounds:
        calls = [call for call in record.calls if call.round == row.number and (not retried or _was_sent(call))]
        if calls or not retried:
            asked = tuple(
                CallAsked(call_id=one.id, name=one.action, arguments=mask(one.secrets, one.arguments)) for one in calls
            )
            yield AssistantSaid(text=row.text, calls=asked)
        for call in calls:
            edited = call.edited_by is not None
            yield ToolAnswered(
                call_id=call.id, name=call.action, content=_content(call), status=call.state, edited=edited
            )
    if record.kept is not None and not retried:
        yield AssistantSaid(text=record.kept.text, calls=())


def _was_sent(call: ToolCall) -> bool:
    """Whether a retry must take this call as made: what was refused or failed may be asked again."""
    return call.state in {CallState.DONE, CallState.RUNNING, CallState.UNKNOWN}


def _content(call: ToolCall) -> str:
    if call.result is not None:
        return json.dumps(call.result, ensure_ascii=False)
    return call.detail or call.state


def _shortened(entry: ChatEntry, most: int, key: bytes) -> ChatEntry:
    if isinstance(entry, UserSaid):
        return replace(entry, text=shorten(entry.text, most))
    if isinstance(entry, ToolAnswered):
        return replace(entry, content=_cut_content(entry.content, most), mark=boundary_of(key, entry.call_id))
    calls = tuple(replace(one, arguments=shorten_json(one.arguments, most)) for one in entry.calls)
    return replace(entry, text=shorten(entry.text, most), calls=calls)


def _cut_content(content: str, most: int) -> str:
    if len(content.encode()) <= most:
        return content
    try:
        return json.dumps(shorten_json(json.loads(content), most), ensure_ascii=False)
    except ValueError:
        return shorten(content, most)


def size_of(entries: Sequence[ChatEntry]) -> int:
    """Estimate the bytes that entries put into a call."""
    return sum(_ENTRY + _entry_size(entry) for entry in entries)


def _entry_size(entry: ChatEntry) -> int:
    if isinstance(entry, UserSaid):
        return len(entry.text.encode()) + len(entry.aside.encode())
    if isinstance(entry, ToolAnswered):
        return len(entry.content.encode()) + len(entry.name) + 4 * len(entry.mark)
    return len(entry.text.encode()) + sum(len(one.name) + len(str(one.arguments).encode()) for one in entry.calls)
