"""What a person might say next, without asking a model: examples of what goes with the actions that just ran."""

import re
from collections.abc import Iterator, Sequence

from connectors.manifest import Risk
from connectors.registry import BoundAction, Registry
from core.masking import MASK, mask
from core.tables.work import ToolCall
from core.text import has_hidden
from core.values import CallState

MOST = 3
LONGEST = 120
_SLOT = re.compile(r"\{(\w+)\}")
_HARMLESS = frozenset({Risk.READ, Risk.WRITE})
_LONGEST_VALUE = 60


def follow_ups(registry: Registry, said: str, reply: str, calls: Sequence[ToolCall]) -> tuple[str, ...]:
    """Give at most MOST examples: of the services that this turn used, else of each there is.

    None after a question: the person is to answer that.
    """
    if reply.rstrip().endswith("?"):
        return ()
    done = [call for call in calls if call.state == CallState.DONE]
    found = _beside(registry, done) if done else _first_of_each(registry)
    known = {said.strip().casefold()}
    fresh = (one for one in dict.fromkeys(found) if one.casefold() not in known)
    return tuple(one for one, _ in zip(fresh, range(MOST), strict=False))


def _beside(registry: Registry, done: Sequence[ToolCall]) -> Iterator[str]:
    """Give examples of the other harmless actions of the same services, filled with what the calls were about."""
    ran = {call.action for call in done}
    services = [name.partition(".")[0] for name in ran]
    shown = [mask(call.secrets, call.arguments) for call in done]
    values = {key: one for arguments in shown for key, one in arguments.items() if _is_plain(one) and one != MASK}
    for bound in registry.actions():
        if bound.name.partition(".")[0] in services and bound.name not in ran and bound.spec.risk in _HARMLESS:
            yield from _filled(bound, values)


def _first_of_each(registry: Registry) -> Iterator[str]:
    seen: set[str] = set()
    for bound in registry.actions():
        service = bound.name.partition(".")[0]
        if service not in seen and (found := next(_filled(bound, {}), None)) is not None:
            seen.add(service)
            yield found


def _filled(bound: BoundAction, values: dict[str, str]) -> Iterator[str]:
    """Give the action's first example whose every placeholder has a value."""
    for example in bound.spec.examples:
        if all(name in values for name in _SLOT.findall(example)):
            yield _SLOT.sub(lambda found: values[found[1]], example)
            return


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_VALUE and is_presentable(value)


def is_presentable(text: str) -> bool:
    """Whether a text can be offered as something to say: one line, nothing hidden in it, no address."""
    odd = has_hidden(text) or any(one in text.lower() for one in ("\n", "\t", "://", "](", "<", "www."))
    return bool(text.strip()) and not odd
