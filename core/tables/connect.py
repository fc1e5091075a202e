"""Connections to services and the deliveries to channels."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from core.tables.base import UtcDateTime


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
    state: str = "ready"
    created_at: datetime = Field(sa_type=UtcDateTime)


class Delivery(SQLModel, table=True):
    """One outbound message to one channel, retried until its fate is known."""

    __tablename__ = "deliveries"

    id: str = Field(primary_key=True)
    workspace_id: str
    conversation_id: str = Field(index=True)
    message_id: str | None = None
    approval_id: str | None = Field(default=None, index=True)
    channel: str
    account: str
    thread: str
    state: str = Field(index=True)
    external_ref: str | None = None
    attempts: int = 0
    detail: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
