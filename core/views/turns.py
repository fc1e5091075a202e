"""What the doors show of turns and of what happens in them."""

from datetime import datetime
from typing import Any

from core.values import Value


class ProblemView(Value):
    """Why a turn failed: a code for programs, a sentence for people."""

    code: str
    detail: str


class TurnView(Value):
    """A turn and how far it is."""

    id: str
    conversation_id: str
    message_id: str
    user_id: str
    state: str
    attempt: int
    retry_of: str | None
    branch_id: str | None = None
    thread_id: str | None = None
    mode: str = "full"
    asked_model: str | None = None
    intent: str | None = None
    confidence: float | None = None
    error: ProblemView | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class PartialView(Value):
    """The text that a running turn has shown so far; a delta whose offset is its length goes on from it."""

    turn_id: str
    attempt: int
    offset: int
    text: str


class ToolCallView(Value):
    """A tool call, secrets masked; `result` is left out (`result_cut`) of events that it would make too long."""

    id: str
    conversation_id: str | None = None
    turn_id: str
    round: int
    place: int
    action: str
    arguments: dict[str, Any]
    risk: str
    effect: str
    verdict: str
    rule: str
    state: str
    result: dict[str, Any] | None
    result_cut: bool = False
    detail: str | None
    approval_id: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class ConsensusAnswer(Value):
    """What one of several models would do: its calls that count, in short; `fault` when it gave nothing."""

    model: str
    agrees: bool
    calls: tuple[str, ...] = ()
    fault: str | None = None


class ConsensusView(Value):
    """How far several models agreed: at most `agreed` of those `asked`; `reached` when that was more than half."""

    agreed: int
    asked: int
    reached: bool
    answers: tuple[ConsensusAnswer, ...]
