"""What the doors show of what is remembered and recalled."""

from datetime import datetime

from pydantic import Field

from core.values import Value


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
