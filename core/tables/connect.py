"""Connections to services, what goes out to channels, what came in from them, and how services are."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.tables.base import JsonColumn, UtcDateTime


class Connection(SQLModel, table=True):
    """A workspace's or a person's account with one connector; the credential is stored encrypted."""

    __tablename__ = "connections"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id", index=True)
    user_id: str | None = None
    connector: str
    label: str
    key_id: str | None = None
    ciphertext: bytes | None = None
    settings: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    state: str = "ready"
    created_by: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Delivery(SQLModel, table=True):
    """One outbound message to one channel, retried until its fate is known.

    `kind`: reply, prompt, notice, webhook. `state`: waiting, sent, failed, dropped. `external_ref` is what the channel
    calls the sent message, `body` what it says (no secrets), `version` counts what it should show now and `shown` what
    it shows: a prompt that closed is edited until the two are equal. `token_hash` is of the buttons' token.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index(None, "state", "due_at"),
        UniqueConstraint("kind", "ref", "channel", "account", "thread"),
    )

    id: str = Field(primary_key=True)
    workspace_id: str
    kind: str
    ref: str
    user_id: str | None = Field(default=None, index=True)
    conversation_id: str | None = Field(default=None, index=True)
    message_id: str | None = None
    approval_id: str | None = Field(default=None, index=True)
    channel: str
    account: str
    thread: str
    body: dict[str, Any] = Field(sa_type=JsonColumn)
    token_hash: str | None = Field(default=None, unique=True)
    state: str
    version: int = 1
    shown: int = 0
    external_ref: str | None = None
    attempts: int = 0
    detail: str | None = None
    due_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class Inbound(SQLModel, table=True):
    """Something that a channel told us, kept before it is answered; told twice it is one row.

    `thread` is where it was said; once it is answered (`state` done or failed), `body` is empty.
    """

    __tablename__ = "inbound"
    __table_args__ = (UniqueConstraint("channel", "account", "event_id"), Index(None, "state", "due_at"))

    id: str = Field(primary_key=True)
    channel: str
    account: str
    event_id: str
    thread: str = ""
    body: dict[str, Any] = Field(sa_type=JsonColumn)
    state: str = "waiting"
    attempts: int = 0
    detail: str | None = None
    due_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


class Cursor(SQLModel, table=True):
    """How far a channel account was read by polling, and which process reads it now (`holder`, until `held_until`)."""

    __tablename__ = "channel_cursors"

    channel: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    position: str = ""
    holder: str | None = None
    held_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    state: str = "unknown"
    detail: str | None = None
    updated_at: datetime = Field(sa_type=UtcDateTime)


class Webhook(SQLModel, table=True):
    """An address that is told of decisions; `ciphertext` is the secret that signs (Standard Webhooks).

    With `user_id` it has no address of its own: it signs the callbacks that this asker names with each request.
    """

    __tablename__ = "webhooks"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id", index=True)
    user_id: str | None = Field(default=None, index=True)
    url: str
    events: list[str] = Field(sa_type=JsonColumn)
    key_id: str
    ciphertext: bytes
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    disabled_why: str | None = None


class ServiceHealth(SQLModel, table=True):
    """How calls to a service go: its breaker (closed, open, half_open), and until when its limiter pauses."""

    __tablename__ = "service_health"

    connector: str = Field(primary_key=True)
    host: str = Field(primary_key=True)
    breaker: str = "closed"
    failures: int = 0
    open_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    paused_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_ok_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_failure_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    detail: str | None = None
    updated_at: datetime = Field(sa_type=UtcDateTime)


class Imported(SQLModel, table=True):
    """A connector that a workspace made of an OpenAPI document or an MCP server (`kind`), with what it was made of.

    `manifest` is a `connectors.manifest.ConnectorManifest`, `source` what its kind needs to make calls (no secrets),
    `digest` is of what was reviewed. `enabled` names the actions that may be used, `risks` what people said of them.
    `state`: review (nothing may be used yet), ready, changed (it is another than was reviewed: nothing may be used),
    removed. `detail` says why.
    """

    __tablename__ = "imported_connectors"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id", index=True)
    kind: str
    name: str
    manifest: dict[str, Any] = Field(sa_type=JsonColumn)
    source: dict[str, Any] = Field(sa_type=JsonColumn)
    digest: str
    enabled: list[str] = Field(sa_type=JsonColumn)
    risks: dict[str, str] = Field(sa_type=JsonColumn)
    connection_id: str | None = None
    state: str
    detail: str | None = None
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime, index=True)
