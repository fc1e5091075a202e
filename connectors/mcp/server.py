"""One imported MCP server: where it is, what signs in to it, and what is noted when it is another than was reviewed."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from connectors.base import NeedsAuthorization, PermanentFailure
from connectors.credentials import Credential, Vault
from connectors.mcp.session import Place
from connectors.reach import Reach
from core.mcp_entries import McpEntry
from core.store import imported
from core.store.database import Database
from core.tables.connect import Imported


@dataclass(frozen=True)
class Server:
    """Either an address (`url` of its source), or one that the operator's settings name (`server`)."""

    row: Imported
    database: Database
    vault: Vault
    reach: Reach

    @property
    def named(self) -> str:
        """How people know it: its host, or its name in the settings."""
        return str(self.row.source.get("server") or urlsplit(self.row.source.get("url") or "").netloc)

    async def place(self, action: str) -> Place:
        """Give where a call goes, with its secrets, if it still may. Raises PermanentFailure, NeedsAuthorization."""
        credential = await self.vault.enter(self.row, action)
        if self.row.connection_id is not None and credential is None:
            message = "How the server is signed in to was removed."
            raise NeedsAuthorization(message)
        return place_of(self.reach, self.row.source.get("url"), self.row.source.get("server"), credential)

    async def changed(self, why: str) -> None:
        """Let nothing of it be used until it is reviewed again."""
        async with self.database.writing() as session:
            await imported.note_changed(session, self.row.id, self.row.digest, why)


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
