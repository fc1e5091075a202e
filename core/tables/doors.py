"""What the doors keep of their own beside the talk."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.tables.base import UtcDateTime


class Prompt(SQLModel, table=True):
    """One request through the OpenAI-compatible door: the message that it became, and how to know it again.

    `fingerprint` is of the talk as the client sent it, up to this message: the next request of the same talk begins
    with it. `instructions` is what the client's system messages said, `asked` the model that it named.
    """

    __tablename__ = "prompts"
    __table_args__ = (
        UniqueConstraint("workspace_id", "user_id", "client_message_id"),
        Index(None, "user_id", "fingerprint"),
    )

    id: str = Field(primary_key=True)
    workspace_id: str
    user_id: str
    conversation_id: str = Field(foreign_key="conversations.id", index=True)
    client_message_id: str
    fingerprint: str
    instructions: str | None = None
    asked: str
    created_at: datetime = Field(sa_type=UtcDateTime)
