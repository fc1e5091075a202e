"""What models cost: every call's usage, the budgets that bound it, the models that may be asked, the modes."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.tables.base import JsonColumn, UtcDateTime

_RESERVED = text("state = 'reserved'")
_REPLY = text("state = 'settled' AND purpose = 'reply'")


class Usage(SQLModel, table=True):
    """One model call: reserved before it is sent, settled with the provider's own figures, or released.

    Money is in millionths of a US dollar (`cost_micros`; None: the price is not known). `purpose` is `reply`, `facts`,
    `summary`, `intent`, `consensus` or `unusable answer`; only `settled` and `reserved` rows count against a budget: a
    `released` one failed, a `lapsed` one was lost with its worker. Figures that the provider did not give are None;
    `estimated` rows count with what was reserved. One answer is charged once: the unique index allows a round one
    settled reply.
    """

    __tablename__ = "usage"
    __table_args__ = (
        Index(None, "workspace_id", "created_at"),
        Index(None, "user_id", "created_at"),
        Index(None, "turn_id", "round"),
        Index("ix_usage_reserved", "created_at", sqlite_where=_RESERVED, postgresql_where=_RESERVED),
        Index("uq_usage_reply", "turn_id", "round", unique=True, sqlite_where=_REPLY, postgresql_where=_REPLY),
    )

    id: str = Field(primary_key=True)
    workspace_id: str
    user_id: str
    conversation_id: str | None = None
    turn_id: str | None = None
    round: int = 0
    attempt: int = 1
    purpose: str = "reply"
    state: str = "settled"
    provider: str | None = None
    model: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reserved_tokens: int = 0
    reserved_micros: int | None = Field(default=None, sa_type=BigInteger)
    cost_micros: int | None = Field(default=None, sa_type=BigInteger)
    complexity: str | None = None
    estimated: bool = False
    created_at: datetime = Field(sa_type=UtcDateTime)
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Budget(SQLModel, table=True):
    """The most that a workspace (`user_id` empty), or one person in it, may use in a UTC `day` or `month`."""

    __tablename__ = "budgets"
    __table_args__ = (UniqueConstraint("workspace_id", "user_id", "period"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    user_id: str = ""
    period: str
    money_micros: int | None = Field(default=None, sa_type=BigInteger)
    tokens: int | None = Field(default=None, sa_type=BigInteger)
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class ModelRule(SQLModel, table=True):
    """The models that a workspace (`user_id` empty), or one person in it, may ask; without a row: all of them."""

    __tablename__ = "model_rules"
    __table_args__ = (UniqueConstraint("workspace_id", "user_id"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    user_id: str = ""
    allowed: list[str] = Field(sa_type=JsonColumn)
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class ModelHealth(SQLModel, table=True):
    """How a configured model was when somebody last checked it, or when calls began to fail or went well again."""

    __tablename__ = "model_health"

    name: str = Field(primary_key=True)
    ok: bool
    code: str
    sentence: str
    took_ms: int | None = None
    models_seen: int | None = None
    at: datetime = Field(sa_type=UtcDateTime)


class Mode(SQLModel, table=True):
    """A workspace's own way of answering. `tools`: connectors or actions, None = all; limits: None = default."""

    __tablename__ = "modes"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    name: str
    title: str
    prompt: str
    model: str | None = None
    tier: str | None = None
    tools: list[str] | None = Field(default=None, sa_type=JsonColumn)
    rounds: int | None = None
    tool_calls: int | None = None
    max_tokens: int | None = None
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
