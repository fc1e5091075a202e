"""What a server asks people, as a form: a flat schema of known words, made anew from the server's."""

import re
from collections.abc import Mapping
from typing import Any

from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitRequestURLParams, InputRequest

from connectors.base import PermanentFailure, Question
from core.text import clean_text, reveal

MAX_FIELDS = 20
MAX_CHOICES = 100
MAX_MESSAGE = 2_000
_MAX_NAME = 60
_MAX_WORDS = 300
_MAX_ANSWER = 4_000
_SECRET = re.compile(
    r"pass.?(?:word|phrase|code)|\bpwd|\bpin\b|secret|token|api.?key|private.?key|credential|cvv|cvc", re.IGNORECASE
)
_KINDS = frozenset({"string", "number", "integer", "boolean", "array"})
_BOUNDS = {
    "string": ("minLength", "maxLength", "format"),
    "number": ("minimum", "maximum"),
    "integer": ("minimum", "maximum"),
    "boolean": (),
    "array": ("minItems", "maxItems"),
}
_EMPTY: dict[str, Any] = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def question_of(key: str, request: InputRequest, server: str) -> Question:
    """Give what a server asks; raises PermanentFailure for what it must not, and for a form that cannot be shown."""
    if not isinstance(request, ElicitRequest):
        message = f"The server wants something that no server is given here ({request.method})."
        raise PermanentFailure(message)
    params = request.params
    words = reveal(clean_text(params.message)).strip()[:MAX_MESSAGE] or "(It says nothing.)"
    if isinstance(params, ElicitRequestURLParams):
        where = reveal(clean_text(params.url))[:_MAX_WORDS]
        why = f"The server wanted somebody to open {where}, which is not done for servers. It said: {words}"
        return Question(key=key, message=words, schema_=_EMPTY, server=server, refused=why)
    return Question(key=key, message=words, schema_=form_of(params), server=server)


def form_of(params: ElicitRequestFormParams) -> dict[str, Any]:
    """Give the schema of an answer; raises PermanentFailure where the server's is no flat form."""
    given = params.requested_schema
    fields = given.get("properties", {})
    if not isinstance(fields, Mapping) or len(fields) > MAX_FIELDS:
        message = f"The server asks with a form that cannot be shown: at most {MAX_FIELDS} fields."
        raise PermanentFailure(message)
    needed = given.get("required")
    return {
        "type": "object",
        "properties": {_name(name): _field(str(name), part) for name, part in fields.items()},
        "required": [name for name in needed if name in fields] if isinstance(needed, list) else [],
        "additionalProperties": False,
    }


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name or len(name) > _MAX_NAME or reveal(name) != name:
        message = "The server asks with a form whose fields have names that cannot be shown."
        raise PermanentFailure(message)
    return clean_text(name)


def _field(name: str, part: Any) -> dict[str, Any]:
    if not isinstance(part, Mapping) or str(part.get("type")) not in _KINDS:
        message = (
            "The server asks with a form that cannot be shown: its fields are text, numbers, yes or no, or choices."
        )
        raise PermanentFailure(message)
    kind = part["type"]
    field: dict[str, Any] = {"type": kind, "description": _described(name, part)}
    field |= {word: part[word] for word in _BOUNDS[kind] if _fits(word, part.get(word))}
    if kind == "string":
        field["maxLength"] = min(field.get("maxLength", _MAX_ANSWER), _MAX_ANSWER)
    choices = _choices(part.get("items", {}) if kind == "array" else part)
    if kind == "array":
        field["items"] = {"type": "string", **({"enum": choices} if choices else {})}
        field["maxItems"] = min(field.get("maxItems", MAX_CHOICES), MAX_CHOICES)
    elif choices:
        field["enum"] = choices
    if kind == "string" and is_secret(name, part):
        field["x-secret"] = True
    if "default" in part and _is_kind(kind, part["default"]):
        field["default"] = part["default"]
    return field


def is_secret(name: str, part: Mapping[str, Any]) -> bool:
    """Whether a field seems to want a password or a key: what is written there is masked, and a warning is shown."""
    said = (name, part.get("title"), part.get("description"))
    return any(_SECRET.search(one) for one in said if isinstance(one, str))


def _described(name: str, part: Mapping[str, Any]) -> str:
    said = [reveal(clean_text(one)) for one in (part.get("title"), part.get("description")) if isinstance(one, str)]
    titles = _titles(part.get("items", {}) if part.get("type") == "array" else part)
    return (": ".join(one.strip() for one in said if one.strip()) + titles)[:_MAX_WORDS].strip() or name


def _titles(part: Any) -> str:
    """Say what each choice means, where the server says it."""
    if not isinstance(part, Mapping):
        return ""
    listed = part.get("oneOf", part.get("anyOf"))
    pairs = (
        [(one.get("const"), one.get("title")) for one in listed if isinstance(one, Mapping)]
        if isinstance(listed, list)
        else []
    )
    if isinstance(part.get("enum"), list) and isinstance(part.get("enumNames"), list):
        pairs = list(zip(part["enum"], part["enumNames"], strict=False))
    said = [f"{value}: {title}" for value, title in pairs if isinstance(title, str) and title != value]
    return f" ({reveal(clean_text('; '.join(said)))})" if said else ""


def _choices(part: Any) -> list[str]:
    """Give what may be chosen: named plainly, or each with a title."""
    if not isinstance(part, Mapping):
        return []
    listed = part.get("oneOf", part.get("anyOf"))
    found = (
        [one.get("const") for one in listed if isinstance(one, Mapping)]
        if isinstance(listed, list)
        else part.get("enum")
    )
    if not isinstance(found, list):
        return []
    if len(found) > MAX_CHOICES:
        message = f"The server asks with more than {MAX_CHOICES} choices."
        raise PermanentFailure(message)
    return [clean_text(one)[:_MAX_WORDS] for one in found if isinstance(one, str)]


def _fits(word: str, value: Any) -> bool:
    if word == "format":
        return isinstance(value, str) and value in {"email", "uri", "date", "date-time"}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return word in {"minimum", "maximum"} or (isinstance(value, int) and value >= 0)


def _is_kind(kind: str, value: Any) -> bool:
    if kind == "array":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    kinds: dict[str, Any] = {"string": str, "number": int | float, "integer": int, "boolean": bool}
    return isinstance(value, kinds[kind]) and (kind == "boolean" or not isinstance(value, bool))
