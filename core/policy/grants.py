"""What "always allow" covers: a pattern for each argument. Pure, and closed: what no pattern names must be absent."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from core.digest import canonical
from core.masking import ANY, secret_paths
from core.text import check_json, is_hidden, reveal
from core.values import Value

MAX_ARGUMENTS = 50
_MOST_HOST = 253
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9.-]{1,253})")
_PORTS = {"http": 80, "https": 443}


class Exact(Value):
    """It is this very value."""

    kind: Literal["exact"] = "exact"
    value: Any

    @field_validator("value")
    @classmethod
    def _is_json(cls, value: Any) -> Any:
        canonical(check_json(value))
        return value


class OneOf(Value):
    """It is one of these."""

    kind: Literal["one_of"] = "one_of"
    values: tuple[Any, ...] = Field(min_length=1, max_length=100)

    @field_validator("values")
    @classmethod
    def _are_json(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        canonical(check_json(list(values)))
        return values


class Prefix(Value):
    """It is a text that begins so."""

    kind: Literal["prefix"] = "prefix"
    text: str = Field(min_length=1, max_length=1000)


class Under(Value):
    """It is a path below this folder, without `..`."""

    kind: Literal["under"] = "under"
    path: str = Field(min_length=1, max_length=1000)


class Domain(Value):
    """It is an e-mail address or an http(s) address in this domain, or below it."""

    kind: Literal["domain"] = "domain"
    domain: str = Field(pattern=rf"^{_HOST.pattern}$", max_length=_MOST_HOST)


class AtMost(Value):
    """It is a number from `at_least` to `number`."""

    kind: Literal["at_most"] = "at_most"
    number: float = Field(allow_inf_nan=False)
    at_least: float = Field(0, allow_inf_nan=False)


class AnyValue(Value):
    """It is anything, or not there."""

    kind: Literal["any"] = "any"


Single = Annotated[Exact | OneOf | Prefix | Under | Domain | AtMost, Field(discriminator="kind")]


class Each(Value):
    """It is a list with at least one item, and each item fits."""

    kind: Literal["each"] = "each"
    of: Single


Pattern = Annotated[
    Exact | OneOf | Prefix | Under | Domain | AtMost | AnyValue | Each,
    Field(discriminator="kind"),
]
_PATTERNS: TypeAdapter[dict[str, Pattern]] = TypeAdapter(
    Annotated[dict[Annotated[str, Field(max_length=200)], Pattern], Field(max_length=MAX_ARGUMENTS)]
)


class Choice(Value):
    """What could be allowed of one argument, tightest first, each with what it says."""

    argument: str
    options: tuple[Pattern, ...]
    says: tuple[str, ...]


def read(patterns: Any) -> dict[str, Pattern]:
    """Read patterns; raises ValueError with a sentence when they are none."""
    try:
        return _PATTERNS.validate_python(patterns)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = f"The pattern {place} cannot be used: {first['msg']}"
        raise ValueError(message) from error
    except RecursionError as error:
        message = "The patterns are nested too deeply."
        raise ValueError(message) from error


def fits(patterns: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether a call with these arguments is covered. Patterns that cannot be read cover nothing."""
    try:
        known = read(patterns)
    except ValueError:
        return False
    if not set(arguments) <= set(known):
        return False
    return all(
        isinstance(pattern, AnyValue) or (name in arguments and _fits(pattern, arguments[name]))
        for name, pattern in known.items()
    )


def check(patterns: Any, schema: Mapping[str, Any]) -> dict[str, Pattern]:
    """Read patterns for an action; raises ValueError for arguments it has not, and for secrets written down."""
    known = read(patterns)
    strange = set(known) - set(schema.get("properties", {}))
    if strange:
        message = f"The action has no argument {min(strange)}."
        raise ValueError(message)
    secret = secret_arguments(schema)
    held = [name for name, pattern in known.items() if name in secret and not isinstance(pattern, AnyValue)]
    if held or ANY in secret:
        message = f"{min(held, default='An argument')} is a secret, which no pattern may hold: it can only be anything."
        raise ValueError(message)
    return known


def secret_arguments(schema: Mapping[str, Any]) -> set[str]:
    """Give the arguments that are secrets or have some inside; `*` stands for those that have no name."""
    return {path[0] if path else ANY for path in secret_paths(schema)}


