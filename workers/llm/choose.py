"""Which model answers: the configured endpoint, or the offline assistant when there is none."""

from core.errors import Misconfigured
from core.settings import Settings
from workers.llm.offline.assistant import OfflineAssistant
from workers.llm.port import ChatModel
from workers.llm.router import Router
from workers.llm.timing import Timeouts


def build_router(settings: Settings) -> Router:
    """Give all models that the settings name."""
    return Router((build_model(settings),))


def build_model(settings: Settings) -> ChatModel:
    """Give the model that the settings name; Misconfigured when they name only half of one."""
    key = settings.model_api_key.get_secret_value() if settings.model_api_key else None
    timeouts = Timeouts(
        first_token=settings.model_first_token_seconds,
        idle=settings.model_idle_seconds,
        total=settings.model_timeout_seconds,
    )
    return choose(settings.model_base_url, settings.model_name, key, timeouts)


def choose(base_url: str | None, name: str | None, api_key: str | None, timeouts: Timeouts) -> ChatModel:
    """Give the model at `base_url` called `name`; the offline assistant when neither is given."""
    if not base_url and not name:
        return OfflineAssistant()
    if not base_url or not name:
        missing = "ASSENT_MODEL_NAME" if base_url else "ASSENT_MODEL_BASE_URL"
        raise Misconfigured(f"A model needs both an address and a name: {missing} is not set.")
    # The client library takes seconds to import: nobody without a model waits for it.
    from workers.llm.openai_compatible import OpenAICompatible

    return OpenAICompatible(base_url, name, api_key, timeouts)
