"""What is kept of what happened: events, audit, usage, workflow histories."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from core.tables.base import JsonColumn, UtcDateTime


class StoredEvent(SQLModel, table=True):
    """A durable event of one stream: a conversation's id, or a membership's id for an inbox."""

    __tablename__ = "events"

    stream_id: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    type: str
    body: dict[str, Any] = Field(sa_type=JsonColumn)
    created_at: datetime = Field(sa_type=UtcDateTime)


class AuditRow(SQLModel, table=True):
    """One link of a workspace's chain: `mac` covers the row and the mac before it."""

    __tablename__ = "audit"

    workspace_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    actor: str
    kind: str
    subject: str
    body: dict[str, Any] = Field(sa_type=JsonColumn)
    key_id: str
    previous: str
    mac: str


class AuditHead(SQLModel, table=True):
    """Where a workspace's chain ends, so that a cut-off tail shows."""

    __tablename__ = "audit_heads"

    workspace_id: str = Field(primary_key=True)
    number: int
    mac: str


class WorkflowHistory(SQLModel, table=True):
    """A closed workflow's history, decoded, kept past Temporal's retention."""

    __tablename__ = "workflow_histories"

    workflow_id: str = Field(primary_key=True)
    run_id: str
    turn_id: str = Field(index=True)
    body: dict[str, Any] = Field(sa_type=JsonColumn)
    stored_at: datetime = Field(sa_type=UtcDateTime)


class AuditPublished(SQLModel, table=True):
    """Up to where a workspace's chain was published, and where to: what is cut off after that shows outside."""

    __tablename__ = "audit_published"

    workspace_id: str = Field(primary_key=True)
    target: str = Field(primary_key=True)
    number: int
    mac: str
    at: datetime = Field(sa_type=UtcDateTime)
    detail: str | None = None
