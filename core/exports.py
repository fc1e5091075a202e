"""A conversation as a file: every version, turn and tool call of it, under a format that has a version of its own.

Ids are those of the server that wrote it; people are named by keys. Whoever reads a file takes it as a claim.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue

from core.ids import Id
from core.text import SafeStr, check_json
from core.values import ApprovalState, CallState, CallVerdict, TurnState, Value

FORMAT, VERSION = "assent.conversation", 1
MAX_MESSAGES = 10_000
_Number = Annotated[int, Field(ge=0, lt=2**31 - 2**20)]
_Big = Annotated[int, Field(ge=0, lt=2**53)]
_Short = Annotated[SafeStr, Field(max_length=500)]
_Long = Annotated[SafeStr, Field(max_length=1_000_000)]
_Key = Annotated[str, Field(pattern=r"^p[0-9]{1,4}$")]
_Object = Annotated[dict[str, JsonValue], AfterValidator(check_json)]
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class PersonRecord(Value):
    """Somebody who takes part, or is named."""

    key: _Key
    name: _Short


class ConversationRecord(Value):
    """The conversation itself; `owner` is whose it is."""

    id: Id
    title: _Short
    mode: _Short
    when_busy: Literal["queue", "interrupt", "reject"]
    origin_channel: _Short
    owner: _Key
    active_branch_id: Id | None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    last_activity_at: AwareDatetime


class BranchRecord(Value):
    """A version of it from one turn on."""

    id: Id
    parent_id: Id | None
    forked_at: _Number
    begun_at: _Number
    thread_id: Id | None
    replaces_turn_id: Id
    reason: _Short
    by: _Key | None
    created_at: AwareDatetime


class TurnRecord(Value):
    """All the work that answered one message."""

    id: Id
    message_id: Id
    by: _Key | None
    retry_of: Id | None
    branch_id: Id | None
    thread_id: Id | None
    mode: _Short
    asked_model: _Short | None
    intent: _Short | None
    confidence: _Share | None
    state: TurnState
    place: _Number
    attempt: _Number
    door: _Short
    error_code: _Short | None
    error_detail: _Long | None
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None


class MessageRecord(Value):
    """What somebody, or the assistant, said."""

    id: Id
    turn_id: Id
    branch_id: Id | None
    position: Annotated[_Number, Field(ge=1)]
    by: _Key | None
    role: Literal["user", "assistant", "system"]
    text: _Long
    message_type: _Short
    channel: _Short
    reply_to_id: Id | None
    thread_id: Id | None
    edit_of_id: Id | None
    intent: _Short | None
    confidence: _Share | None
    suggestions: Annotated[list[_Short], Field(max_length=20)] | None
    forgotten_at: AwareDatetime | None
    model: _Short | None
    usage: _Object | None
    response_time_ms: _Number | None
    created_at: AwareDatetime


class CallRecord(Value):
    """A tool call, and what became of it."""

    id: Id
    turn_id: Id
    round: _Number
    place: _Number
    action: _Short
    arguments: _Object
    schema_digest: _Short
    risk: _Short
    effect: _Short
    verdict: CallVerdict
    rule: _Short
    state: CallState
    result: _Object | None
    detail: _Long | None
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None


class ApprovalRecord(Value):
    """A request for consent, in short. Read from a file it is a word about the past, and approves nothing."""

    id: Id
    tool_call_id: Id
    turn_id: Id
    action: _Short
    risk: _Short
    title: _Short
    reason: _Long | None
    state: ApprovalState
    digest: _Short
    requested_by: _Key | None
    decided_by: _Key | None
    decided_door: _Short | None
    comment: _Long | None
    created_at: AwareDatetime
    expires_at: AwareDatetime
    decided_at: AwareDatetime | None


class FactRecord(Value):
    """What was remembered of whoever exports, and learnt here. Read from a file it is remembered of nobody."""

    id: Id
    text: _Long
    origin: _Short
    turn_id: Id | None
    message_id: Id | None
    created_at: AwareDatetime


class DocumentRecord(Value):
    """An uploaded document; `file` names it in the archive, when it is there."""

    id: Id
    name: _Short
    media_type: _Short
    size: _Big
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    pages: _Number | None
    by: _Key | None
    created_at: AwareDatetime
    file: Annotated[str, Field(pattern=r"^documents/[0-9]{1,5}$")] | None = None


class UsageRecord(Value):
    """What one model call used. Read from a file it is charged to nobody."""

    turn_id: Id | None
    round: _Number
    attempt: _Number
    purpose: _Short
    state: _Short
    provider: _Short | None
    model: _Short
    input_tokens: _Big | None
    output_tokens: _Big | None
    cached_tokens: _Big | None
    cost_micros: _Big | None
    created_at: AwareDatetime


class ConversationFile(Value):
    """The whole file."""

    format: Literal["assent.conversation"] = "assent.conversation"
    version: Literal[1] = 1
    exported_at: AwareDatetime
    imported: bool = False
    people: Annotated[tuple[PersonRecord, ...], Field(max_length=1_000)]
    conversation: ConversationRecord
    branches: Annotated[tuple[BranchRecord, ...], Field(max_length=MAX_MESSAGES)]
    turns: Annotated[tuple[TurnRecord, ...], Field(max_length=MAX_MESSAGES)]
    messages: Annotated[tuple[MessageRecord, ...], Field(max_length=MAX_MESSAGES)]
    calls: Annotated[tuple[CallRecord, ...], Field(max_length=4 * MAX_MESSAGES)]
    approvals: Annotated[tuple[ApprovalRecord, ...], Field(max_length=4 * MAX_MESSAGES)]
    facts: Annotated[tuple[FactRecord, ...], Field(max_length=MAX_MESSAGES)]
    documents: Annotated[tuple[DocumentRecord, ...], Field(max_length=500)]
    usage: Annotated[tuple[UsageRecord, ...], Field(max_length=8 * MAX_MESSAGES)]


def name_of(people: dict[str, str], key: str | None, role: str) -> str:
    """Name who said something."""
    return people.get(key or "", "Assistant" if role == "assistant" else "Somebody")


def shown_time(at: datetime) -> str:
    """Write a time for people."""
    return f"{at:%Y-%m-%d %H:%M} UTC"
