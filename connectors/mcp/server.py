"""One imported MCP server: where it is, what signs in to it, and what is noted when it is another than was reviewed."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from connectors.base import NeedsAuthorization, PermanentFailure
from connectors.credentials import Credential, Vault
from connectors.mcp.session import Place
from connectors.registry import Reach
from core.mcp_entries import McpEntry
from core.store import imported
from core.store.database import Database


@dataclass(frozen=True)
class Server:
    """Either an address (`url`), or one that the operator's settings name (`entry`)."""

    imported_id: str
    digest: str
    url: str | None
    entry: str | None
    connection_id: str | None
    database: Database
    vault: Vault
    reach: Reach

    @property
    def named(self) -> str:
        """How people know it: its host, or its name in the settings."""
        return self.entry if self.entry is not None else urlsplit(self.url or "").netloc

    async def place(self) -> Place:
        """Give where calls go, with its secrets. Raises PermanentFailure, NeedsAuthorization."""
        credential = await self.vault.open(self.connection_id)
        if self.connection_id is not None and credential is None:
            message = "How the server is signed in to was removed."
            raise NeedsAuthorization(message)
        return place_of(self.reach, self.url, self.entry, credential)

    async def changed(self, why: str) -> None:
        """Let nothing of it be used until it is reviewed again."""
        async with self.database.writing() as session:
            await imported.note_changed(session, self.imported_id, self.digest, why)


def place_of(reach: Reach, url: str | None, entry: str | None, credential: Credential | None) -> Place:
    """Give where a server is. Raises PermanentFailure for one that the settings do not name (any more)."""
    headers = dict(credential.headers) if credential else {}
    query = dict(credential.query) if credential else {}
    if entry is None:
        return Place(url=url, headers=headers, query=query, private_hosts=reach.private_hosts, resolve=reach.resolve)
    found = _entry(reach, entry)
    if found.command is not None:
        return Place(command=found)
    headers |= {name: value.get_secret_value() for name, value in found.headers.items()}
    return Place(url=found.url, headers=headers, query=query, private_hosts=reach.private_hosts, resolve=reach.resolve)


def _entry(reach: Reach, name: str) -> McpEntry:
    found = next((one for one in reach.mcp_servers if one.name == name), None)
    if found is None:
        message = "The server's settings name no MCP server of this name."
        raise PermanentFailure(message)
    return found
