"""Whether one rule is about all that another is about, so that the other is never reached."""

from collections.abc import Collection
from typing import Any

from core.policy.built_in import GRAVE
from core.policy.conditions import Condition, matches_glob
from core.policy.document import Rule, When
from core.values import CallVerdict

_LISTS = ("risk", "effect", "user", "role", "group", "channel", "conversation", "mode")
_SAME = ("time", "untrusted", "repeated")


def covers(earlier: Rule, later: Rule) -> bool:
    """Whether the earlier rule leaves nothing to the later one. It is careful: what it cannot tell, it does not claim.

    An allowing rule leaves what it does not name: grave risks, repetitions, effects after outsiders' words.
    """
    one, other = earlier.when, later.when
    if earlier.verdict is CallVerdict.ALLOW and _is_left_by_allowing(one, other):
        return False
    return (
        all(_has_all(getattr(one, name), getattr(other, name)) for name in _LISTS)
        and all(getattr(one, name) in {None, getattr(other, name)} for name in _SAME)
        and _covers_actions(one, other)
        and _covers_arguments(one.arguments or {}, other.arguments or {})
    )


def _is_left_by_allowing(one: When, other: When) -> bool:
    grave = bool(other.risk) and set(other.risk or ()) <= GRAVE and not set(other.risk or ()) & set(one.risk or ())
    by_name = set(one.action or ()) & set(other.action or ())
    return (grave and not by_name) or other.repeated is True or (other.untrusted is True and not one.untrusted)


def _has_all(wide: Collection[Any] | None, narrow: Collection[Any] | None) -> bool:
    return wide is None or (narrow is not None and set(narrow) <= set(wide))


def _covers_actions(one: When, other: When) -> bool:
    named = other.connector or {_connector_of(glob) for glob in other.action or ("*",)}
    if one.connector is not None and not set(named) <= set(one.connector):
        return False
    if one.action is None:
        return True
    return other.action is not None and all(
        any(_covers_glob(wide, glob) for wide in one.action) for glob in other.action
    )


def _connector_of(glob: str) -> str:
    return glob.partition(".")[0] if "." in glob else "*"


def _covers_glob(wide: str, narrow: str) -> bool:
    return wide == narrow or (matches_glob(narrow, wide) and not ("?" in wide and "*" in narrow))


def _covers_arguments(one: dict[str, Condition], other: dict[str, Condition]) -> bool:
    return all(path in other and _covers_condition(wide, other[path]) for path, wide in one.items())


def _covers_condition(wide: Condition, narrow: Condition) -> bool:
    asked, given = wide.model_dump(exclude_unset=True), narrow.model_dump(exclude_unset=True)
    return all(name in given and given[name] == value for name, value in asked.items())
