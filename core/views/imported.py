"""What the doors show of connectors that a workspace imported, and of what each of their actions would do."""

from datetime import datetime
from typing import Any

from core.values import Value


class ImportedView(Value):
    """A connector that was imported. `credential` is how it signs in (`bearer` ...), never the secret itself.

    `state`: review, ready, changed (it is another than was reviewed, and nothing of it may be used) or removed.
    """

    id: str
    kind: str
    name: str
    title: str
    state: str
    detail: str | None
    digest: str
    address: str | None
    actions: int
    enabled: int
    credential: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class ImportedActionView(Value):
    """One action: `risk` and `effect` as they hold here, `risk_found` as they were taken from what was imported."""

    name: str
    title: str
    description: str
    risk: str
    effect: str
    risk_found: str
    enabled: bool
    schema_: dict[str, Any]


class LeftOutView(Value):
    """Something of a document that became no action, and why."""

    name: str
    why: str


class ImportedShown(ImportedView):
    """All of an imported connector: what somebody reviews. `changes` says what is new since the last review."""

    description: str
    options: dict[str, Any]
    items: tuple[ImportedActionView, ...]
    left_out: tuple[LeftOutView, ...]
    warnings: tuple[str, ...]
    changes: tuple[str, ...]
