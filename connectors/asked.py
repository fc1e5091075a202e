"""The answer to what a service asked people: what is filled in before anybody did, and whether it is whole."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from connectors.arguments import BadArguments, check_arguments


def blank(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Give the answer as it stands before anybody wrote one: what has a default, and yes to a single yes or no."""
    fields = schema.get("properties", {})
    given = {name: part["default"] for name, part in fields.items() if "default" in part}
    if len(fields) == 1 and not given:
        name, part = next(iter(fields.items()))
        return {name: True} if part.get("type") == "boolean" else {}
    return given


def check_answer(schema: Mapping[str, Any], answer: Any) -> dict[str, Any]:
    """Return the answer when it fits what was asked; raises BadArguments."""
    return check_arguments("answer.form", Draft202012Validator(dict(schema)), answer)


def is_answered(schema: Mapping[str, Any] | None, answer: Any) -> bool:
    """Whether it can be accepted as it is; where it cannot, somebody has to fill it in."""
    try:
        check_answer(schema or {"type": "object"}, answer)
    except BadArguments:
        return False
    return True
