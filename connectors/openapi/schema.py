"""From a document's schemas to ours: one tree without references, within limits, made only of words that we check.

What cannot be said is said more loosely (the service checks it anyway) or, where a call could not be made, Unusable.
Words that look for patterns are left out: they can take for ever.
"""

from typing import Any

from connectors.openapi.references import References, Unusable
from connectors.openapi.words import quoted, said
from core.text import is_hidden

MAX_DEPTH = 7
MAX_PARTS = 400
_MAX_CHOICES = 100
_MAX_BRANCHES = 8
_MAX_VALUE = 80
_MAX_PROPERTIES = 120
_MAX_PROPERTY_NAME = 64
_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_MOST = 2**53
Schema = dict[str, Any]


class Converter:
    """Converts the schemas of one action: their parts are counted together."""

    def __init__(self, references: References) -> None:
        """Take what resolves references."""
        self._references = references
        self._parts = 0

    def convert(self, schema: Any, seen: frozenset[str] = frozenset(), depth: int = 0) -> Schema:
        """Give a schema of ours; raises Unusable."""
        if not isinstance(schema, dict):
            return {}
        if isinstance(schema.get("$ref"), str):
            return self._referred(schema, seen, depth)
        self._parts += 1
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            return _loose(schema)
        if schema.get("format") == "binary" or schema.get("type") == "file":
            raise Unusable("it takes a file")
        if isinstance(schema.get("allOf"), list):
            return self._all(schema, seen, depth)
        choices = schema.get("oneOf") or schema.get("anyOf")
        if isinstance(choices, list) and "properties" not in schema:
            return self._any(schema, choices, seen, depth)
        return self._one(schema, seen, depth)

    def _referred(self, schema: Schema, seen: frozenset[str], depth: int) -> Schema:
        reference = schema["$ref"]
        target = self._references.at(reference)
        if reference in seen:
            return _loose(target) if isinstance(target, dict) else {}
        found = self.convert(target, seen | {reference}, depth)
        return {**found, **_described(schema)}

    def _all(self, schema: Schema, seen: frozenset[str], depth: int) -> Schema:
        """Put the parts together into one; where they are of different types, the first holds."""
        beside = {name: value for name, value in schema.items() if name != "allOf"}
        parts = [self.convert(one, seen, depth) for one in [*schema["allOf"][:20], beside]]
        parts = [part for part in parts if part]
        if not all(part.get("type") == "object" or "type" not in part for part in parts):
            return {**next(part for part in parts if "type" in part), **_described(schema)}
        merged: Schema = {"type": "object", "properties": {}, "required": []}
        for part in parts:
            merged["properties"] |= part.get("properties", {})
            merged["required"] += [name for name in part.get("required", []) if name not in merged["required"]]
        return _closed(merged, beside) | _described(schema)

    def _any(self, schema: Schema, choices: list[Any], seen: frozenset[str], depth: int) -> Schema:
        branches: list[Schema] = []
        for choice in choices[:_MAX_BRANCHES]:
            try:
                branch = self.convert(choice, seen, depth + 1)
            except Unusable:
                continue
            if branch not in branches:
                branches.append(branch)
        if not branches:
            raise Unusable("nothing that it takes can be said here")
        if len(choices) > _MAX_BRANCHES or {} in branches:
            return _described(schema)
        if len(branches) == 1:
            return {**branches[0], **_described(schema)}
        return {"anyOf": branches, **_described(schema)}

    def _one(self, schema: Schema, seen: frozenset[str], depth: int) -> Schema:
        found: Schema = {}
        types = _types(schema)
        if types:
            found["type"] = types[0] if len(types) == 1 else types
        found |= _plain(schema, types) | _described(schema)
        if "object" in types:
            found |= self._object(schema, seen, depth)
        if "array" in types:
            found["items"] = self.convert(schema.get("items", {}), seen, depth + 1)
        return found

    def _object(self, schema: Schema, seen: frozenset[str], depth: int) -> Schema:
        required = [name for name in _list(schema.get("required")) if isinstance(name, str)]
        properties: Schema = {}
        given = schema.get("properties")
        for name, part in list(given.items() if isinstance(given, dict) else ())[:_MAX_PROPERTIES]:
            if isinstance(part, dict) and part.get("readOnly") is True:
                required = [one for one in required if one != name]
                continue
            try:
                properties[_property_name(name)] = self.convert(part, seen, depth + 1)
            except Unusable:
                if name in required:
                    raise
        found: Schema = {"type": "object", "properties": properties, "required": required}
        return _closed({**found, "type": _type_word(schema, found)}, schema)


def _closed(found: Schema, schema: Schema) -> Schema:
    """Take no more than is named, unless the document says that there is more; what is required must be named."""
    named = found["properties"]
    more = schema.get("additionalProperties")
    is_open = not named or more is True or isinstance(more, dict)
    missing = [name for name in found["required"] if name not in named]
    if missing and not is_open:
        raise Unusable(f"it requires {said(missing[0], 40)}, and does not say what that is")
    if not is_open:
        found["additionalProperties"] = False
    return {name: value for name, value in found.items() if value or name in {"additionalProperties", "type"}}


def _type_word(schema: Schema, found: Schema) -> Any:
    types = _types(schema)
    return types if len(types) > 1 else found["type"]


def _types(schema: Schema) -> list[str]:
    given = schema.get("type")
    types = [one for one in (given if isinstance(given, list) else [given]) if one in _TYPES]
    if not types and isinstance(schema.get("properties"), dict):
        types = ["object"]
    if not types and "items" in schema:
        types = ["array"]
    if schema.get("nullable") is True and types and "null" not in types:
        types.append("null")
    return list(dict.fromkeys(types))


def _loose(schema: Schema) -> Schema:
    """Say only the type, for what goes deeper than we do."""
    types = _types(schema)
    return {"type": types[0] if len(types) == 1 else types} if types else {}


def _described(schema: Schema) -> Schema:
    words = quoted(schema.get("description") or schema.get("title"), 240)
    return {"description": words} if words else {}


def _plain(schema: Schema, types: list[str]) -> Schema:
    """Take over what is said of a value itself, word by word."""
    found: Schema = {}
    choices = [one for one in _list(schema.get("enum")) if _is_choice(one)]
    if choices and len(choices) == len(schema["enum"]) and len(choices) <= _MAX_CHOICES:
        found["enum"] = [*choices, None] if "null" in types and None not in choices else choices
    if "const" in schema and _is_choice(schema["const"]):
        found["const"] = schema["const"]
    if "default" in schema and _is_choice(schema["default"]):
        found["default"] = schema["default"]
    for word in _COUNTS:
        if isinstance(schema.get(word), int) and 0 <= schema[word] <= _MOST and not isinstance(schema[word], bool):
            found[word] = schema[word]
    found |= _bounds(schema)
    if schema.get("format") == "password":
        found["x-secret"] = True
    return found


def _bounds(schema: Schema) -> Schema:
    found = {word: schema[word] for word in _BOUNDS if _is_number(schema.get(word))}
    for word, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if schema.get(strict) is True and word in found:  # as 3.0 says it
            found[strict] = found.pop(word)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MOST


def _is_choice(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _MAX_VALUE and not any(is_hidden(one) for one in value)
    return value is None or isinstance(value, bool) or _is_number(value)


def _property_name(name: str) -> str:
    if not name or len(name) > _MAX_PROPERTY_NAME or any(is_hidden(one) or one in "\n\t" for one in name):
        raise Unusable("a name in what it takes cannot be shown")
    return name


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
