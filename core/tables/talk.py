"""Conversations, who takes part, which channel threads they are bound to, and their messages."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.tables.base import JsonColumn, UtcDateTime


class Conversation(SQLModel, table=True):
    """One thread of talk over many channels. `active_turn_id` and `lease_epoch` are its lease."""

    __tablename__ = "conversations"
    __table_args__ = (Index(None, "owner_id", "last_activity_at", "id"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id", index=True)
    owner_id: str = Field(foreign_key="users.id")
    title: str
    mode: str = "full"
    origin_channel: str
    when_busy: str = "queue"
    last_seq: int = 0
    epoch: str
    active_turn_id: str | None = Field(default=None, index=True)
    lease_epoch: int = 0
    active_branch_id: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    last_activity_at: datetime = Field(sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Participant(SQLModel, table=True):
    """A person who takes part in a conversation: the one rule of who sees it."""

    __tablename__ = "participants"

    conversation_id: str = Field(primary_key=True, foreign_key="conversations.id")
    user_id: str = Field(primary_key=True, foreign_key="users.id", index=True)
    joined_at: datetime = Field(sa_type=UtcDateTime)
    read_position: int = 0
    read_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Branch(SQLModel, table=True):
    """A version of a conversation from one turn on. Its path: the parent's turns before `forked_at`, then its own.

    `parent_id` None is the trunk, the turns without a branch. `forked_at` is the place of the turn that it replaces,
    `begun_at` that of its own first turn. With a `thread_id` it replaces a thread's turns only.
    """

    __tablename__ = "branches"

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    parent_id: str | None = None
    forked_at: int
    begun_at: int
    thread_id: str | None = None
    replaces_turn_id: str
    reason: str
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class Binding(SQLModel, table=True):
    """A conversation tied to one channel thread. `mirrors`: what is said elsewhere is told there too."""

    __tablename__ = "bindings"
    __table_args__ = (UniqueConstraint("channel", "account", "thread"),)

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    channel: str
    account: str
    thread: str
    mirrors: bool = True
    created_at: datetime = Field(sa_type=UtcDateTime)


class Message(SQLModel, table=True):
    """What someone said. `position` is the seq of its `message.created`: the order of the conversation.

    `branch_id` is the version in which it was said (None: the first). `thread_id` is the message that the thread hangs
    on, `edit_of_id` the earlier version, `profile` who the asker was
    to the model; a message with `forgotten_at` is shown where it was said and recalled nowhere.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("conversation_id", "position"),
        UniqueConstraint("conversation_id", "author_id", "client_message_id"),
    )

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id")
    workspace_id: str
    turn_id: str = Field(index=True)
    branch_id: str | None = None
    position: int
    author_id: str | None = None
    role: str
    text: str
    message_type: str = "text"
    channel: str
    client_message_id: str | None = None
    reply_to_id: str | None = None
    thread_id: str | None = Field(default=None, index=True)
    edit_of_id: str | None = Field(default=None, index=True)
    profile: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    intent: str | None = None
    confidence: float | None = None
    suggestions: list[str] | None = Field(default=None, sa_type=JsonColumn)
    forgotten_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    model: str | None = None
    usage: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    response_time_ms: int | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)


class Import(SQLModel, table=True):
    """Where an imported conversation is from. `carried` is what its file says that is no truth here.

    Who said what, approvals and usage are only shown and exported again: a file must not make anybody consent or pay.
    """

    __tablename__ = "imports"

    conversation_id: str = Field(primary_key=True, foreign_key="conversations.id")
    user_id: str = Field(foreign_key="users.id")
    sha256: str
    client_key: str
    carried: dict[str, Any] = Field(sa_type=JsonColumn)
    created_at: datetime = Field(sa_type=UtcDateTime)
