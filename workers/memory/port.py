"""What the others need of memory: vectors of texts, and hits for a question. All of it may be away at any time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from core.errors import Unavailable

Vector = list[float]
HitKind = Literal["message", "fact", "document"]


class MemoryUnavailable(Unavailable):
    """Memory is off, still warming up, or does not answer; the sentence says which."""

    code, title = "memory_unavailable", "Memory is not available"


@dataclass(frozen=True)
class Scope:
    """Whose memory is searched: all that is this person's in the workspace, or (`alone` False) one conversation only.

    With more than one human in a conversation, `alone` is False. The workspace's documents belong to every scope.
    """

    workspace_id: str
    user_id: str
    conversation_id: str
    alone: bool


@dataclass(frozen=True)
class Hit:
    """One row of the index. `id` names the message, fact or chunk in SQL, which has the last word on what is there.

    `score`: reciprocal rank fusion over the lists that it is in, higher is better. `vector_rank` and `text_rank` count
    from 1; None when it is not in that list. `similarity` is the cosine with the question, -1 to 1, None when not
    known: the nearest of all is not near when nothing was said about it.
    """

    kind: HitKind
    id: str
    score: float
    vector_rank: int | None
    text_rank: int | None
    conversation_id: str | None
    created_at: datetime
    similarity: float | None = None


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def model(self) -> str:
        """The name under which vectors are kept: vectors of two names never mix."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether `embed` will answer at once."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Give one unit vector for each text, in order. Raises MemoryUnavailable."""
        ...


class Index(Protocol):
    """The searchable copy of what SQL knows."""

    async def search(
        self, scope: Scope, text: str, vector: Vector | None, *, kinds: Sequence[HitKind], limit: int
    ) -> list[Hit]:
        """Give the best hits, vector and full text fused by rank, best first. Raises MemoryUnavailable."""
        ...
