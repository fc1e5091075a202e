"""Keeps the tokens of the signed-in person in one file of mode 0600, shared safely by commands that run at once."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from cli.serve.lock import take_lock
from core.errors import Misconfigured, Unavailable

DEFAULT_URL = "http://127.0.0.1:8080"
_LOCK_SECONDS = 30.0
_MODE = 0o600


class Credentials(BaseModel):
    """Where, who, and the two tokens; `expires_at` is the access token's end in Unix seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    email: str
    name: str
    user_id: str
    access_token: SecretStr
    refresh_token: SecretStr
    expires_at: float


class CredentialStore:
    """The file; ASSENT_CLIENT_DIR moves its folder."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use the platform's folder for configuration when none is given."""
        named = os.environ.get("ASSENT_CLIENT_DIR")
        self.folder = folder or (Path(named) if named else user_config_path("assent", appauthor=False))
        self._file = self.folder / "credentials.json"

    def read(self) -> Credentials | None:
        """Return what is stored, or None when nobody signed in; raises Misconfigured for a broken file."""
        try:
            return Credentials.model_validate_json(self._file.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (ValidationError, UnicodeDecodeError):
            message = f"{self._file} cannot be read: sign in again with `assent login`."
            raise Misconfigured(message) from None

    def write(self, credentials: Credentials) -> None:
        """Replace the file in one step, readable by its owner only."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._file.with_suffix(f".{os.getpid()}")
        plain = credentials.model_dump() | {
            "access_token": credentials.access_token.get_secret_value(),
            "refresh_token": credentials.refresh_token.get_secret_value(),
        }
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(plain))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file)

    def forget(self) -> None:
        """Remove the file."""
        self._file.unlink(missing_ok=True)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Hold the file against other commands: a refresh token may be used once only."""
        handle = await asyncio.to_thread(take_lock, self.folder / "credentials.lock", within=_LOCK_SECONDS)
        if handle is None:
            message = "Another `assent` command holds the credentials: try again."
            raise Unavailable(message)
        try:
            yield
        finally:
            os.close(handle)
