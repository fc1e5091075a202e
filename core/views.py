"""What the doors show of each noun: the same values in REST answers and in events."""

from datetime import datetime
from typing import Any

from pydantic import Field

from core.messages import Approvers
from core.values import Value


class ConversationView(Value):
    """A conversation in a list."""

    id: str
    title: str
    mode: str
    when_busy: str = "queue"
    origin_channel: str
    owner_id: str
    active_branch_id: str | None = None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


class MessageView(Value):
    """One message; `text_cut` when an event left out a text that is too long for it (fetch the message).

    `thread_id` is the message that its thread hangs on, `edit_of_id` the version that it replaces. Of replies:
    `intent` with its `confidence` (0 to 1), and `suggestions` of what to say next.
    """

    id: str
    conversation_id: str
    turn_id: str
    branch_id: str | None = None
    position: int
    role: str
    author_id: str | None
    text: str
    text_cut: bool = False
    message_type: str
    channel: str
    client_message_id: str | None
    reply_to_id: str | None = None
    thread_id: str | None = None
    edit_of_id: str | None = None
    intent: str | None = None
    confidence: float | None = None
    suggestions: tuple[str, ...] = ()
    forgotten_at: datetime | None = None
    model: str | None
    usage: dict[str, Any] | None
    response_time_ms: int | None
    created_at: datetime


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


class CitationView(Value):
    """Something recalled for a turn: what it is, where it is from, how well it fits (more is better), why it came.

    `kind`: message, fact, document or summary; `id` names it. It carries no text: fetch it, it may be forgotten since.
    """

    kind: str
    id: str
    score: float
    reason: str
    conversation_id: str | None = None
    page: int | None = None
    name: str | None = None


class RecallView(Value):
    """What a turn was given from memory; `reason` says why when nothing was looked up (`state` skipped)."""

    turn_id: str
    state: str
    reason: str | None = None
    took_ms: int = 0
    items: tuple[CitationView, ...] = ()


class RecalledView(CitationView):
    """A citation with the text that it names now; null when that is gone, or not this person's to see."""

    text: str | None
    text_cut: bool = False


class RecallTextsView(Value):
    """What a turn was given from memory, as far as it can still be read."""

    turn_id: str
    state: str
    reason: str | None = None
    took_ms: int = 0
    items: tuple[RecalledView, ...] = ()


class BranchView(Value):
    """A version of a conversation from the turn `replaces_turn_id` on; `reason`: edit or regenerate.

    With a `thread_id` only that thread goes another way.
    """

    id: str
    conversation_id: str
    parent_id: str | None
    forked_at: int
    thread_id: str | None = None
    replaces_turn_id: str
    reason: str
    created_by: str
    created_at: datetime


class VersionView(Value):
    """One version of what was said at a point: `branch_id` None is the first; `active`: it is the one that is shown.

    `reason`: original, edit or regenerate.
    """

    branch_id: str | None
    reason: str
    active: bool
    message: MessageView
    turn: TurnView


class DoneView(Value):
    """A call that stays done though the turn that made it was replaced; `state`: done, running or unknown."""

    tool_call_id: str
    action: str
    state: str


class ModeView(Value):
    """A way of answering. `tools`: connectors or actions, None: all; limits None: as set for the server."""

    name: str
    title: str
    prompt: str
    model: str | None = None
    tier: str | None = None
    tools: tuple[str, ...] | None = None
    rounds: int | None = None
    tool_calls: int | None = None
    max_tokens: int | None = None
    built_in: bool = False


class FactView(Value):
    """Something that is remembered of a person, and where it is from. `origin`: said, model or written."""

    id: str
    text: str
    origin: str
    conversation_id: str | None
    turn_id: str | None
    message_id: str | None
    created_at: datetime
    updated_at: datetime


class SummaryView(Value):
    """One version of what a branch's turns up to the place `upto_place` came to; `model` wrote it."""

    id: str
    conversation_id: str
    branch_id: str | None
    version: int
    upto_place: int
    text: str
    model: str
    created_at: datetime


class ThreadView(Value):
    """A thread: the message that it hangs on, how many were said in it, and when the last was."""

    id: str
    conversation_id: str
    messages: int
    last_at: datetime


class UnreadView(Value):
    """How many messages of others a person has not read in a conversation yet."""

    conversation_id: str
    unread: int


class DocumentView(Value):
    """An uploaded file and how far reading it is; `state`: received, reading, ready or failed."""

    id: str
    conversation_id: str | None
    owner_id: str
    name: str
    media_type: str
    size: int
    state: str
    detail: str | None
    pages: int | None
    chunks_total: int
    chunks_done: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


class ReadView(Value):
    """How far somebody has read a conversation: up to the message at `position`."""

    conversation_id: str
    user_id: str
    position: int
    at: datetime


class PartialView(Value):
    """The text that a running turn has shown so far; a delta whose offset is its length goes on from it."""

    turn_id: str
    attempt: int
    offset: int
    text: str


