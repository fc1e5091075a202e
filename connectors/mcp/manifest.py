"""What a server's tools become: a manifest of actions, each pinned to what was reviewed."""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mcp_types import Tool
from pydantic import ValidationError

from connectors.manifest import ActionSpec, ConnectorManifest, Effect, Risk
from connectors.mcp.schema import BadSchema, arguments_schema
from connectors.sources import LeftOut
from core.digest import canonical
from core.text import has_hidden, reveal
from core.values import Value

MAX_TOOLS = 500
MAX_NAME = 38
TIMEOUT_SECONDS = 60.0
_MAX_TITLE = 80
_MAX_DESCRIPTION = 600
_MAX_EXAMPLE = 120
_HASH = 6
_WORDS = re.compile(r"[a-z0-9]+")
MAX_WARNINGS = 50
_ORDERS = re.compile(
    r"<\s*/?\s*(?:important|system|secret|instructions?)\b|\b(?:ignore|disregard|forget)\b[^.\n]{0,40}\b(?:previous|prior|above|"
    r"instructions?|rules?)\b|\bdo not (?:tell|mention|inform|show)\b|\bbefore (?:using|calling) (?:this|any)\b|"
    r"(?:~|/home/|/root)/?\.ssh|\bid_rsa\b|\b(?:system|developer) prompt\b",
    re.IGNORECASE,
)
"""How descriptions that give orders to a model were seen to be written; a hint to whoever reviews, no defence."""
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Pinned(Value):
    """One action's tool: its name as the server has it, and the digest of all that it said of it."""

    tool: str
    digest: str


class Offer(Value):
    """What a server offers, as it is kept: a manifest of all its tools, each pinned, and those that cannot be used."""

    manifest: ConnectorManifest
    pins: dict[str, Pinned]
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
    digest: str


def pin_of(tool: Tool) -> str:
    """Give the digest, SHA-256 in hex, of what a server says of a tool: a change of any of it has to be reviewed."""
    said = tool.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"meta", "icons", "execution"})
    return hashlib.sha256(canonical({"name": tool.name, **said})).hexdigest()


def offer_of(name: str, server: str, tools: Sequence[Tool]) -> Offer:
    """Make a manifest of a server's tools. `name` is ours for it. Raises ValueError when nothing is left of them."""
    actions: list[ActionSpec] = []
    pins: dict[str, Pinned] = {}
    left_out: list[LeftOut] = []
    warnings: list[str] = []
    shadowed = _twice([tool.name for tool in tools])
    for tool in tools[:MAX_TOOLS]:
        try:
            _check_alone(tool.name, shadowed)
            action = action_of(tool, pins)
            pin = pin_of(tool)
        except (BadSchema, ValidationError, ValueError) as error:
            left_out.append(LeftOut(name=reveal(tool.name)[:100], why=_why(error)))
            continue
        actions.append(action)
        warnings += _suspicions(action.name, tool)
        pins[action.name] = Pinned(tool=tool.name, digest=pin)
    left_out += [LeftOut(name=reveal(tool.name)[:100], why="there are too many") for tool in tools[MAX_TOOLS:]]
    if not actions:
        message = "The server offers no tool that can be used."
        raise ValueError(message)
    manifest = ConnectorManifest(
        id=name,
        version="1.0.0",
        title=(reveal(server).strip() or name)[:_MAX_TITLE],
        description=f"The tools of an MCP server, which calls itself {reveal(server)[:100] or 'nothing'}.",
        origin="mcp",
        actions=tuple(actions),
    )
    digest = hashlib.sha256(canonical({one: pin.digest for one, pin in pins.items()})).hexdigest()
    return Offer(
        manifest=manifest, pins=pins, left_out=tuple(left_out), warnings=tuple(warnings[:MAX_WARNINGS]), digest=digest
    )


def action_of(tool: Tool, taken: Collection[str]) -> ActionSpec:
    """Make an action of a tool. Raises ValueError for one that cannot be used.

    Nobody vouches for what a server says of itself: nothing passes for reading, it
    destroys unless it denies that, and that it may be repeated counts only once a person has said what risk it is.
    """
    hints = tool.annotations
    harmless = hints is not None and (hints.read_only_hint or hints.destructive_hint is False)
    title = tool.title or (hints.title if hints else None) or tool.name
    shown = reveal(title).strip()[:_MAX_TITLE] or "A tool"
    name, schema = name_of(tool.name, taken), arguments_schema(tool.input_schema)
    return ActionSpec(
        name=name,
        version=1,
        title=shown,
        description=(reveal(tool.description or "").strip() or shown)[:_MAX_DESCRIPTION],
        risk=Risk.WRITE if harmless else Risk.DESTRUCTIVE,
        effect=Effect.IDEMPOTENT if hints is not None and hints.idempotent_hint else Effect.AT_MOST_ONCE,
        untrusted=True,
        schema_=schema,
        examples=(_example(name, schema),),
        timeout_s=TIMEOUT_SECONDS,
        max_concurrency=8,
    )


def _example(name: str, schema: Mapping[str, Any]) -> str:
    """Give a sentence that asks for it, in our words: the server's own might be another tool's."""
    simple = ("string", "integer", "number")
    needed = [one for one in schema["required"] if schema["properties"][one].get("type") in simple]
    said = " and ".join(f"{one.replace('_', ' ')} {{{one}}}" for one in needed if re.fullmatch(r"\w{1,30}", one))
    plain = f"use the tool {name.replace('_', ' ')}"
    whole = f"{plain} with {said}" if said else plain
    return whole if len(whole) <= _MAX_EXAMPLE else plain


def name_of(tool: str, taken: Collection[str]) -> str:
    """Write a tool's name as ours are: small words joined by `_`; with a hash where it was cut, or is taken."""
    plain = "_".join(_WORDS.findall(_HUMPS.sub("_", tool).lower()))
    if not plain[:1].isalpha():
        plain = f"tool_{plain}".rstrip("_")
    if len(plain) <= MAX_NAME and plain not in taken:
        return plain
    mark = hashlib.sha256(tool.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    return f"{plain[: MAX_NAME - _HASH - 2].rstrip('_')}_h{mark}"


def _suspicions(name: str, tool: Tool) -> list[str]:
    """Say what a reviewer should look at twice."""
    said = canonical(tool.model_dump(mode="json", exclude_none=True, include={"title", "description", "input_schema"}))
    text = said.decode()
    found = []
    if _ORDERS.search(text[:100_000]):
        found.append(f"{name}: what the server says of it reads like orders to the assistant.")
    if '"x-secret":' in text:
        found.append(f"{name}: the server calls arguments secret; its word was dropped, people see them.")
    if has_hidden(tool.description or ""):
        found.append(f"{name}: its description has hidden characters.")
    if len(tool.description or "") > _MAX_DESCRIPTION:
        found.append(f"{name}: its description is longer than what is shown and given to the model.")
    return found


def _check_alone(name: str, shadowed: Collection[str]) -> None:
    if name in shadowed:
        message = "the server has two tools of this name"
        raise BadSchema(message)


def _twice(names: Sequence[str]) -> frozenset[str]:
    return frozenset(name for name in names if names.count(name) > 1)


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors(include_url=False, include_input=False)[0]["msg"])[:200]
    return str(error)[:200]


def pins_of(source: Mapping[str, Any]) -> dict[str, Pinned]:
    """Read the pins back from what is kept of an import."""
    return {name: Pinned.model_validate(pin) for name, pin in source.get("pins", {}).items()}
