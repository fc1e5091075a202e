"""What an outside program asks consent for: an action of its own, or one that is really a connector's, checked.

A schema comes from outside: only words that are quick to check are taken, and only so many of them.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jsonschema import Draft202012Validator

from connectors.arguments import check_arguments
from connectors.manifest import Effect, Risk, check_schema
from connectors.registry import Registry
from core.digest import canonical
from core.errors import Invalid
from core.masking import secret_paths

NAME = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)+")
MAX_NAME = 100
MAX_SCHEMA_BYTES = 16_384
MAX_SCHEMA_PARTS = 300
MAX_CHOICES = 100
MAX_ARGUMENTS_BYTES = 65_536
_ANYTHING: dict[str, Any] = {"type": "object"}
# No word that looks for a pattern, refers elsewhere or tries several schemas on one value: those can take for ever.
_WORDS = frozenset(
    {
        *("type", "title", "description", "default", "examples", "format", "x-secret"),
        *("properties", "required", "additionalProperties", "items", "enum", "const"),
        *("minLength", "maxLength", "minItems", "maxItems"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    }
)
_INSIDE = ("items", "additionalProperties")


@dataclass(frozen=True)
class OutsideSpec:
    """What policy looks at of an outside action, as `ActionSpec` has it."""

    risk: str
    effect: str
    allow_reason: str | None = None


@dataclass(frozen=True)
class OutsideAction:
    """An action that others do, and what its arguments have to be. `native`: a connector of ours has it too."""

    name: str
    spec: OutsideSpec
    schema: dict[str, Any] | None
    native: bool = False

    @cached_property
    def schema_digest(self) -> str:
        """SHA-256, in hex, of all that consent to this action relies on."""
        bound = {"action": self.name, "risk": self.spec.risk, "effect": self.spec.effect, "schema": self.schema}
        return hashlib.sha256(canonical(bound)).hexdigest()

    @cached_property
    def secrets(self) -> list[list[str]]:
        """Where its arguments have secrets."""
        return secret_paths(self.schema or {})

    def check(self, arguments: Any) -> dict[str, Any]:
        """Return the arguments when they fit; raises BadArguments, Invalid when they are too large."""
        checked = check_arguments(self.name, Draft202012Validator(self.schema or _ANYTHING), arguments)
        if len(canonical(checked)) > MAX_ARGUMENTS_BYTES:
            message = f"Arguments have at most {MAX_ARGUMENTS_BYTES} bytes: tell the people who decide what matters."
            raise Invalid(message)
        return checked


def outside_action(
    registry: Registry, name: str, risk: str, effect: str | None, schema: dict[str, Any] | None
) -> OutsideAction:
    """Give the action that is asked for; of a connector's own, the manifest says what it is. Raises Invalid."""
    if not NAME.fullmatch(name) or len(name) > MAX_NAME:
        message = "The action's name needs a namespace and a dot: small letters, digits, `_` and `-`, as deploy.app."
        raise Invalid(message)
    native = next((one for one in registry.actions() if one.name == name), None)
    if native is not None:
        spec = OutsideSpec(native.spec.risk, native.spec.effect, native.spec.allow_reason)
        return OutsideAction(name, spec, native.spec.schema_, native=True)
    if name.partition(".")[0] in {manifest.id for manifest in registry.manifests()}:
        message = "This namespace is a connector's, which has no such action: choose another name."
        raise Invalid(message)
    return OutsideAction(name, OutsideSpec(_known_risk(risk), _known_effect(effect)), schema and check_outside(schema))


def _known_risk(risk: str) -> str:
    """Take what nobody knows for the gravest."""
    return risk if risk in set(Risk) else Risk.ADMIN.value


def _known_effect(effect: str | None) -> str:
    return effect if effect in set(Effect) else Effect.AT_MOST_ONCE.value


def check_outside(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with a description for each argument; raises Invalid when it says what is not taken."""
    try:
        _check_size(schema)
        described = {
            name: {"description": name, **part} if isinstance(part, dict) else part
            for name, part in schema.get("properties", {}).items()
        }
        return check_schema({**schema, "properties": described})
    except ValueError as error:
        raise Invalid(f"The schema cannot be used: {error}.") from error


def _check_size(schema: dict[str, Any]) -> None:
    if len(canonical(schema)) > MAX_SCHEMA_BYTES:
        message = f"it has more than {MAX_SCHEMA_BYTES} bytes"
        raise ValueError(message)
    waiting: list[Any] = [schema]
    parts = 0
    while waiting:
        part = waiting.pop()
        parts += 1
        if parts > MAX_SCHEMA_PARTS:
            message = f"it has more than {MAX_SCHEMA_PARTS} parts"
            raise ValueError(message)
        if isinstance(part, bool):
            continue
        _check_part(part)
        waiting += [*part.get("properties", {}).values(), *(part[one] for one in _INSIDE if one in part)]


def _check_part(part: Any) -> None:
    if not isinstance(part, dict) or not isinstance(part.get("properties", {}), dict):
        message = "a part of it is no schema"
        raise ValueError(message)  # noqa: TRY004 - it says something wrong, as any other part that is refused
    if not all(str(name).strip() for name in part.get("properties", {})):
        message = "an argument in it has no name"
        raise ValueError(message)
    if isinstance(part.get("enum"), list) and len(part["enum"]) > MAX_CHOICES:
        message = f"an enum has more than {MAX_CHOICES} values"
        raise ValueError(message)
    unknown = sorted(str(word) for word in part.keys() - _WORDS)
    if unknown:
        message = f"`{unknown[0][:40]}` is not taken; only {', '.join(sorted(_WORDS))} are"
        raise ValueError(message)
