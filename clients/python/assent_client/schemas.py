"""The JSON Schema of a function's arguments, as far as people can edit them; no schema means nobody can."""

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

_PLAIN: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_SELF = ("self", "cls")


class Secret:
    """Marks an argument that nobody may see: `password: Annotated[str, Secret()]`."""


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Give what people are asked about: every parameter but `self`. Raises TypeError for `*args` and `**kwargs`."""
    found = [one for one in inspect.signature(function).parameters.values() if one.name not in _SELF]
    if any(one.kind in {one.VAR_POSITIONAL, one.VAR_KEYWORD} for one in found):
        message = f"{function.__name__} takes *args or **kwargs: people could not see what they consent to."
        raise TypeError(message)
    return found


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Give the annotations of the arguments, resolved; none where they cannot be."""
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError):
        return {}


def schema_of(function: Callable[..., Any]) -> dict[str, Any] | None:
    """Give the schema; None where an argument has no annotation, or one that a form has no field for."""
    hints = hints_of(function)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for one in parameters_of(function):
        part = _part(hints.get(one.name))
        if part is None:
            return None
        properties[one.name] = {"description": one.name, **part}
        if one.default is inspect.Parameter.empty:
            required.append(one.name)
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": required}


def secrets_of(function: Callable[..., Any]) -> frozenset[str]:
    """Give the names of the arguments that are marked secret."""
    return frozenset(name for name, hint in hints_of(function).items() if _is_secret(hint))


def _is_secret(hint: Any) -> bool:
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return any(isinstance(one, Secret) or one is Secret for one in marks)


def _part(hint: Any) -> dict[str, Any] | None:
    if get_origin(hint) is Annotated:
        part = _part(get_args(hint)[0])
        return part | {"x-secret": True} if part is not None and _is_secret(hint) else part
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal and all(isinstance(one, str) for one in inner):
        return {"type": "string", "enum": list(inner)}
    if hint is list or origin is list:
        return _list(inner)
    if (hint is dict or origin is dict) and (not inner or inner[0] is str):
        return {"type": "object"}
    return _optional(inner) if origin in {Union, types.UnionType} else None


def _list(inner: tuple[Any, ...]) -> dict[str, Any] | None:
    if not inner:
        return {"type": "array"}
    item = _part(inner[0])
    return None if item is None else {"type": "array", "items": item}


def _optional(inner: tuple[Any, ...]) -> dict[str, Any] | None:
    """Give the schema of `X | None`; of other unions none."""
    rest = [one for one in inner if one is not type(None)]
    part: Mapping[str, Any] | None = _part(rest[0]) if len(rest) == 1 and len(inner) > 1 else None
    if part is None or "enum" in part:
        return None
    return {**part, "type": [part["type"], "null"]}
