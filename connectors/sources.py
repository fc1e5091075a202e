"""How what a workspace imports is read: one reader for each kind, and one shape for what it finds."""

from collections.abc import Callable
from typing import Any, Protocol

from pydantic import Field

from connectors.base import Connector
from connectors.credentials import Credential
from connectors.manifest import ConnectorManifest
from core.store.imported import Draft
from core.tables.connect import Imported
from core.values import Value

RESERVED = frozenset(
    {
        "tasks",
        "files",
        "web",
        "email",
        "memory",
        "assent",
        "mcp",
        "policy",
        "connectors",
        "system",
        "health",
        "imported",
    }
)
"""Names that what comes with Assent has or may get; an import must not pass for one of them."""


Build = Callable[[Imported], Connector]
"""Makes a connector of its row; raises BadManifest when it cannot."""


class Wanted(Value):
    """What somebody wants to import; each kind takes what it needs. `options` are its own."""

    name: str
    document: str | None = None
    url: str | None = None
    base_url: str | None = None
    credential: Credential | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class LeftOut(Value):
    """Something that became no action, and why."""

    name: str
    why: str


class Found(Value):
    """What a reader found: the manifest with every action on offer, and `source`, with what calls need (no secrets).

    `digest` is of all that a reviewer relies on; `address` is where calls go to.
    """

    manifest: ConnectorManifest
    source: dict[str, Any]
    digest: str
    address: str
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()

    def draft(self, kind: str, name: str) -> Draft:
        """Give it as it is kept."""
        said = {
            "address": self.address,
            "left_out": [one.model_dump() for one in self.left_out],
            "warnings": list(self.warnings),
        }
        manifest = self.manifest.model_dump(mode="json", by_alias=True)
        return Draft(kind=kind, name=name, manifest=manifest, source={**self.source, **said}, digest=self.digest)


class Reader(Protocol):
    """Reads what somebody wants to import. Both raise Invalid or a ConnectorError with a sentence for people."""

    async def read(self, wanted: Wanted) -> Found:
        """Read it for the first time."""
        ...

    async def read_again(self, row: Imported, document: str | None) -> Found:
        """Read it once more, from where it came or from the new `document`; the place that calls go to stays."""
        ...
