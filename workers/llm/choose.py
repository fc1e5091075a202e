"""From the settings to the models: each configured one, or the offline assistant when there is none."""

from importlib import import_module
from typing import TYPE_CHECKING

from core.model_entries import entries_of
from core.settings import ModelEntry, Settings
from workers.llm.offline.assistant import OfflineAssistant
from workers.llm.port import ChatModel
from workers.llm.router import Router
from workers.llm.timing import Timeouts
from workers.llm.traits import traits_of
from workers.memory.port import Embedder

if TYPE_CHECKING:
    from workers.llm.remote import RemoteModel

_FILES = {"openai-compatible": "openai", "ollama": "openai", "openrouter": "openai"}


def build_router(settings: Settings, embedder: Embedder | None = None) -> Router:
    """Give all models that the settings name; the offline assistant compares by the embedder. Raises Misconfigured."""
    entries = entries_of(settings)
    if not entries:
        return Router((OfflineAssistant(embedder=embedder),))
    timeouts = Timeouts(
        first_token=settings.model_first_token_seconds,
        idle=settings.model_idle_seconds,
        total=settings.model_timeout_seconds,
    )
    models: tuple[ChatModel, ...] = tuple(open_model(entry, timeouts) for entry in entries)
    return Router(models, {entry.name: traits_of(entry) for entry in entries})


def open_model(entry: ModelEntry, timeouts: Timeouts | None = None) -> "RemoteModel":
    """Give the model of an entry; its answers are bounded when the entry says how. Raises Misconfigured."""
    # The client libraries take seconds to import: nobody waits for those of a provider that is not used.
    from workers.llm.remote import RemoteModel

    timeouts = timeouts or Timeouts()
    provider = import_module(f"workers.llm.providers.{_FILES.get(entry.provider, entry.provider)}")
    most = entry.max_output_tokens if _is_bounded(entry) else None
    return RemoteModel(entry.name, provider.connect(entry, timeouts), timeouts, most)


def _is_bounded(entry: ModelEntry) -> bool:
    """Whether a limit goes with each request: some endpoints know none, so the OpenAI format has to be told of one."""
    return entry.provider != "openai-compatible" or "max_output_tokens" in entry.model_fields_set
