"""A provider's way to one model: what a provider's file makes, and the adapter speaks through."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from core.errors import Misconfigured
from core.settings import ModelEntry
from workers.llm.sight import Seen


def _same(call_id: str) -> str:
    return call_id


@dataclass(frozen=True)
class Connection:
    """`look` asks for a page that only the key opens: None where there is no such page; raises ModelError.

    `close` gives the connections back; `call_id` makes ids that the provider takes.
    `declares_used`: the provider refuses a talk with calls of tools that are not offered any more, as in a last round.
    """

    model: Model
    close: Callable[[], Awaitable[None]]
    settings: ModelSettings
    look: Callable[[], Awaitable[Seen | None]] | None = None
    call_id: Callable[[str], str] = _same
    declares_used: bool = False


def key_of(entry: ModelEntry) -> str:
    """Give the entry's key. Raises Misconfigured."""
    key = entry.api_key.get_secret_value() if entry.api_key else ""
    if not key:
        raise missing(entry, "api_key")
    return key


def model_of(entry: ModelEntry) -> str:
    """Give the provider's own name of the model."""
    return entry.model or entry.name


def missing(entry: ModelEntry, field: str) -> Misconfigured:
    """Make the error for a member that an entry lacks."""
    return Misconfigured(f"The model {entry.name!r} ([[models]], provider {entry.provider}) needs {field}.")
