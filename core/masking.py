"""Secrets among the arguments of an action: which they are by its schema, masked to be shown, put back when edited."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MASK = "••••••"
"""What stands where a secret is; its length says nothing."""
ANY = "*"
"""A step of a path that goes into every item of a list, or every member of an object."""
_SHORT = 4
_BESIDE = ("allOf", "anyOf", "oneOf")
_ONCE_BESIDE = ("if", "then", "else", "not")
_INTO_ALL = ("items", "contains", "additionalProperties", "unevaluatedItems", "unevaluatedProperties")

Path = Sequence[str]


def secret_paths(schema: Mapping[str, Any]) -> list[list[str]]:
    """Give where arguments of this JSON Schema may have secrets (`x-secret`), at any depth, each path once.

    In doubt it is one: what only one of several alternatives calls secret is.
    """
    found = dict.fromkeys(tuple(path) for path in _paths(schema, ()))
    return [list(path) for path in found]


def _paths(schema: Any, at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not isinstance(schema, Mapping):
        return
    if schema.get("x-secret") is True:
        yield at
        return
    for step, part in _parts(schema):
        yield from _paths(part, at if step is None else (*at, step))


def _parts(schema: Mapping[str, Any]) -> Iterator[tuple[str | None, Any]]:
    """Give the schemas inside a schema, and the step that each of them goes into; None is none."""
    for word in _BESIDE:
        yield from ((None, part) for part in schema.get(word, ()))
    yield from ((None, schema[word]) for word in _ONCE_BESIDE if word in schema)
    yield from ((None, part) for part in schema.get("dependentSchemas", {}).values())
    yield from schema.get("properties", {}).items()
    yield from ((ANY, part) for part in schema.get("patternProperties", {}).values())
    yield from ((ANY, part) for part in schema.get("prefixItems", ()))
    yield from ((ANY, schema[word]) for word in _INTO_ALL if word in schema)


def mask(paths: Sequence[Path] | None, arguments: Any) -> Any:
    """Give the arguments with MASK for each secret; what is not there, or null, stays so.

    Arguments stay an object: where they are a secret as a whole, each of them is one.
    """
    if isinstance(arguments, Mapping) and any(not path for path in paths or ()):
        return dict.fromkeys(arguments, MASK)
    return _masked(paths, arguments)


def _masked(paths: Sequence[Path] | None, arguments: Any) -> Any:
    if not paths or arguments is None:
        return arguments
    if any(not path for path in paths):
        return MASK
    if isinstance(arguments, Mapping):
        return {name: _masked(_below(paths, name), value) for name, value in arguments.items()}
    if isinstance(arguments, list):
        inner = _below(paths, None)
        return [_masked(inner, item) for item in arguments]
    return arguments


def _below(paths: Sequence[Path], step: str | None) -> list[Path]:
    """Give what is left of the paths behind a step; None is into a list."""
    return [path[1:] for path in paths if path[0] == ANY or path[0] == step]


def has_mask(paths: Sequence[Path] | None, arguments: Any) -> bool:
    """Whether MASK stands where a secret should: somebody sent back what was shown."""
    return any(value == MASK for value in _secrets(paths, arguments))


def unmask(paths: Sequence[Path] | None, old: Any, new: Any) -> Any:
    """Give `new` with the secrets of `old` where it has MASK. Raises ValueError where that could mean several.

    In a list, an item with MASK takes the secrets of the item that is the same otherwise.
    """
    if not has_mask(paths, new):
        return new
    paths = paths or ()
    if any(not path for path in paths):
        if old is None:
            message = "A masked value stands where there was none: write the value."
            raise ValueError(message)
        return old
    if isinstance(new, Mapping):
        known = old if isinstance(old, Mapping) else {}
        return {name: unmask(_below(paths, name), known.get(name), value) for name, value in new.items()}
    before = old if isinstance(old, list) else []
    inner = _below(paths, None)
    if new == _masked(paths, before):
        return before
    return [_item(inner, before, item) for item in new]


def _item(paths: Sequence[Path], old: list[Any], item: Any) -> Any:
    if not has_mask(paths, item):
        return item
    same = [one for one in old if _masked(paths, one) == item]
    if not same or any(one != same[0] for one in same):
        message = "It is not clear which masked value of a list is meant: write the value."
        raise ValueError(message)
    return same[0]


def _secrets(paths: Sequence[Path] | None, arguments: Any) -> Iterator[Any]:
    """Give the values that are secret."""
    if not paths or arguments is None:
        return
    if any(not path for path in paths):
        yield arguments
    elif isinstance(arguments, Mapping):
        for name, value in arguments.items():
            yield from _secrets(_below(paths, name), value)
    elif isinstance(arguments, list):
        inner = _below(paths, None)
        for item in arguments:
            yield from _secrets(inner, item)


def same_masked(shown: Any, real: Any) -> bool:
    """Whether these arguments, of which some may be masked, can be those."""
    if shown == MASK:
        return True
    if isinstance(shown, Mapping) and isinstance(real, Mapping):
        return shown.keys() == real.keys() and all(same_masked(shown[name], real[name]) for name in shown)
    if isinstance(shown, list) and isinstance(real, list):
        return len(shown) == len(real) and all(same_masked(one, other) for one, other in zip(shown, real, strict=True))
    return bool(shown == real)


def scrub(paths: Sequence[Path] | None, arguments: Any, told: Any) -> Any:
    """Give what a service told with MASK wherever it repeats a secret of the arguments.

    Inside longer texts only secrets of at least 4 characters are looked for.
    """
    words = {str(leaf) for value in _secrets(paths, arguments) for leaf in _leaves(value)} - {"", MASK}
    return _scrubbed(sorted(words, key=len, reverse=True), told) if words else told


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None and not isinstance(value, bool):
        yield value


def _scrubbed(words: Sequence[str], told: Any) -> Any:
    if isinstance(told, Mapping):
        return {_scrubbed(words, name): _scrubbed(words, value) for name, value in told.items()}
    if isinstance(told, list | tuple):
        return [_scrubbed(words, item) for item in told]
    if isinstance(told, str):
        if told in words:
            return MASK
        for word in words:
            if len(word) >= _SHORT:
                told = told.replace(word, MASK)
        return told
    return MASK if not isinstance(told, bool) and told is not None and str(told) in words else told
