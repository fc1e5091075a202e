"""The kinds of connectors that workspaces import: how each is read, and how it is built of its row."""

from collections.abc import Mapping

from connectors.credentials import Vault
from connectors.mcp import reader as mcp
from connectors.openapi.connector import OpenApiConnector
from connectors.openapi.reader import OpenApiReader
from connectors.reach import Reach
from connectors.sources import Build, Reader
from core.sealing import Sealer
from core.store.database import Database

OPENAPI = "openapi"


def imported_kinds(reach: Reach, database: Database, sealer: Sealer) -> Mapping[str, Build]:
    """Give how each kind is built. Secrets are opened only inside a call."""
    vault = Vault(database, sealer)
    return {
        OPENAPI: lambda row: OpenApiConnector.of(row, vault, reach),
        mcp.KIND: mcp.build_mcp(reach, database, sealer),
    }


def imported_readers(reach: Reach, database: Database, sealer: Sealer) -> Mapping[str, Reader]:
    """Give how each kind is read when somebody imports one, or reads it again."""
    return {OPENAPI: OpenApiReader(reach), mcp.KIND: mcp.McpReader(reach, Vault(database, sealer))}
