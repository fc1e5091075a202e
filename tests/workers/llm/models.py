"""Models of the tests, at a double's address."""

from typing import Any

from pydantic import SecretStr

from core.settings import ModelEntry
from workers.llm.choose import open_model
from workers.llm.remote import RemoteModel
from workers.llm.timing import Timeouts


def model_at(
    base_url: str, name: str = "small-model", key: str | None = None, timeouts: Timeouts | None = None, **more: Any
) -> RemoteModel:
    """A model behind a server of the tests, in the OpenAI format unless told otherwise."""
    entry = ModelEntry(name=name, base_url=base_url, api_key=SecretStr(key) if key else None, **more)
    return open_model(entry, timeouts)
