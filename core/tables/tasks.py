"""The to-do list of the built-in `tasks` connector."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from core.tables.base import UtcDateTime


class Task(SQLModel, table=True):
    """One thing to do on a person's own list; `idempotency_key` makes adding it twice adding it once."""

    __tablename__ = "tasks"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspaces.id")
    owner_id: str = Field(foreign_key="users.id", index=True)
    title: str
    done: bool = False
    idempotency_key: str = Field(unique=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    completed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    deleted_with: str | None = None
