"""Google's Gemini API, by its key."""

from pydantic_ai.models.google import GoogleModel, GoogleModelSettings
from pydantic_ai.providers.google import GoogleProvider

from core.settings import ModelEntry
from workers.llm.connection import Connection, key_of, model_of
from workers.llm.http import open_client
from workers.llm.looking import listing
from workers.llm.timing import Timeouts

ADDRESS = "https://generativelanguage.googleapis.com"


def connect(entry: ModelEntry, timeouts: Timeouts) -> Connection:
    """Make the way to a model. Raises Misconfigured."""
    base_url, key = (entry.base_url or ADDRESS).rstrip("/"), key_of(entry)
    http = open_client(base_url, {"x-goog-api-key": key}, timeouts)
    provider = GoogleProvider(api_key=key, http_client=http, base_url=base_url)

    async def close() -> None:
        # The library made a blocking client beside ours, though nothing ever goes through it.
        provider.client.close()
        await http.aclose()

    return Connection(
        model=GoogleModel(model_of(entry), provider=provider),
        look=listing(http, f"{base_url}/v1beta/models?pageSize=1000", model_of(entry)),
        close=close,
        settings=GoogleModelSettings(),
    )
