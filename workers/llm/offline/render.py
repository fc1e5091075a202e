"""Plain sentences from what became of calls. It says what the result says, and nothing more."""

import re
from collections.abc import Sequence
from typing import Any

from workers.llm.offline.talk import DONE, Exchange, Step, items_of, parsed
from workers.llm.offline.words import plain
from workers.llm.port import CallAsked, ToolAnswered

LABELS = ("title", "name", "path", "subject", "summary", "label", "file", "text", "id")
BODIES = ("content", "text", "body")
REASONS = ("reason", "comment", "detail", "error", "message")
EDITED = "A person changed the arguments before this was decided."
MOST_TEXT = 8000
MOST_LABEL = 200
MOST_ITEMS = 100
_PAST = {"write": "Wrote", "send": "Sent", "put": "Put", "set": "Set", "make": "Made", "read": "Read", "find": "Found",
         "get": "Got", "run": "Ran", "cancel": "Cancelled"}  # fmt: skip
_NOT_DONE = {
    "rejected": "{what} was rejected, so nothing was done.",
    "expired": "Nobody approved {what} in time, so nothing was done.",
    "denied": "{what} is not allowed, so nothing was done.",
    "failed": "{what} failed.",
    "unknown": "I do not know whether {what} took effect. Please check before you ask for it again.",
    "not run": "{what} was not run.",
    "awaiting approval": "{what} waits for approval.",
    "running": "{what} is still running.",
    "proposed": "{what} has not started yet.",
}


def results(exchange: Exchange, talk: Sequence[Exchange]) -> str:
    """Say what the calls of an exchange came to; lists that only served to find an id are left out."""
    last = exchange.steps[-1]
    answers = [pair for step in exchange.steps for pair in _shown(step, last=step is last)]
    return "\n\n".join(one_result(call, answer, talk) for call, answer in answers)


def _shown(step: Step, *, last: bool) -> list[tuple[CallAsked, ToolAnswered]]:
    return [
        (call, answer)
        for call, answer in step.paired()
        if last or answer.status != DONE or items_of(parsed(answer)) is None
    ]


def one_result(call: CallAsked, answer: ToolAnswered, talk: Sequence[Exchange]) -> str:
    """Say what one call came to, and that it was another's doing where a person changed the arguments."""
    said = _came_to(call, answer, talk)
    return f"{EDITED} {said}" if answer.edited else said


def _came_to(call: CallAsked, answer: ToolAnswered, talk: Sequence[Exchange]) -> str:
    if answer.status != DONE:
        return _not_done(call, answer, talk)
    result = parsed(answer)
    items = items_of(result)
    if items is not None:
        return _list(answer.name, items, result)
    if isinstance(result, dict):
        return _object(call, result, talk)
    return str(result)[:MOST_TEXT] if result not in {"", None} else f"{_did(call, {}, talk)}."


def _not_done(call: CallAsked, answer: ToolAnswered, talk: Sequence[Exchange]) -> str:
    sentence = _NOT_DONE.get(answer.status, "{what}: " + answer.status + ".").format(what=_doing(call, talk))
    reason = _reason(answer)
    return sentence[:1].upper() + sentence[1:] + (f" Reason: {reason}" if reason else "")


def _reason(answer: ToolAnswered) -> str:
    result = parsed(answer)
    if isinstance(result, dict):
        result = next((result[name] for name in REASONS if result.get(name)), "")
    text = str(result).strip()
    return "" if text.lower() == answer.status else text[:MOST_TEXT]


def _words(name: str) -> tuple[str, str]:
    """Give verb and noun of an action's name."""
    namespace, _, action = name.partition(".")
    verb = re.sub(r"[_\-.]", " ", action or namespace)
    return verb, "" if " " in verb else plain(namespace.replace("_", " "))


def _doing(call: CallAsked, talk: Sequence[Exchange]) -> str:
    verb, noun = _words(call.name)
    label = _label(call, {}, talk)
    return " ".join(
        part for part in (f"the request to {verb}", f"the {noun}" if label and noun else noun, label) if part
    )


