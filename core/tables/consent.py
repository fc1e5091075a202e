"""Approvals, the decisions that people sent about them, and the policies they were asked under."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.tables.base import JsonColumn, UtcDateTime


class Approval(SQLModel, table=True):
    """A request for people's consent to one exact tool call. `bound` is what the digest covers."""

    __tablename__ = "approvals"
    __table_args__ = (Index(None, "workspace_id", "state", "id"),)

    id: str = Field(primary_key=True)
    tool_call_id: str = Field(foreign_key="tool_calls.id", unique=True)
    turn_id: str = Field(foreign_key="turns.id", index=True)
    conversation_id: str
    workspace_id: str
    requester_id: str
    action: str
    risk: str
    title: str
    arguments: dict[str, Any] = Field(sa_type=JsonColumn)
    preview: dict[str, Any] = Field(sa_type=JsonColumn)
    reason: str | None = None
    approvers: dict[str, Any] = Field(sa_type=JsonColumn)
    bound: dict[str, Any] = Field(sa_type=JsonColumn)
    digest: str
    state: str
    expires_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    opened_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decided_by: str | None = None
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decision_id: str | None = None
    decided_door: str | None = None
    comment: str | None = None
    consumed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Decision(SQLModel, table=True):
    """One person's answer, stored as `received` before anybody hears of it; that alone authorises nothing."""

    __tablename__ = "decisions"
    __table_args__ = (Index(None, "state", "created_at"),)

    id: str = Field(primary_key=True)
    approval_id: str = Field(foreign_key="approvals.id", index=True)
    user_id: str = Field(foreign_key="users.id")
    role: str
    door: str
    update_id: str = Field(unique=True)
    verdict: str
    digest: str
    comment: str | None = None
    state: str = "received"
    refusal: str | None = None
    detail: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Policy(SQLModel, table=True):
    """One version of a workspace's rules; without a row the built-in rules, version 0, hold."""

    __tablename__ = "policies"
    __table_args__ = (UniqueConstraint("workspace_id", "version"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    version: int
    body: dict[str, Any] = Field(sa_type=JsonColumn)
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
