"""How an MCP server is read when somebody imports it: what it offers, kept for review."""

from connectors.base import PermanentFailure
from connectors.credentials import Credential, Vault
from connectors.guarded import AddressRefused
from connectors.mcp.connector import McpConnector
from connectors.mcp.manifest import Offer, offer_of, pins_of
from connectors.mcp.server import Server, place_of
from connectors.mcp.session import Talk, talk
from connectors.reach import Reach
from connectors.reviewed import reviewed_manifest
from connectors.sources import Build, Found, Wanted
from core.errors import Invalid
from core.sealing import Sealer
from core.store.database import Database
from core.tables.connect import Imported

_NO_ADDRESS = "An MCP server is imported by its address (url), or, with the option server, by its name in the settings."


class McpReader:
    """Connects to a server and lists its tools; none of them is called."""

    def __init__(self, reach: Reach, vault: Vault) -> None:
        """Take where servers may be, and what opens credentials."""
        self._reach = reach
        self._vault = vault

    async def read(self, wanted: Wanted) -> Found:
        """Read what a server offers. Raises Invalid, and ConnectorErrors with a sentence for people."""
        entry = wanted.options.get("server")
        unknown = sorted(set(wanted.options) - {"server"})
        if unknown or wanted.document is not None or wanted.base_url is not None:
            raise Invalid(_NO_ADDRESS)
        if (wanted.url is None) == (entry is None) or not isinstance(entry, str | None):
            raise Invalid(_NO_ADDRESS)
        if wanted.url is not None and not wanted.url.startswith(("http://", "https://")):
            message = (
                "The address of an MCP server starts with https:// or http://; commands are for the settings only."
            )
            raise Invalid(message)
        return await self._look(wanted.name, wanted.url, entry, wanted.credential)

    async def read_again(self, row: Imported, document: str | None) -> Found:
        """Read it once more, where it was."""
        if document is not None:
            raise Invalid(_NO_ADDRESS)
        credential = await self._vault.open(row.connection_id)
        return await self._look(row.name, row.source.get("url"), row.source.get("server"), credential)

    async def _look(self, name: str, url: str | None, entry: str | None, credential: Credential | None) -> Found:
        async def do(one: Talk) -> Offer:
            return offer_of(name, one.title, one.tools)

        try:
            offer = await talk(place_of(self._reach, url, entry, credential), do)
        except (PermanentFailure, AddressRefused) as refusal:
            raise Invalid(refusal.detail) from refusal
        return Found(
            manifest=offer.manifest,
            source={
                "url": url,
                "server": entry,
                "pins": {one: pin.model_dump() for one, pin in offer.pins.items()},
            },
            digest=offer.digest,
            address=url or f"the server {entry} of the settings",
            left_out=offer.left_out,
            warnings=offer.warnings,
        )


def build_mcp(reach: Reach, database: Database, sealer: Sealer) -> Build:
    """Give what makes a connector of a row."""
    vault = Vault(database, sealer)

    def build(row: Imported) -> McpConnector:
        server = Server(row=row, database=database, vault=vault, reach=reach)
        return McpConnector(reviewed_manifest(row), pins_of(row.source), server)

    return build
