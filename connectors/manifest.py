"""What a connector says about itself: `manifest.toml`, read strictly."""

import re
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from core.errors import Misconfigured
from core.masking import secret_paths
from core.text import SpokenStr, check_json
from core.values import Value

_WORD = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"  # single underscores: providers that allow no dot in a name get two of them
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_RESOLVE_KEYS = {"action", "match", "value"}

ConnectorId = Annotated[str, StringConstraints(pattern=_WORD, max_length=24)]
ActionName = Annotated[str, StringConstraints(pattern=_WORD, max_length=38)]
Semver = Annotated[str, StringConstraints(pattern=r"^\d{1,4}\.\d{1,4}\.\d{1,4}$")]
Title = Annotated[SpokenStr, StringConstraints(max_length=80)]
Description = Annotated[SpokenStr, StringConstraints(max_length=600)]
Example = Annotated[SpokenStr, StringConstraints(max_length=120)]


class Risk(StrEnum):
    """What an action can do to people; policy decides by it."""

    READ = "read"
    WRITE = "write"
    EXTERNAL_COMMS = "external_comms"
    MONEY = "money"
    DESTRUCTIVE = "destructive"
    ADMIN = "admin"


class Effect(StrEnum):
    """What repeating a call does: nothing, the same once more under the same key, or harm (then it is sent once)."""

    READ = "read"
    IDEMPOTENT = "idempotent"
    AT_MOST_ONCE = "at_most_once"


def _nested(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from _nested(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _nested(part)


def _check_resolve(name: str, hint: Any) -> None:
    if not isinstance(hint, dict) or not _RESOLVE_KEYS <= set(hint) <= _RESOLVE_KEYS | {"arguments"}:
        message = f"x-resolve of {name} must have action, match and value, and may have arguments"
        raise ValueError(message)
    if not all(isinstance(hint[key], str) for key in _RESOLVE_KEYS) or not isinstance(hint.get("arguments", {}), dict):
        message = f"x-resolve of {name}: action, match and value are text, arguments is a table"
        raise ValueError(message)


def check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an action's arguments, or raise ValueError that says what is wrong with it."""
    check_json(schema)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        message = f"not a JSON Schema (draft 2020-12): {error.message[:200]}"
        raise ValueError(message) from error
    if schema.get("type") != "object" or schema.get("additionalProperties") is not False:
        message = 'the schema of arguments must have type = "object" and additionalProperties = false'
        raise ValueError(message)
    if [] in secret_paths(schema):
        message = "the arguments as a whole cannot be a secret: say which of them are"
        raise ValueError(message)
    if any("$ref" in part or "$dynamicRef" in part for part in _nested(schema)):
        message = "the schema of arguments must not refer to another ($ref)"
        raise ValueError(message)
    for name, part in schema.get("properties", {}).items():
        if not isinstance(part, dict) or not part.get("description"):
            message = f"the argument {name} needs a description"
            raise ValueError(message)
        if "x-resolve" in part:
            _check_resolve(name, part["x-resolve"])
    return schema


class RateLimit(Value):
    """At most `limit` calls within `window_s` seconds, counted over what `scope` says.

    `connector`: all calls of the connector; `account`: those on behalf of one person; `action`: those of this action.
    """

    limit: int = Field(ge=1, le=100_000)
    window_s: float = Field(gt=0, le=86_400)
    scope: Literal["connector", "account", "action"] = "account"


class ActionSpec(Value):
    """One thing that a connector can do.

    `schema_` (in TOML: `schema`) is the JSON Schema of the arguments. `x-resolve` on a property says how its id is
    found by a name that people use; `x-secret`, at any depth, masks it wherever arguments are shown. `allow_reason`
    lets a harmless local write pass without asking, and says why. `untrusted`: its results hold what outsiders wrote,
    and nothing that is "always allowed" passes unasked in that turn afterwards; not said, it is so for services.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: ActionName
    version: int = Field(ge=1)
    title: Title
    description: Description
    risk: Risk
    effect: Effect
    allow_reason: Description | None = None
    untrusted: bool | None = None
    schema_: Annotated[dict[str, Any], AfterValidator(check_schema)] = Field(alias="schema")
    examples: tuple[Example, ...] = Field(min_length=1, max_length=24)
    timeout_s: float = Field(gt=0, le=600)
    max_concurrency: int = Field(ge=1, le=1000)
    rate_limits: tuple[RateLimit, ...] = Field((), max_length=4)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.risk is Risk.READ) != (self.effect is Effect.READ):
            message = "risk read and effect read belong together"
            raise ValueError(message)
        if self.allow_reason is not None and self.risk is not Risk.WRITE:
            message = f"allow_reason is only for risk write, not for {self.risk}"
            raise ValueError(message)
        for word in {word for example in self.examples for word in _PLACEHOLDER.findall(example)}:
            if word not in self.placeholders:
                message = f"an example names {{{word}}}, which is no argument"
                raise ValueError(message)
        return self

    @property
    def properties(self) -> dict[str, dict[str, Any]]:
        """The arguments and the schema of each."""
        found: dict[str, dict[str, Any]] = self.schema_.get("properties", {})
        return found

    @property
    def references(self) -> dict[str, dict[str, Any]]:
        """The arguments that are ids of things which people call by name, with their `x-resolve`."""
        return {name: part["x-resolve"] for name, part in self.properties.items() if "x-resolve" in part}

    @property
    def placeholders(self) -> frozenset[str]:
        """What an example may name: an argument, or what an id is resolved by."""
        return frozenset(self.properties) | {str(hint["match"]) for hint in self.references.values()}

    @cached_property
    def secrets(self) -> list[list[str]]:
        """Where the arguments have what is masked wherever they are shown (`core.masking`)."""
        return secret_paths(self.schema_)


class ConnectorManifest(Value):
    """A connector and its actions. `pin` stands for all that an imported one does beside what is said here."""

    id: ConnectorId
    version: Semver
    title: Title
    description: Description
    origin: Literal["native", "openapi", "mcp", "plugin"] = "native"
    pin: str | None = None
    actions: tuple[ActionSpec, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_each_action_once(self) -> Self:
        names = [action.name for action in self.actions]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"actions with the same name: {', '.join(twice)}"
            raise ValueError(message)
        return self

    def action(self, name: str) -> ActionSpec:
        """Give the action of that (short) name; KeyError when there is none."""
        for action in self.actions:
            if action.name == name:
                return action
        raise KeyError(name)


class BadManifest(Misconfigured):
    """A manifest that cannot be used; the sentence names the file, the place and the reason."""

    code, title = "bad_manifest", "Manifest not usable"


def parse_manifest(text: str, source: str) -> ConnectorManifest:
    """Read a manifest; `source` names it in BadManifest."""
    try:
        return ConnectorManifest.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        message = f"{source} is not TOML: {error}"
        raise BadManifest(message) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        message = f"{source}: {place}: {first['msg']}"
        raise BadManifest(message, errors=error.error_count()) from error


def load_manifest(folder: Path) -> ConnectorManifest:
    """Read `manifest.toml` in a connector's folder."""
    path = folder / "manifest.toml"
    return parse_manifest(path.read_text("utf-8"), f"{folder.name}/{path.name}")
