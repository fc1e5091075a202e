"""From one operation of a document to one action, and to what its calls are made of."""

import json
import re
from collections.abc import Iterator
from typing import Any

from connectors.manifest import Effect, Risk
from connectors.openapi.references import References, Unusable
from connectors.openapi.schema import Converter
from connectors.openapi.words import action_name, argument_name, quoted, risk_of, said
from core.text import is_hidden
from core.values import Value

METHODS = ("get", "head", "post", "put", "patch", "delete")
MAX_SCHEMA_BYTES = 24_576
_SECONDS = 30.0
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%{}/-]{0,400}", re.ASCII)
_SLOT = re.compile(r"\{([^{}]{1,100})\}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_STYLES = {"path": {"simple"}, "header": {"simple"}, "query": {"form", "deepObject", "spaceDelimited", "pipeDelimited"}}
_OURS = frozenset(
    {
        *("accept", "accept-encoding", "accept-charset", "authorization", "connection", "content-encoding", "cookie"),
        *("content-length", "content-type", "expect", "forwarded", "host", "keep-alive", "origin", "referer", "te"),
        *("trailer", "transfer-encoding", "upgrade", "user-agent", "via", "x-forwarded-for", "x-forwarded-host"),
        *("x-http-method-override", "x-method-override", "x-http-method", "x-original-url", "x-rewrite-url"),
        *("proxy-authorization", "x-forwarded-proto", "x-real-ip"),
    }
)
"""Headers that are the caller's own, or that would change what a request is: no document gives them away."""
_IDEMPOTENCY = frozenset({"idempotency-key", "x-idempotency-key", "idempotence-key"})


class Parameter(Value):
    """Where one argument goes. `content` is JSON where a parameter is written so."""

    argument: str
    name: str
    place: str
    style: str
    explode: bool
    as_json: bool = False


class Binding(Value):
    """What a call is made of; `body` is how it is written: json, form, text or none."""

    method: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    body: str | None = None
    idempotency_header: str | None = None


class Operation(Value):
    """An operation as the document has it."""

    method: str
    path: str
    shared: tuple[dict[str, Any], ...]
    said: dict[str, Any]
    swagger: bool = False

    @property
    def label(self) -> str:
        """What it is called where it becomes no action."""
        return f"{self.method} {said(self.path, 80)}"


class Made(Value):
    """An action, as a manifest has it, and the binding of its calls."""

    action: dict[str, Any]
    binding: Binding


class Maker:
    """Makes the actions of one document."""

    def __init__(self, connector: str, references: References, secrets: frozenset[tuple[str, str]]) -> None:
        """`secrets` are the (place, name) of keys: those are never arguments."""
        self._connector = connector
        self._references = references
        self._secrets = secrets

    def make(self, operation: Operation, taken: set[str]) -> Made:
        """Make one, with a name that is not `taken`; raises Unusable."""
        _check_path(operation)
        name = action_name(operation.said.get("operationId"), operation.method, operation.path, taken)
        if name in taken:
            raise Unusable("it has the name of another")
        found = _Arguments(Converter(self._references), self._secrets)
        for given in self._parameters(operation):
            found.take(given, swagger=operation.swagger)
        if not operation.swagger and operation.said.get("requestBody") is not None:
            found.take_body(self._references.follow(operation.said["requestBody"]))
        slots = set(_SLOT.findall(operation.path))
        if slots - {one.name for one in found.parameters if one.place == "path"}:
            raise Unusable("its path has a part that it does not describe")
        binding = found.binding(operation)
        return Made(action=self._action(operation, name, found, binding), binding=binding)

    def _parameters(self, operation: Operation) -> Iterator[dict[str, Any]]:
        """Give the parameters; those of the operation itself stand for those of its path."""
        merged: dict[tuple[Any, Any], dict[str, Any]] = {}
        for given in [*operation.shared, *_objects(operation.said.get("parameters"))]:
            parameter = self._references.follow(given)
            merged[parameter.get("in"), parameter.get("name")] = parameter
        yield from merged.values()

    def _action(self, operation: Operation, name: str, found: "_Arguments", binding: Binding) -> dict[str, Any]:
        risk = risk_of(operation.method, operation.path, operation.said.get("operationId"), _summary(operation))
        repeatable = binding.idempotency_header is not None or operation.said.get("x-idempotent") is True
        effect = Effect.READ if risk is Risk.READ else Effect.IDEMPOTENT if repeatable else Effect.AT_MOST_ONCE
        schema = found.schema()
        if len(json.dumps(schema)) > MAX_SCHEMA_BYTES:
            raise Unusable("what it takes is larger than can be shown")
        words = f"{operation.method} {said(operation.path, 160)} of the imported service {self._connector}."
        old = " It is deprecated." if operation.said.get("deprecated") is True else ""
        return {
            "name": name,
            "version": 1,
            "title": said(f"{self._connector}: {operation.method} {operation.path}", 80),
            "description": f"{words}{old} {quoted(_summary(operation), 300)}".strip(),
            "risk": risk.value,
            "effect": effect.value,
            "schema": schema,
            "examples": [_example(self._connector, name, schema)],
            "timeout_s": _SECONDS,
            "max_concurrency": 4,
            "rate_limits": [{"limit": 60, "window_s": 60, "scope": "connector"}],
        }


def _summary(operation: Operation) -> str:
    both = [operation.said.get("summary"), operation.said.get("description")]
    return " ".join(one for one in both if isinstance(one, str))


def _example(connector: str, name: str, schema: dict[str, Any]) -> str:
    text = f"{connector} {name.replace('_', ' ')}"
    for argument in schema.get("required", [])[:2]:
        text += f" {{{argument}}}"
    return text if len(text) <= 120 else f"{connector} {name.replace('_', ' ')}"  # noqa: PLR2004 - as manifests say


def _check_path(operation: Operation) -> None:
    path = operation.path
    if not _PATH.fullmatch(path) or "//" in path or any(part in {".", ".."} for part in path.split("/")):
        raise Unusable("its path is none that calls are made to")
    if operation.said.get("servers"):
        raise Unusable("it is served elsewhere than the others")


def _objects(given: Any) -> list[dict[str, Any]]:
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


class _Arguments:
    """Collects the arguments of one action."""

    def __init__(self, converter: Converter, secrets: frozenset[tuple[str, str]]) -> None:
        self.parameters: list[Parameter] = []
        self._converter = converter
        self._secrets = secrets
        self._properties: dict[str, Any] = {}
        self._required: list[str] = []
        self._body: str | None = None
        self._key_header: str | None = None
        self._form: dict[str, Any] = {"type": "object", "properties": {}, "required": []}

    def take(self, given: dict[str, Any], *, swagger: bool) -> None:
        """Take a parameter: it becomes an argument, or is ours to fill in."""
        name, place = given.get("name"), given.get("in")
        if swagger and place == "body":
            self._set_body("json", given.get("schema"), given)
        elif swagger and place == "formData":
            self._take_form(given)
        elif isinstance(name, str) and place in _STYLES:
            self._take_one(given, name, place)
        elif given.get("required") is True:
            raise Unusable(f"it needs something in the {said(place, 20) or 'request'} that cannot be given")

    def _take_one(self, given: dict[str, Any], name: str, place: str) -> None:
        if (place, name.lower()) in self._secrets:
            return
        if place == "header":
            if name.lower() in _IDEMPOTENCY:
                self._key_header = name
                return
            if name.lower() in _OURS or not _HEADER.fullmatch(name):
                if given.get("required") is True and name.lower() not in {"accept", "content-type", "authorization"}:
                    raise Unusable(f"it needs the header {said(name, 40)}, which cannot be given")
                return
        if not name or len(name) > 100 or any(is_hidden(one) for one in name):  # noqa: PLR2004 - a name, not a text
            raise Unusable("a name in what it takes cannot be shown")
        argument = argument_name(name, place, set(self._properties))
        style, explode = _style(given, place)
        content, schema = given.get("content"), given.get("schema")
        as_json = isinstance(content, dict)
        if isinstance(content, dict):
            written = next(iter(content.values()), None)
            schema = written.get("schema") if isinstance(written, dict) else {}
        found = self._converter.convert(given if schema is None else schema)
        self._put(argument, found, given, f"In the {place}.", required=place == "path" or given.get("required") is True)
        self.parameters.append(
            Parameter(argument=argument, name=name, place=place, style=style, explode=explode, as_json=as_json)
        )

    def _take_form(self, given: dict[str, Any]) -> None:
        name = given.get("name")
        if not isinstance(name, str):
            raise Unusable("a field of its form has no name")
        self._form["properties"][name] = {key: value for key, value in given.items() if key not in {"in", "required"}}
        if given.get("required") is True:
            self._form["required"].append(name)
        self._set_body("form", self._form, {"required": bool(self._form["required"])})

    def take_body(self, body: dict[str, Any]) -> None:
        """Take the body, in the first form that can be written; raises Unusable when there is none."""
        content = body.get("content")
        kinds = (
            {str(kind).partition(";")[0].strip().lower(): kind for kind in content} if isinstance(content, dict) else {}
        )
        as_json = next(
            (kind for kind in kinds if kind == "application/json" or kind.endswith("+json") or kind == "*/*"), None
        )
        for kind, written in ((as_json, "json"), ("application/x-www-form-urlencoded", "form"), ("text/plain", "text")):
            if kind in kinds and isinstance(content, dict):
                part = content[kinds[kind]]
                schema = part.get("schema") if isinstance(part, dict) else None
                self._set_body(written, schema if schema is not None else {}, body)
                return
        if body.get("required") is True or kinds:
            raise Unusable(f"its body is of a type that cannot be written: {said(', '.join(kinds) or 'none', 80)}")

    def _set_body(self, written: str, schema: Any, given: dict[str, Any]) -> None:
        found = self._converter.convert(schema)
        if written == "form" and found.get("type") != "object":
            raise Unusable("its form is no object")
        self._body = written
        self._required = [one for one in self._required if one != "body"]
        self._put("body", found, given, "The body.", required=given.get("required") is True)

    def _put(self, argument: str, found: dict[str, Any], given: dict[str, Any], where: str, *, required: bool) -> None:
        words = quoted(given.get("description"), 240) or found.get("description", "")
        self._properties[argument] = {**found, "description": f"{where} {words}".strip()}
        if required:
            self._required.append(argument)

    def schema(self) -> dict[str, Any]:
        """Give the schema of the action's arguments."""
        return {
            "type": "object",
            "properties": self._properties,
            "required": self._required,
            "additionalProperties": False,
        }

    def binding(self, operation: Operation) -> Binding:
        """Give what its calls are made of."""
        return Binding(
            method=operation.method,
            path=operation.path,
            parameters=tuple(self.parameters),
            body=self._body,
            idempotency_header=self._key_header,
        )


def _style(given: dict[str, Any], place: str) -> tuple[str, bool]:
    """Give how a parameter is written; raises Unusable for what nobody writes here."""
    default = "form" if place == "query" else "simple"
    collection = given.get("collectionFormat")  # Swagger 2
    style = {"ssv": "spaceDelimited", "pipes": "pipeDelimited"}.get(str(collection), given.get("style", default))
    if style not in _STYLES[place]:
        raise Unusable(f"it writes a parameter in the style {said(str(style), 30)}")
    explode = given.get("explode", style == "form")
    if collection is not None:
        explode = collection == "multi"
    elif "schema" not in given and "content" not in given:
        explode = False  # Swagger 2 separates by commas
    return style, explode is True
