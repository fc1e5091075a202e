"""Amazon Bedrock, by a Bedrock API key: AWS profiles, roles and variables of the environment are not read."""

import os
from typing import Any

from botocore.config import Config  # type: ignore[import-untyped]
from botocore.session import Session  # type: ignore[import-untyped]
from botocore.tokens import FrozenAuthToken  # type: ignore[import-untyped]
from pydantic_ai.models.bedrock import BedrockConverseModel, BedrockModelSettings
from pydantic_ai.providers.bedrock import BedrockProvider

from core.settings import ModelEntry
from workers.llm.connection import Connection, key_of, missing, model_of
from workers.llm.timing import Timeouts

_NOTHING = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
    "ca_bundle": (None, None, None, None),
    "region": (None, None, None, None),
}


class _KeySession(Session):  # type: ignore[misc]  # botocore has no types
    """Signs with one key, whatever else there is."""

    def __init__(self, key: str) -> None:
        super().__init__(session_vars=_NOTHING)
        self._key = key

    def get_auth_token(self, **_given: Any) -> FrozenAuthToken:
        return FrozenAuthToken(self._key)

    def get_credentials(self) -> None:
        return None


def connect(entry: ModelEntry, timeouts: Timeouts) -> Connection:
    """Make the way to a model. Raises Misconfigured.

    The library blocks a thread while it waits. Who stops shuts its socket, and no read lasts longer than a silence may.
    """
    if not entry.region:
        raise missing(entry, "region")
    client = _KeySession(key_of(entry)).create_client(
        "bedrock-runtime",
        region_name=entry.region,
        endpoint_url=entry.base_url or f"https://bedrock-runtime.{entry.region}.amazonaws.com",
        verify=True,
        config=Config(
            signature_version="bearer",
            connect_timeout=min(10.0, timeouts.first_token),
            read_timeout=max(timeouts.first_token, timeouts.idle) + 1,
            retries={"total_max_attempts": 1, "mode": "standard"},
            proxies={},
            max_pool_connections=50,
            user_agent="assent",
        ),
    )
    model = BedrockConverseModel(model_of(entry), provider=BedrockProvider(bedrock_client=client))

    async def close() -> None:
        client.close()

    return Connection(model=model, close=close, settings=BedrockModelSettings(), declares_used=True)