def suggest(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[Choice, ...]:
    """Propose patterns for each argument of a call, tightest first; a person picks one for each.

    Arguments that the call has not must be absent, so nothing is proposed for them.
    """
    secret = secret_arguments(schema)
    if ANY in secret:
        return ()
    found = []
    for name, value in arguments.items():
        options = (AnyValue(),) if name in secret else tuple(_options(value))
        found.append(Choice(argument=name, options=options, says=tuple(says(one) for one in options)))
    return tuple(found)


def tightest(choices: tuple[Choice, ...]) -> dict[str, Any]:
    """Give the tightest patterns, as they are sent back."""
    return {choice.argument: choice.options[0].model_dump(mode="json") for choice in choices}


def says(pattern: Pattern) -> str:
    """Say in words what a pattern lets pass, hidden characters shown."""
    if isinstance(pattern, Exact):
        return f"exactly {_shown(pattern.value)}"
    if isinstance(pattern, OneOf):
        return f"one of {', '.join(_shown(value) for value in pattern.values)}"
    if isinstance(pattern, Prefix):
        return f"whatever begins with {_shown(pattern.text)}"
    if isinstance(pattern, Under):
        return f"whatever is below {_shown(pattern.path)}"
    if isinstance(pattern, Domain):
        return f"whatever is in the domain {pattern.domain}"
    if isinstance(pattern, AtMost):
        return f"from {pattern.at_least:g} to {pattern.number:g}"
    return f"each {says(pattern.of)}" if isinstance(pattern, Each) else "anything"


def _shown(value: Any) -> str:
    return reveal(canonical(value).decode())


def _options(value: Any) -> list[Pattern]:
    found: list[Pattern] = [Exact(value=value)]
    if isinstance(value, str):
        found += _wider(value)
    elif isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        found.append(AtMost(number=value))
    elif isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        found += [Each(of=one) for one in _wider(value[0]) if all(_fits(one, other) for other in value)]
    return [*found, AnyValue()]


def _wider(text: str) -> list[Single]:
    domain = _domain_of(text)
    if domain is not None:
        return [Domain(domain=domain)]
    folder = text.rpartition("/")[0]
    if folder and _parts_of(text) is not None and "://" not in text:
        return [Under(path=folder)]
    return []


def _fits(pattern: Pattern, value: Any) -> bool:
    if isinstance(pattern, Exact):
        return _same(pattern.value, value)
    if isinstance(pattern, OneOf):
        return any(_same(one, value) for one in pattern.values)
    if isinstance(pattern, AtMost):
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return is_number and pattern.at_least <= value <= pattern.number
    if isinstance(pattern, Each):
        return isinstance(value, list) and bool(value) and all(_fits(pattern.of, one) for one in value)
    return isinstance(value, str) and _fits_text(pattern, value)


def _fits_text(pattern: Pattern, text: str) -> bool:
    if isinstance(pattern, Prefix):
        return text.startswith(pattern.text)
    if isinstance(pattern, Domain):
        host = _domain_of(text)
        return host is not None and (host == pattern.domain or host.endswith(f".{pattern.domain}"))
    if not isinstance(pattern, Under):
        return False
    above, parts = _parts_of(pattern.path.rstrip("/") or "/"), _parts_of(text)
    return above is not None and parts is not None and len(parts) > len(above) and parts[: len(above)] == above


def _same(one: Any, other: Any) -> bool:
    try:
        return canonical(one) == canonical(other)
    except (ValueError, TypeError, RecursionError):
        return False


def _domain_of(text: str) -> str | None:
    """Give the host of one e-mail address or web address; None for whatever could be read in two ways."""
    address = _ADDRESS.fullmatch(text)
    if address is not None:
        return _host(address[1])
    if not text.isascii() or "\\" in text or any(one.isspace() or is_hidden(one) for one in text):
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or "@" in parts.netloc or port not in {None, _PORTS[parts.scheme]}:
        return None
    return _host(parts.hostname or "")


def _host(text: str) -> str | None:
    host = text.lower()
    is_name = len(host) <= _MOST_HOST and _HOST.fullmatch(host) and "." in host
    return host if is_name and not host.rpartition(".")[2].isdigit() else None


def _parts_of(path: str) -> list[str] | None:
    """Give a path's steps, the first empty when it begins at the root; None when it goes up, or is not clear."""
    if "\\" in path or any(is_hidden(one) or one in "\n\t" for one in path) or path.startswith("~"):
        return None
    if path == "/":
        return [""]
    parts = path.split("/")
    return None if any(part in {"", ".", ".."} for part in parts[1:]) or parts[0] in {".", ".."} else parts
