"""`/do connector.action key=value ...`: a tool call typed by hand."""

import json
import re
from typing import Any

from core.errors import Invalid
from core.text import check_json
from workers.llm.port import CallAsked

USAGE = 'Write it as /do connector.action key=value, for example: /do tasks.add title="Buy milk"'

MOST_EXCERPT = 30
_COMMAND = re.compile(r"^\s*/do(?:\s+|$)")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)+(?=\s|$)")
_KEY = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_-]*)\s*=\s*")
_BARE = re.compile(r"[^\s\"']\S*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'', re.DOTALL)
_TRUE, _FALSE = frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"})
_ESCAPES = {"n": "\n", "t": "\t"}


class UnknownSyntax(Invalid):
    """A `/do` command that cannot be read; the sentence says how to write one."""

    code, title = "unknown_syntax", "Cannot read this command"


def is_do(text: str) -> bool:
    """Tell whether the text is a `/do` command, well written or not."""
    return _COMMAND.match(text) is not None


def parse_do(text: str) -> CallAsked | None:
    """Read a `/do` command; None when the text is none. UnknownSyntax says what is wrong with it."""
    found = _COMMAND.match(text)
    if found is None:
        return None
    rest = text[found.end() :].strip()
    name = _NAME.match(rest)
    if name is None:
        raise UnknownSyntax(f"The name of an action is missing. {USAGE}")
    return CallAsked("do", name.group(), _arguments(rest[name.end() :]))


def _arguments(rest: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    at = 0
    while rest[at:].strip():
        key = _KEY.match(rest, at)
        if key is None:
            raise UnknownSyntax(f"Expected key=value at {_excerpt(rest[at:])}. {USAGE}")
        if key.group(1) in arguments:
            raise UnknownSyntax(f"{key.group(1)} is given twice.")
        arguments[key.group(1)], at = _value(rest, key.end())
        if at < len(rest) and not rest[at].isspace():
            raise UnknownSyntax(f"Expected a space at {_excerpt(rest[at:])}. {USAGE}")
    return arguments


def _value(rest: str, at: int) -> tuple[Any, int]:
    if rest[at : at + 1] in {'"', "'"}:
        quoted = _QUOTED.match(rest, at)
        if quoted is None:
            raise UnknownSyntax(f"A quote is not closed at {_excerpt(rest[at:])}.")
        return _unescaped(quoted), quoted.end()
    if rest[at : at + 1] in {"[", "{"}:
        return _json(rest, at)
    bare = _BARE.match(rest, at)
    if bare is None:
        raise UnknownSyntax(f'A value is missing; for an empty text write "". {USAGE}')
    return _scalar(bare.group()), bare.end()


def _unescaped(quoted: re.Match[str]) -> str:
    if quoted.group(1) is None:
        return quoted.group(2)
    return re.sub(r"\\(.)", lambda one: _ESCAPES.get(one.group(1), one.group(1)), quoted.group(1), flags=re.DOTALL)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _json(rest: str, at: int) -> tuple[Any, int]:
    try:
        value, end = json.JSONDecoder(parse_constant=_no_constant).raw_decode(rest, at)
        return check_json(value), end
    except (ValueError, RecursionError) as error:
        raise UnknownSyntax(f"This is not valid JSON: {_excerpt(rest[at:])}.") from error


def _scalar(raw: str) -> Any:
    """Give a number, true, false or null where writing it again gives the same text; else the text."""
    try:
        value = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return raw
    return value if json.dumps(value) == raw else raw


def _excerpt(text: str) -> str:
    short = text.strip()
    return json.dumps(short if len(short) <= MOST_EXCERPT else short[:MOST_EXCERPT] + "…", ensure_ascii=False)


def coerce(arguments: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Give the arguments in the types that the JSON Schema names, where that is plain; others stay as they are."""
    properties = schema.get("properties", {})
    return {name: coerce_value(value, properties.get(name, {})) for name, value in arguments.items()}


def types_of(schema: dict[str, Any]) -> frozenset[str]:
    """Give the JSON types that a property may have."""
    named = schema.get("type")
    if named is None:
        return frozenset(one for branch in schema.get("anyOf", ()) for one in types_of(branch))
    return frozenset([named] if isinstance(named, str) else named)


def coerce_value(value: Any, schema: dict[str, Any]) -> Any:
    """Give one value in the type that its schema names, where that is plain."""
    types = types_of(schema)
    if "string" in types and isinstance(value, bool | int | float):
        return value if _fits(value, types) else json.dumps(value)
    if isinstance(value, str) and "string" not in types:
        return _from_text(value, types, schema)
    if types == {"array"} and not isinstance(value, list):
        return [coerce_value(value, schema.get("items", {}))]
    return value


def _fits(value: bool | float, types: frozenset[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in types
    return "number" in types or (isinstance(value, int) and "integer" in types)


def _from_text(value: str, types: frozenset[str], schema: dict[str, Any]) -> Any:
    bare = value.strip()
    if "boolean" in types and bare.lower() in _TRUE | _FALSE:
        return bare.lower() in _TRUE
    if "integer" in types and re.fullmatch(r"[+-]?\d{1,18}", bare):
        return int(bare)
    if "number" in types and re.fullmatch(r"[+-]?\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,3})?", bare):
        return float(bare)
    if "array" in types:
        return [coerce_value(value, schema.get("items", {}))]
    return value
