"""The JSON Schema of a tool's arguments as we take it: of known words only, bounded, and complete in itself."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from connectors.manifest import check_schema
from connectors.mcp.forms import is_secret
from core.text import reveal

MAX_PARTS = 600
MAX_DEPTH = 12
MAX_WORDS = 400
"""Of a description, in characters."""
MAX_CHOICES = 300
# No word that looks for a pattern: a hostile one takes for ever.
_PLAIN = frozenset(
    {
        *("type", "format", "const", "required", "uniqueItems"),
        *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "default"),
    }
)
_TEXTS = frozenset({"title", "description"})
_INSIDE = frozenset({"items", "additionalProperties", "contains", "not"})
_SEVERAL = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})


class BadSchema(ValueError):
    """A tool whose arguments cannot be checked here, so it cannot be used; the sentence says why."""


def arguments_schema(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give the schema that arguments are checked by; raises BadSchema.

    What it does not know it leaves out, and so takes more than the server may. Arguments that are not named in it are
    never sent. Secrets are those that their names say: the server's own word on that would hide from people what it is
    given.
    """
    schema = _Cleaner(given).part(given, 0, ())
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        message = "its arguments are no object"
        raise BadSchema(message)
    properties = {
        name: {"description": name, **(part if isinstance(part, dict) else {})}
        for name, part in schema.get("properties", {}).items()
    }
    required = [name for name in schema.get("required", []) if name in properties]
    whole = {**schema, "type": "object", "properties": properties, "additionalProperties": False, "required": required}
    try:
        return check_schema(whole)
    except ValueError as error:
        raise BadSchema(str(error)) from error


class _Cleaner:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._parts = 0

    def part(self, part: Any, depth: int, through: tuple[str, ...]) -> Any:
        """Give one schema within it; `through` are the references that led here."""
        if isinstance(part, bool):
            return part
        self._count(part, depth)
        if "$ref" in part:
            return self._referred(part, depth, through)
        clean: dict[str, Any] = {}
        for word, value in part.items():
            self._take(clean, word, value, depth + 1, through)
        return clean

    def _count(self, part: Any, depth: int) -> None:
        self._parts += 1
        if not isinstance(part, Mapping):
            message = "a part of its schema is no schema"
            raise BadSchema(message)
        if self._parts > MAX_PARTS or depth > MAX_DEPTH:
            message = "its schema is larger than can be taken"
            raise BadSchema(message)

    def _take(self, clean: dict[str, Any], word: str, value: Any, depth: int, through: tuple[str, ...]) -> None:
        if word in _TEXTS and isinstance(value, str):
            clean[word] = reveal(value)[:MAX_WORDS]
        elif word == "enum" and isinstance(value, list) and len(value) <= MAX_CHOICES:
            clean[word] = value
        elif word == "properties" and isinstance(value, Mapping):
            _check_names(value)
            clean[word] = {name: _masked(name, self.part(one, depth, through)) for name, one in value.items()}
        elif word in _INSIDE and isinstance(value, Mapping | bool):
            clean[word] = self.part(value, depth, through)
        elif word in _SEVERAL and isinstance(value, list) and value:
            clean[word] = [self.part(one, depth, through) for one in value]
        elif word in _PLAIN:
            clean[word] = value

    def _referred(self, part: Mapping[str, Any], depth: int, through: tuple[str, ...]) -> Any:
        """Put what it refers to in its place; what refers to itself is anything."""
        where = part["$ref"]
        if not isinstance(where, str) or not where.startswith("#"):
            message = "its schema refers to another document"
            raise BadSchema(message)
        where = unquote(where)
        if where in through:
            return {}
        found = self.part(self._find(where), depth + 1, (*through, where))
        beside = {word: reveal(part[word])[:MAX_WORDS] for word in _TEXTS if isinstance(part.get(word), str)}
        return {**found, **beside} if isinstance(found, dict) else found

    def _find(self, where: str) -> Any:
        found: Any = self._root
        for step in where.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or name not in found:
                message = "its schema refers to what is not there"
                raise BadSchema(message)
            found = found[name]
        return found


def _check_names(properties: Mapping[str, Any]) -> None:
    if not all(name.strip() for name in properties):
        message = "an argument has no name"
        raise BadSchema(message)


def _masked(name: str, part: Any) -> Any:
    """Mark as a secret what can be text and has the name of one."""
    if not isinstance(part, dict) or not is_secret(name, {}):
        return part
    types = part.get("type", "string")
    return {**part, "x-secret": True} if types == "string" or (isinstance(types, list) and "string" in types) else part
