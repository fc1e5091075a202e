"""What is asked and what comes back; members that a newer server adds are ignored."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

State = Literal["requested", "pending", "approved", "rejected", "expired", "withdrawn", "void"]
Outcome = Literal["done", "failed", "unknown", "not run"]


class Value(BaseModel):
    """Frozen."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Change(Value):
    """One thing that would change, as you say it."""

    label: str
    before: str | None = None
    after: str | None = None


class Preview(Value):
    """What would happen, as you say it; people are told that it is your word.

    `cost`: what it costs, in words with the currency, 100 characters at most.
    """

    summary: str = ""
    changes: tuple[Change, ...] = ()
    reversible: bool = False
    cost: str | None = None
    warnings: tuple[str, ...] = ()


class Approvers(Value):
    """Who should decide; this can only make what the server's policy says stricter. Users by e-mail address or id."""

    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    exclude_requester: bool = False
    comment_required: bool = False
    assurance: Literal["L1", "L2", "L3"] = "L1"


class Approval(Value):
    """A request for consent as it stands. Secrets among `arguments` are masked; `consume` gives the real ones."""

    id: str
    state: State
    title: str
    action: str
    risk: str
    arguments: dict[str, Any]
    preview: Preview = Preview()
    reason: str | None = None
    rule: str = ""
    revision: int = 0
    edited_by_name: str | None = None
    digest: str
    expires_at: datetime
    created_at: datetime
    decided_at: datetime | None = None
    decided_by_name: str | None = None
    comment: str | None = None
    consumed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether a decision is still to come."""
        return self.state in {"requested", "pending"}

    @property
    def is_approved(self) -> bool:
        """Whether it may be done."""
        return self.state == "approved"


class Taken(Value):
    """What was approved, for whoever runs it now: exactly these arguments, which people may have changed."""

    approval: Approval
    arguments: dict[str, Any]
