"""The kinds of connectors that workspaces import: how each is read, and how it is built of its row."""

from collections.abc import Mapping

from connectors.base import Connector
from connectors.credentials import Vault
from connectors.openapi.connector import OpenApiConnector
from connectors.openapi.reader import OpenApiReader
from connectors.reach import Reach
from connectors.sources import Build, Reader
from core.sealing import Sealer
from core.store.database import Database
from core.tables.connect import Imported

OPENAPI, MCP = "openapi", "mcp"


def imported_kinds(reach: Reach, database: Database, sealer: Sealer) -> Mapping[str, Build]:
    """Give how each kind is built. Secrets are opened only inside a call."""
    vault = Vault(database, sealer)

    def build_mcp(row: Imported) -> Connector:
        from connectors.mcp.reader import build_mcp as build  # slow to import: only where one is there

        return build(reach, database, sealer)(row)

    return {OPENAPI: lambda row: OpenApiConnector.of(row, vault, reach), MCP: build_mcp}


def imported_readers(reach: Reach, database: Database, sealer: Sealer) -> Mapping[str, Reader]:
    """Give how each kind is read when somebody imports one, or reads it again."""
    from connectors.mcp.reader import McpReader  # slow to import

    return {OPENAPI: OpenApiReader(reach), MCP: McpReader(reach, Vault(database, sealer))}
