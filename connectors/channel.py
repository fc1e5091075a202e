"""The contract of a channel: a connector that people talk through. A folder with a `channel.py` that has `CHANNEL`.

Failures are those of `connectors.base`: TemporaryFailure (with `retry_after` when the channel says so) is tried again,
PermanentFailure is not, and Unreachable means that this person cannot be told anything there until they write again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.base import PermanentFailure, TemporaryFailure
from core.errors import AssentError, Misconfigured
from core.incoming import (
    INBOUND,
    Blocked,
    ButtonPressed,
    CommandGiven,
    InboundEvent,
    NotUnderstood,
    Sender,
    TextSaid,
    Told,
    Unblocked,
)
from core.outgoing import Button, OutMessage, Part
from core.values import Value

__all__ = [
    "INBOUND",
    "Blocked",
    "Button",
    "ButtonPressed",
    "Capabilities",
    "Channel",
    "ChannelConfig",
    "ChannelKind",
    "CommandGiven",
    "Hook",
    "HookAnswer",
    "InboundEvent",
    "MessageRef",
    "NotUnderstood",
    "NotVerified",
    "OutMessage",
    "Part",
    "PermanentFailure",
    "Polled",
    "Sender",
    "TemporaryFailure",
    "TextSaid",
    "Told",
    "Unblocked",
    "Unreachable",
    "channel_client",
    "channel_kinds",
    "set_up_channels",
]


class NotVerified(AssentError):
    """Nothing shows that the channel itself sent this: nobody learns more than that."""

    code, status, title = "not_verified", 401, "Not verified"


class Unreachable(PermanentFailure):
    """The person cannot be reached there: they blocked us, or left. Their identity gets nothing until they write."""

    code, title = "unreachable", "Cannot be reached"


class Capabilities(Value):
    """What a channel can do. Lengths are in characters, times in seconds.

    `mode` is how it hears: a `webhook` of ours is called, or `poll` asks. `fold` is the most like requests in one
    prompt, 1 when each stands alone; `assurance` how sure we are of who presses a button there.
    """

    mode: Literal["webhook", "poll"]
    buttons: bool = True
    edit: bool = True
    threads: bool = False
    typing: bool = False
    max_text: int
    max_callback_bytes: int = 64
    ack_deadline: float | None = None
    edit_interval: float = 1.5
    fold: int = 1
    assurance: Literal["L1", "L2"] = "L2"


class MessageRef(Value):
    """What a channel calls a sent message: several ids when it took several, the buttons are under the last."""

    account: str
    thread: str
    message_ids: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "MessageRef":
        """Read what `Delivery.external_ref` holds."""
        return cls.model_validate_json(text)

    def written(self) -> str:
        """Give what `Delivery.external_ref` holds."""
        return self.model_dump_json()


@dataclass(frozen=True)
class Hook:
    """A call to our webhook as it came: header names in lower case, repeated ones joined, the body untouched."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


class HookAnswer(Value):
    """What the channel wants to read: nothing, mostly."""

    status: int = 200
    media_type: str = "application/json"
    body: str = "{}"


class Polled(Value):
    """What a look gave: events in order, and where to go on."""

    events: tuple[InboundEvent, ...]
    cursor: str


class ChannelConfig(BaseModel):
    """The base of every channel's `[channels.<name>]`. Secrets are SecretStr."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Channel(Protocol):
    """A channel that is set up. `verify`, `parse`, `greet` and `render` are pure; the others raise ConnectorErrors."""

    @property
    def account(self) -> str:
        """Which account or workspace of the channel this is: part of every identity's key, never changes."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    def verify(self, hook: Hook) -> None:
        """Raise NotVerified unless the channel sent this. Fails closed when it cannot be told."""
        ...

    def greet(self, hook: Hook) -> HookAnswer | None:
        """Answer a verified call that only asks whether we are there (a challenge, a ping); None for all others."""
        ...

    def parse(self, body: bytes) -> list[InboundEvent]:
        """Read a verified body; raises ValueError when it is not what the channel sends."""
        ...

    def render(self, message: OutMessage) -> list[dict[str, Any]]:
        """Say it in the channel's dialect: one payload for each message that it takes there."""
        ...

    async def send(self, thread: str, message: OutMessage, key: str) -> MessageRef:
        """Send it; `key` is the same for each attempt, for channels that take one."""
        ...

    async def edit(self, ref: MessageRef, message: OutMessage) -> MessageRef:
        """Make what was sent say this instead; a channel that cannot edit answers to it."""
        ...

    async def answer(self, event: ButtonPressed, text: str) -> None:
        """Tell whoever pressed a button what came of it."""
        ...

    async def typing(self, thread: str) -> None:
        """Show that an answer is under way, where the channel can."""
        ...

    async def poll(self, cursor: str) -> Polled:
        """Wait for what comes after `cursor` ("" at first), at most a minute."""
        ...

    async def probe(self) -> str:
        """Ask the channel who we are there, and give the name; raises when it does not answer as it should."""
        ...

    async def attach(self, hook_url: str | None) -> None:
        """Tell the channel where to call us, or, None, that we ask: done once when the product starts."""
        ...

    def address(self, payload: str) -> str | None:
        """Give the address that opens the private chat with this payload, where the channel has one."""
        ...


@dataclass(frozen=True)
class ChannelKind:
    """What a folder's `CHANNEL` says: its title, its settings, and how to make it of them and a client."""

    title: str
    config: type[ChannelConfig]
    make: Callable[[Any, httpx.AsyncClient], Channel]


def channel_kinds() -> dict[str, ChannelKind]:
    """Find every channel: `connectors/<name>/channel.py`, by name."""
    folder = Path(__file__).parent
    names = sorted(path.parent.name for path in folder.glob("*/channel.py"))
    return {name: import_module(f"connectors.{name}.channel").CHANNEL for name in names}


def set_up_channels(
    configs: Mapping[str, Mapping[str, Any]], client: httpx.AsyncClient
) -> dict[tuple[str, str], Channel]:
    """Make every channel that the settings name, by its name and account. Raises Misconfigured, saying no value."""
    kinds = channel_kinds()
    made: dict[tuple[str, str], Channel] = {}
    for name, values in configs.items():
        if name not in kinds:
            message = f"[channels.{name}]: there is no such channel; there are {', '.join(kinds) or 'none'}."
            raise Misconfigured(message)
        try:
            channel = kinds[name].make(kinds[name].config.model_validate(values), client)
        except ValidationError as error:
            wrong = error.errors(include_input=False, include_url=False, include_context=False)
            named = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong)
            message = f"[channels.{name}]: {named}"
            raise Misconfigured(message) from None
        made[name, channel.account] = channel
    return made


def channel_client() -> httpx.AsyncClient:
    """Make the client that channels call with: nothing of the environment, no redirects."""
    return httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=httpx.Timeout(20.0))
