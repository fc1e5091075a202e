"""Anthropic's own API."""

import anthropic
from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
from pydantic_ai.providers.anthropic import AnthropicProvider

from core.settings import ModelEntry
from workers.llm.connection import Connection, key_of, model_of
from workers.llm.http import open_client
from workers.llm.looking import listing
from workers.llm.timing import Timeouts

ADDRESS = "https://api.anthropic.com"
VERSION = "2023-06-01"


def connect(entry: ModelEntry, timeouts: Timeouts) -> Connection:
    """Make the way to a model. Raises Misconfigured."""
    base_url, key = (entry.base_url or ADDRESS).rstrip("/"), key_of(entry)
    http = open_client(base_url, {"x-api-key": key, "anthropic-version": VERSION}, timeouts)
    client = anthropic.AsyncAnthropic(api_key=key, base_url=base_url, http_client=http, max_retries=0)
    return Connection(
        model=AnthropicModel(model_of(entry), provider=AnthropicProvider(anthropic_client=client)),
        look=listing(http, f"{base_url}/v1/models?limit=1000", model_of(entry)),
        close=http.aclose,
        settings=AnthropicModelSettings(max_retries=0),
        declares_used=True,
    )
