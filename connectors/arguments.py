"""The check of a call's arguments: safe, bounded, and as the action's schema says; errors never quote a value."""

import math
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from core.digest import canonical
from core.errors import Invalid
from core.text import check_text

MAX_DEPTH = 16
MAX_NODES = 5_000
MAX_BYTES = 2_097_152
_MAX_EXACT = 2**53 - 1
_MAX_ERRORS = 8
_MAX_NAME = 60


class BadArguments(Invalid):
    """Arguments that an action cannot take; `errors` lists each as `{argument, why}`."""

    code, title = "bad_arguments", "Arguments not valid"


def _refusal(action: str, errors: list[dict[str, str]]) -> BadArguments:
    told = "; ".join(f"{one['argument']} {one['why']}" for one in errors)
    return BadArguments(f"{action}: {told}.", errors=errors)


def check_arguments(action: str, validator: Draft202012Validator, arguments: Any) -> dict[str, Any]:
    """Return the arguments as they are, or raise BadArguments that names each wrong one and says why."""
    if not isinstance(arguments, dict):
        raise _refusal(action, [{"argument": "arguments", "why": "must be an object"}])
    try:
        _bounded(arguments)
    except _Unsafe as unsafe:
        raise _refusal(action, [{"argument": unsafe.argument, "why": unsafe.why}]) from None
    if len(canonical(arguments)) > MAX_BYTES:
        raise _refusal(action, [{"argument": "arguments", "why": f"must not be larger than {MAX_BYTES} bytes"}])
    first: dict[str, dict[str, str]] = {}
    for error in validator.iter_errors(arguments):
        for said in _explain(error):
            first.setdefault(said["argument"], said)
    if first:
        raise _refusal(action, list(first.values())[:_MAX_ERRORS])
    return arguments


class _Unsafe(Exception):
    def __init__(self, argument: str, why: str) -> None:
        super().__init__(why)
        self.argument = argument
        self.why = why


def _bounded(arguments: dict[str, Any]) -> None:
    """Go through the whole value with a stack of our own, so that depth costs nothing."""
    waiting: list[tuple[str, Any, int]] = [("arguments", arguments, 0)]
    seen = 0
    while waiting:
        name, value, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH:
            raise _Unsafe(name, f"must not be nested deeper than {MAX_DEPTH}")
        if seen > MAX_NODES:
            raise _Unsafe("arguments", f"must not hold more than {MAX_NODES} values")
        _check_leaf(name, value)
        waiting += [(inner, item, depth + 1) for inner, item in _children(name, value)]


def _children(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield _named(name, key), item
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield f"{name}[{place}]", item


def _named(parent: str, key: Any) -> str:
    try:
        check_text(key)
    except (ValueError, TypeError):
        raise _Unsafe(parent, "has a name that cannot be kept") from None
    short = key if len(key) <= _MAX_NAME else key[:_MAX_NAME] + "…"
    return short if parent == "arguments" else f"{parent}.{short}"


def _check_leaf(name: str, value: Any) -> None:
    if isinstance(value, str):
        try:
            check_text(value)
        except ValueError as error:
            raise _Unsafe(name, str(error).removeprefix("text ")) from None
    elif isinstance(value, float) and not math.isfinite(value):
        raise _Unsafe(name, "must be a finite number")
    elif isinstance(value, int | float) and abs(value) > _MAX_EXACT:
        raise _Unsafe(name, "must be within 2^53; write a longer number as text")
    elif value is not None and not isinstance(value, bool | int | float | dict | list):
        raise _Unsafe(name, "must be JSON")


def _explain(error: ValidationError) -> Iterator[dict[str, str]]:
    """Say in words what one error of jsonschema means, without the value that it found."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path).lstrip(".")
    keyword = str(error.validator)
    wanted: Any = error.validator_value
    instance: Any = error.instance
    if keyword == "required":
        for name in wanted:
            if name not in instance:
                yield {"argument": f"{path}.{name}".lstrip("."), "why": "is missing"}
    elif keyword == "additionalProperties" and wanted is False:
        known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        for name in sorted(set(instance) - set(known)):
            yield {"argument": f"{path}.{name[:_MAX_NAME]}".lstrip("."), "why": "is not known"}
    else:
        yield {"argument": path or "arguments", "why": _why(keyword, wanted)}


def _why(keyword: str, wanted: Any) -> str:
    sentences = {
        "type": f"must be of type {' or '.join(wanted) if isinstance(wanted, list) else wanted}",
        "enum": f"must be one of {', '.join(str(one) for one in wanted) if isinstance(wanted, list) else wanted}",
        "const": f"must be {wanted}",
        "minLength": "must not be empty" if wanted == 1 else f"must have at least {wanted} characters",
        "maxLength": f"must have at most {wanted} characters",
        "minimum": f"must be at least {wanted}",
        "maximum": f"must be at most {wanted}",
        "minItems": f"must have at least {wanted} items",
        "maxItems": f"must have at most {wanted} items",
        "pattern": "must not be blank" if wanted == r"\S" else f"must match {wanted}",
    }
    return sentences.get(keyword, f"does not fit its schema ({keyword})")
