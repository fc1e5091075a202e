"""What is remembered: facts, summaries, documents, what a turn recalled, and what the index has yet to learn."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from core.tables.base import JsonColumn, UtcDateTime


class Fact(SQLModel, table=True):
    """Something about a person that holds in every conversation. `origin`: said (`remember ...`), model, written.

    `folded` is the text without case and spacing: by it the same fact is known again, and found.
    """

    __tablename__ = "facts"
    __table_args__ = (Index(None, "workspace_id", "user_id", "id"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    user_id: str = Field(foreign_key="users.id")
    text: str
    folded: str = ""
    origin: str
    conversation_id: str | None = None
    turn_id: str | None = None
    message_id: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class Summary(SQLModel, table=True):
    """One version of what a conversation's turns up to `upto_place` came to; the newest version of a path counts."""

    __tablename__ = "summaries"
    __table_args__ = (Index(None, "conversation_id", "branch_id", "version"),)

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id")
    branch_id: str | None = None
    version: int
    upto_place: int
    text: str
    model: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class Recall(SQLModel, table=True):
    """What was recalled for a turn (`state` done), or why nothing was (`skipped`). `items`: see `CitationView`."""

    __tablename__ = "recalls"

    turn_id: str = Field(primary_key=True, foreign_key="turns.id")
    state: str
    reason: str | None = None
    took_ms: int = 0
    items: list[dict[str, Any]] = Field(sa_type=JsonColumn)
    created_at: datetime = Field(sa_type=UtcDateTime)


class Document(SQLModel, table=True):
    """An uploaded file, of one conversation or (None) of the whole workspace.

    `state`: received, reading, ready, failed. `storage_key` names the file in the uploads folder, never what a person
    called it.
    """

    __tablename__ = "documents"
    __table_args__ = (Index(None, "workspace_id", "conversation_id", "id"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    conversation_id: str | None = Field(default=None, foreign_key="conversations.id")
    owner_id: str = Field(foreign_key="users.id")
    name: str
    media_type: str
    size: int
    sha256: str
    storage_key: str
    state: str = Field(index=True)
    detail: str | None = None
    pages: int | None = None
    chunks_total: int = 0
    chunks_done: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Chunk(SQLModel, table=True):
    """A piece of a document's text, with the page (from 1) it stands on, where the format has pages."""

    __tablename__ = "chunks"
    __table_args__ = (Index(None, "document_id", "number"),)

    id: str = Field(primary_key=True)
    document_id: str = Field(foreign_key="documents.id")
    number: int
    page: int | None = None
    text: str


class MemoryChange(SQLModel, table=True):
    """Something that the index has yet to learn: the writer reads the truth about (`kind`, `ref`), then drops the row.

    `kind`: turn, fact, document, conversation. Ids sort by time; the same change twice is harmless.
    """

    __tablename__ = "memory_changes"

    id: str = Field(primary_key=True)
    kind: str
    ref: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class Lookup(SQLModel, table=True):
    """A question to memory on its way to a worker; it is dropped with the answer, or an hour later."""

    __tablename__ = "lookups"

    id: str = Field(primary_key=True)
    workspace_id: str
    user_id: str
    conversation_id: str | None = None
    text: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class MemoryStatus(SQLModel, table=True):
    """How memory is, as the workers that keep it last said; one row. `state`: see `MemoryView`.

    `rows` counts what the index holds; `done` of `total` tells how far a rebuild is. `stale`: changes were dropped
    while memory was off, so the index is rebuilt before it is used again.
    """

    __tablename__ = "memory_status"

    id: str = Field(primary_key=True)
    state: str
    sentence: str
    model: str = ""
    dimension: int = 0
    backend: str = ""
    rows: dict[str, int] = Field(sa_type=JsonColumn)
    done: int = 0
    total: int = 0
    stale: bool = False
    built_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
