"""Mistral's own API."""

import hashlib

from mistralai.client import Mistral
from mistralai.client.utils.logger import NoOpLogger
from pydantic_ai.models.mistral import MistralModel, MistralModelSettings
from pydantic_ai.providers.mistral import MistralProvider

from core.settings import ModelEntry
from workers.llm.connection import Connection, key_of, model_of
from workers.llm.http import open_client
from workers.llm.looking import listing
from workers.llm.timing import Timeouts

ADDRESS = "https://api.mistral.ai"
_ID_LENGTH = 9


def connect(entry: ModelEntry, timeouts: Timeouts) -> Connection:
    """Make the way to a model. Raises Misconfigured."""
    base_url, key = (entry.base_url or ADDRESS).rstrip("/"), key_of(entry)
    http = open_client(base_url, {"authorization": f"Bearer {key}"}, timeouts)
    # Without a logger of ours, an environment variable makes the library write every request down.
    client = Mistral(api_key=key, async_client=http, server_url=base_url, retry_config=None, debug_logger=NoOpLogger())
    return Connection(
        model=MistralModel(model_of(entry), provider=MistralProvider(mistral_client=client)),
        look=listing(http, f"{base_url}/v1/models", model_of(entry)),
        close=http.aclose,
        settings=MistralModelSettings(),
        call_id=_nine,
    )


def _nine(call_id: str) -> str:
    """Give an id as Mistral wants it: nine letters and digits."""
    return hashlib.sha256(call_id.encode()).hexdigest()[:_ID_LENGTH]
