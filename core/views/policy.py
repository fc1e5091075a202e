"""What the doors show of a workspace's rules."""

from datetime import datetime
from typing import Any

from core.values import Value


class PolicyView(Value):
    """One version of the rules. In lists without `body` and `source`; `digest` is of the body, SHA-256 in hex."""

    version: int
    body: dict[str, Any] | None = None
    source: str | None = None
    note: str | None = None
    digest: str
    created_by: str
    created_by_name: str = ""
    created_at: datetime
