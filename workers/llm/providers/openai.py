"""OpenAI and whoever speaks its wire format: any endpoint by its address, Ollama, OpenRouter."""

from urllib.parse import urlsplit

import openai
from pydantic_ai.models.ollama import OllamaModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
from pydantic_ai.models.openrouter import OpenRouterModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.ollama import OllamaProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.providers.openrouter import OpenRouterProvider

from core.errors import Misconfigured
from core.settings import ModelEntry
from workers.llm.connection import Connection, key_of, missing, model_of
from workers.llm.http import open_client
from workers.llm.looking import listing
from workers.llm.timing import Timeouts

ADDRESSES = {
    "openai": "https://api.openai.com/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "openrouter": "https://openrouter.ai/api/v1",
}
_NEEDS_KEY = frozenset({"openai", "openrouter"})
_NO_KEY = "none"
_STRICT = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)


def connect(entry: ModelEntry, timeouts: Timeouts) -> Connection:
    """Make the way to a model. Raises Misconfigured."""
    base_url = (entry.base_url or ADDRESSES.get(entry.provider, "")).rstrip("/")
    if not base_url:
        raise missing(entry, "base_url")
    optional = entry.api_key.get_secret_value() if entry.api_key else ""
    key = key_of(entry) if entry.provider in _NEEDS_KEY else optional
    http = open_client(base_url, {"authorization": f"Bearer {key}"} if key else {}, timeouts)
    client = openai.AsyncOpenAI(base_url=base_url, api_key=key or _NO_KEY, http_client=http, max_retries=0)
    # OpenRouter lists its models to everybody: only its page about the key tells whether the key is right.
    page = "key" if entry.provider == "openrouter" else "models"
    return Connection(
        model=_model(entry, client, base_url),
        look=listing(http, f"{base_url}/{page}", model_of(entry)),
        close=http.aclose,
        settings=OpenAIChatModelSettings(max_retries=0),
    )


def _model(entry: ModelEntry, client: openai.AsyncOpenAI, base_url: str) -> OpenAIChatModel:
    name = model_of(entry)
    if entry.provider == "openai":
        return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client), profile=_STRICT)
    if entry.provider == "ollama":
        return OllamaModel(name, provider=OllamaProvider(openai_client=client))
    if entry.provider == "openrouter":
        if "/" not in name:
            raise Misconfigured(f"The model {entry.name!r} of OpenRouter needs model as `maker/model`.")
        return OpenRouterModel(name, provider=OpenRouterProvider(openai_client=client))
    host = urlsplit(base_url).hostname or ""
    # The older name of the limit is known to all but OpenAI itself, which refuses it for its newer models.
    modern = host == "openai.com" or host.endswith((".openai.com", ".openai.azure.com"))
    profile = OpenAIModelProfile(**_STRICT, openai_chat_supports_max_completion_tokens=modern)
    provider = OpenAICompatibleProvider("openai-compatible", openai_client=client)
    return OpenAIChatModel(name, provider=provider, profile=profile)