def _did(call: CallAsked, result: dict[str, Any], talk: Sequence[Exchange]) -> str:
    verb, noun = _words(call.name)
    first, _, rest = verb.partition(" ")
    past = _PAST.get(first) or (first + ("d" if first.endswith("e") else "ed")).capitalize()
    label = _label(call, result, talk)
    return " ".join(part for part in (past, rest, f"the {noun}" if noun and label else noun, label) if part)


def _label(call: CallAsked, result: dict[str, Any], talk: Sequence[Exchange]) -> str:
    """Name the thing: by the result, by the arguments, by what an earlier answer called this id."""
    for source in (result, call.arguments):
        for name in LABELS[:-1]:
            if isinstance(source.get(name), str) and source[name] and len(source[name]) <= MOST_LABEL:
                return f'"{source[name]}"'
    wanted = {value for value in call.arguments.values() if isinstance(value, str)}
    for thing in _known_things(talk):
        if _has_name(thing) and wanted & {
            thing.get("id"),
            *(value for key, value in thing.items() if key.endswith("_id")),
        }:
            return f'"{label_of(thing)}"'
    return f'"{min(wanted)}"' if wanted and len(min(wanted)) <= MOST_LABEL else ""


def _has_name(thing: dict[str, Any]) -> bool:
    return any(thing.get(name) for name in LABELS[:-1])


def _known_things(talk: Sequence[Exchange]) -> list[dict[str, Any]]:
    things: list[dict[str, Any]] = []
    for exchange in reversed(talk):
        for step in reversed(exchange.steps):
            for answer in step.answers:
                result = parsed(answer)
                listed = items_of(result)
                things += [one for one in ([result] if listed is None else listed) if isinstance(one, dict)]
    return things


def label_of(thing: Any) -> str:
    """Give what people call a thing."""
    if not isinstance(thing, dict):
        return str(thing)
    named = next((str(thing[name]) for name in LABELS if thing.get(name) not in {None, ""}), None)
    return named or ", ".join(f"{key}: {value}" for key, value in thing.items())


def _list(name: str, items: list[Any], result: Any) -> str:
    things = name.partition(".")[0].replace("_", " ")
    one = plain(things)
    if not items:
        return f"There are no {things}."
    lines = [f"{place}. {label_of(item)}{_marks(item)}" for place, item in enumerate(items[:MOST_ITEMS], 1)]
    total = result.get("total") if isinstance(result, dict) else None
    count = max(total, len(items)) if isinstance(total, int) else len(items)
    more = (isinstance(result, dict) and bool(result.get("next"))) or count > len(lines)
    head = f"{count} {one if count == 1 else things}" + (f", the first {len(lines)} of them:" if more else ":")
    return "\n".join([head, *lines])


def _marks(item: Any) -> str:
    """Say the few things beside the name that tell items apart: done or not, sizes, dates, states."""
    if not isinstance(item, dict):
        return ""
    told = label_of(item)
    marks = [
        str(key).replace("_", " ") if value is True else f"{str(key).replace('_', ' ')}: {value}"
        for key, value in item.items()
        if key in {"done", "completed", "due", "due_at", "size", "bytes", "state", "status", "amount", "kind"}
        and value not in {None, False, ""}
        and str(value) != told
        and not isinstance(value, dict | list)
    ]
    return f" ({', '.join(marks)})" if marks else ""


def _object(call: CallAsked, result: dict[str, Any], talk: Sequence[Exchange]) -> str:
    body = next((result[name] for name in BODIES if isinstance(result.get(name), str)), None)
    if body is not None and body not in call.arguments.values():
        return _body(_label(call, result, talk), body, result)
    return f"{_did(call, result, talk)}."


def _body(label: str, body: str, result: dict[str, Any]) -> str:
    if not body:
        return f"{label or 'It'} is empty."
    cut = len(body) > MOST_TEXT or bool(result.get("truncated"))
    return f"{label or 'It'} says:\n\n{body[:MOST_TEXT]}" + ("\n\n(The rest is left out.)" if cut else "")
