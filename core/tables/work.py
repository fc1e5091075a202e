"""Turns, their rounds and tool calls, the intents that make a send happen once, and the outbox."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.tables.base import JsonColumn, UtcDateTime


class Turn(SQLModel, table=True):
    """All the work that answers one message. `place` orders the queue; `attempt` counts its model calls.

    `branch_id` and `thread_id` say which version and which thread of the conversation it belongs to (None: the trunk,
    the main talk). `mode` and `asked_model` are what was chosen for it; `asked_model` None leaves it to the router.
    `max_rounds` is the most that its mode allows, None: as set. `direct`: `{action, arguments}` of one call that a
    program asked for by itself: no model is asked. `untrusted_at`: since when it has read what outsiders wrote.
    """

    __tablename__ = "turns"
    __table_args__ = (
        Index(None, "conversation_id", "state", "place"),
        # The newest turns of a long conversation are found without reading the others.
        Index(None, "conversation_id", "place"),
    )

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversations.id")
    workspace_id: str
    user_id: str = Field(foreign_key="users.id")
    message_id: str
    retry_of: str | None = None
    branch_id: str | None = None
    thread_id: str | None = None
    mode: str = "full"
    max_rounds: int | None = None
    asked_model: str | None = None
    direct: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    untrusted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    intent: str | None = None
    confidence: float | None = None
    state: str = Field(index=True)
    place: int
    lease_epoch: int = 0
    wants_lease: bool = False
    attempt: int = 1
    door: str
    stop_requested_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    stopped_by: str | None = None
    error_code: str | None = None
    error_detail: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Round(SQLModel, table=True):
    """One model call's stored answer: a later attempt returns it instead of asking again.

    `consensus`: how far several models agreed, where a policy asked for more than one (`core.views.ConsensusView`).
    """

    __tablename__ = "rounds"

    turn_id: str = Field(primary_key=True, foreign_key="turns.id")
    number: int = Field(primary_key=True)
    attempt: int
    text: str
    model: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    consensus: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    started_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime = Field(sa_type=UtcDateTime)


class Partial(SQLModel, table=True):
    """The text of the answer that a running turn has given so far; may lag by half a second."""

    __tablename__ = "partials"

    turn_id: str = Field(primary_key=True)
    attempt: int
    text: str
    updated_at: datetime = Field(sa_type=UtcDateTime)


class ToolCall(SQLModel, table=True):
    """One request to do one action with given arguments, with the policy's verdict and what became of it.

    `secrets`: where the arguments have secrets, which are masked wherever they are shown (`core.masking`).
    """

    __tablename__ = "tool_calls"
    __table_args__ = (UniqueConstraint("turn_id", "round", "place"),)

    id: str = Field(primary_key=True)
    turn_id: str = Field(foreign_key="turns.id")
    conversation_id: str = Field(foreign_key="conversations.id")
    workspace_id: str
    user_id: str
    round: int
    place: int
    action: str
    arguments: dict[str, Any] = Field(sa_type=JsonColumn)
    secrets: list[list[str]] | None = Field(default=None, sa_type=JsonColumn)
    schema_digest: str
    risk: str
    effect: str
    verdict: str
    rule: str
    grant_id: str | None = None
    connection_id: str | None = None
    edited_by: str | None = None
    state: str
    result: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    detail: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Intent(SQLModel, table=True):
    """The row whose inserter alone may send. Without an outcome the fate of the call is not known.

    `attempt` is the newest attempt of the activity that came to the gate: an older one may not send any more.
    """

    __tablename__ = "intents"

    tool_call_id: str = Field(primary_key=True, foreign_key="tool_calls.id")
    approval_id: str | None = None
    idempotency_key: str
    attempt: int
    created_at: datetime = Field(sa_type=UtcDateTime)
    outcome: str | None = None
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    settled_by: str | None = None


class CallQuestion(SQLModel, table=True):
    """What a service asked people in the middle of a call, one row for each question; `leg` counts the times it asked.

    `state` is what it wants back with the answers, on the first question of a leg. `approval_id` is the request that
    people answer, None until it is asked; `answer`: accept, decline or cancel, None while nobody said. What they wrote
    is in the approval's arguments. `sent_at` is when the leg's answers were sent for the first time.
    """

    __tablename__ = "call_questions"
    __table_args__ = (UniqueConstraint("tool_call_id", "leg", "place"),)

    id: str = Field(primary_key=True)
    tool_call_id: str = Field(foreign_key="tool_calls.id")
    leg: int
    place: int
    key: str
    state: str | None = None
    approval_id: str | None = Field(default=None, unique=True)
    body: dict[str, Any] = Field(sa_type=JsonColumn)
    answer: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Outbox(SQLModel, table=True):
    """Something that must still be told to Temporal; the relay does what a crash left."""

    __tablename__ = "outbox"
    __table_args__ = (UniqueConstraint("kind", "ref"),)

    id: str = Field(primary_key=True)
    kind: str
    ref: str
    body: dict[str, Any] = Field(sa_type=JsonColumn)
    due_at: datetime = Field(sa_type=UtcDateTime, index=True)
    attempts: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