class ToolCallView(Value):
    """A tool call; `result` is left out (`result_cut`) of events that it would make too long."""

    id: str
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


class ChangeView(Value):
    """One thing that an action would change."""

    label: str
    before: str | None = None
    after: str | None = None


class PreviewView(Value):
    """What the connector says an action would do."""

    summary: str
    changes: tuple[ChangeView, ...] = ()
    reversible: bool = False
    warnings: tuple[str, ...] = ()


class ApprovalView(Value):
    """A request for consent as a person sees it. A decision quotes `digest`; `reason` is the model's word, not ours."""

    id: str
    tool_call_id: str
    turn_id: str
    conversation_id: str
    requester_id: str
    requester_name: str = ""
    action: str
    risk: str
    title: str
    arguments: dict[str, Any]
    arguments_cut: bool = False
    preview: PreviewView
    reason: str | None
    approvers: Approvers
    digest: str
    state: str
    expires_at: datetime
    created_at: datetime
    decided_by: str | None
    decided_by_name: str | None
    decided_door: str | None = None
    decided_at: datetime | None
    comment: str | None


class PersonView(Value):
    """A person as the members of one workspace see them."""

    id: str
    email: str
    name: str
    role: str
    workspace_id: str
    created_at: datetime
    disabled_at: datetime | None = None


class ProfileView(Value):
    """What a person says about themselves; only they see it, and the model that answers them."""

    id: str
    email: str
    name: str
    locale: str | None
    time_zone: str | None
    preferences: dict[str, str]


class InvitationView(Value):
    """A way into the workspace that somebody offered to an e-mail address; the token itself is shown once only."""

    id: str
    email: str
    role: str
    invited_by: str
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None


class AuditView(Value):
    """One row of the audit log."""

    number: int
    at: datetime
    actor: str
    kind: str
    subject: str
    body: dict[str, Any]


class ApiTokenView(Value):
    """A program's token as its person sees it: `hint` is how it ends; the token itself was shown once."""

    id: str
    user_id: str
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class BudgetView(Value):
    """The most that the workspace (`user_id` null) or a person may use in a UTC `period`, and how much of it is used.

    Money is in millionths of a US dollar. `used` counts calls that run just now with the most that they may use.
    """

    id: str
    user_id: str | None
    period: str
    money_micros: int | None
    tokens: int | None
    used_micros: int
    used_tokens: int
    left_micros: int | None
    left_tokens: int | None
    renews_at: datetime
    created_by: str
    updated_at: datetime


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


class ModelHealthView(Value):
    """The newest word on a model: from a check, or from when its calls began to fail or went well again."""

    ok: bool
    code: str
    sentence: str
    took_ms: int | None
    models_seen: int | None
    at: datetime


class ModelView(Value):
    """A configured model; no keys and no addresses. Prices: US dollars for a million tokens, null when not known.

    `allowed`: whether who asks may ask it; `health` null: nobody has checked it, and nothing went wrong.
    """

    name: str
    provider: str
    tier: str
    tools: bool
    images: bool
    context_tokens: int | None
    max_output_tokens: int | None
    input_price: float | None
    output_price: float | None
    price_known: bool
    allowed: bool
    health: ModelHealthView | None


class ModelRuleView(Value):
    """The models that everybody in the workspace (`user_id` null), or a person, may ask; no other ones."""

    id: str
    user_id: str | None
    allowed: tuple[str, ...]
    created_by: str
    created_at: datetime


class UsageTotals(Value):
    """Model calls added up. `cost_micros`: of the calls with a known price; `unpriced` calls are not in it.

    Money is in millionths of a US dollar. Input and output tokens are the provider's own figures; `cached_tokens` are
    a part of the input. Calls for which the provider gave none are `estimated`, with our count in `estimated_tokens`.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    estimated: int = 0
    estimated_tokens: int = 0
    cost_micros: int = 0
    unpriced: int = 0


class UsageGroupView(Value):
    """What one message, turn, person, model, day or purpose used; `name` is a person's."""

    key: str
    name: str | None = None
    totals: UsageTotals


class SuggestionView(Value):
    """Something that the records say could cost less. `figures` are all the numbers that `text` is made of.

    `saving_micros`: what the calls looked at would have cost less, in millionths of a US dollar; null when that cannot
    be computed from the records.
    """

    kind: str
    text: str
    saving_micros: int | None
    figures: dict[str, Any]


class MemoryView(Value):
    """How memory is. `sentence` says it to people, `rows` counts what the index holds.

    `state`: off (a setting or missing packages), warming (the embedder is set up or loads), rebuilding (`done` of
    `total` rows), ready, away (the workers that keep it do not run). `waiting` changes are yet to be learned.
    """

    state: str
    sentence: str
    model: str | None = None
    dimension: int | None = None
    backend: str | None = None
    rows: dict[str, int] = Field(default_factory=dict)
    done: int = 0
    total: int = 0
    waiting: int = 0
    built_at: datetime | None = None
    updated_at: datetime | None = None
