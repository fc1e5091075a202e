"""What is different between two policies, rule by rule, in words."""

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from core.policy.document import PolicyDocument
from core.values import Value


class Change(Value):
    """One difference: of which rule (or hours, rota, assurance), of which kind, and in words what."""

    what: Literal["rule", "hours", "rota", "assurance"]
    kind: Literal["added", "removed", "moved", "changed"]
    name: str
    words: str


def compare(old: PolicyDocument, new: PolicyDocument) -> tuple[Change, ...]:
    """Give what is different in `new`: rules in their new order, then those removed, then the rest."""
    before, after = old.body(), new.body()
    return (
        *_rules(before.get("rules", []), after.get("rules", [])),
        *_named("hours", before.get("hours", {}), after.get("hours", {})),
        *_named("rota", before.get("rotas", {}), after.get("rotas", {})),
        *_named("assurance", before.get("assurance", {}), after.get("assurance", {})),
    )


def _rules(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    old = {rule["name"]: (place, rule) for place, rule in enumerate(before, 1)}
    new = {rule["name"]: (place, rule) for place, rule in enumerate(after, 1)}
    kept = _in_order([old[name][0] for name in new if name in old])
    for name, (place, rule) in new.items():
        if name not in old:
            words = f"rule {place} is new: {_verdict(rule)}"
            yield Change(what="rule", kind="added", name=name, words=words)
            continue
        if old[name][0] not in kept:
            words = f"moved from place {old[name][0]} to place {place}"
            yield Change(what="rule", kind="moved", name=name, words=words)
        words = "; ".join(_differences(old[name][1], rule))
        if words:
            yield Change(what="rule", kind="changed", name=name, words=words)
    for name, (place, rule) in old.items():
        if name not in new:
            words = f"rule {place} is gone: {_verdict(rule)}"
            yield Change(what="rule", kind="removed", name=name, words=words)


def _verdict(rule: Mapping[str, Any]) -> str:
    about = ", ".join(rule.get("when", {})) or "every call"
    return f"{rule['verdict']} by {about}" if rule.get("when") else f"{rule['verdict']} {about}"


def _in_order(places: Sequence[int]) -> set[int]:
    """Give the longest run of places that still follow each other: only the others moved."""
    tails: list[int] = []
    previous: dict[int, int | None] = {}
    for place in places:
        at = bisect_left(tails, place)
        previous[place] = tails[at - 1] if at else None
        tails[at : at + 1] = [place]
    found: set[int] = set()
    last = tails[-1] if tails else None
    while last is not None:
        found.add(last)
        last = previous[last]
    return found


def _named(
    what: Literal["hours", "rota", "assurance"], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Change]:
    for name in [*after, *(one for one in before if one not in after)]:
        if name not in before:
            yield Change(what=what, kind="added", name=name, words=_shown(after[name]))
        elif name not in after:
            yield Change(what=what, kind="removed", name=name, words=_shown(before[name]))
        elif before[name] != after[name]:
            words = "; ".join(_differences({"": before[name]}, {"": after[name]}))
            yield Change(what=what, kind="changed", name=name, words=words)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key in [*new, *(one for one in old if one not in new)]:
        where = f"{path}.{key}".strip(".")
        before, after = old.get(key), new.get(key)
        if before == after and (key in old) is (key in new):
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _differences(before, after, where)
        else:
            shown = f"{_shown(before) if key in old else 'nothing'} -> {_shown(after) if key in new else 'nothing'}"
            yield f"{where}: {shown}" if where else shown


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
