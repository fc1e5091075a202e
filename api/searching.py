"""Search over what was said: words by SQL, meaning by memory when it answers in time, fused by rank."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from core.errors import AssentError, Invalid
from core.permissions import Principal
from core.query import Fragment, Term, fragments, terms_of
from core.store import lookups, messages, search
from core.store.database import Database
from core.tables.talk import Message
from core.values import Value
from workflows.handles import Workflows

MEANING_SECONDS = 1.0
_RANK_CONSTANT = 60
"""Of reciprocal rank fusion: how little the first places count more than those after them."""
_LATE = "Memory did not answer in time."


class SearchHit(Value):
    """A message that fits: by its words (`words`), by its meaning (`meaning`), or both. More `score` is better."""

    message_id: str
    conversation_id: str
    conversation_title: str
    turn_id: str
    position: int
    role: str
    author_id: str | None
    created_at: datetime
    score: float
    words: bool
    meaning: bool
    fragments: tuple[Fragment, ...]


class SearchPage(Value):
    """Hits, best first, of at most 250. `meaning` False: only words were compared, for this `reason`."""

    items: tuple[SearchHit, ...]
    next: str | None
    total: int
    meaning: bool
    reason: str | None = None


class Searching:
    """Looks in both, and shows what the person may see."""

    def __init__(self, database: Database, workflows: Workflows, *, has_memory: bool) -> None:
        """Take where words are found, and who leads to memory."""
        self._database = database
        self._workflows = workflows
        self._has_memory = has_memory

    async def search(
        self, who: Principal, query: str, *, conversation_id: str | None, limit: int, cursor: str | None
    ) -> SearchPage:
        """Search the conversations that a person sees (or one). Raises Invalid, NotFound."""
        terms, offset = terms_of(query), _offset(cursor)
        if conversation_id is not None:
            async with self._database.reading() as session:
                await messages.check_visible(session, who, conversation_id)
        by_words, (by_meaning, reason) = await asyncio.gather(
            self._by_words(who, terms, conversation_id), self._by_meaning(who, query, conversation_id)
        )
        scores = _fuse(by_words, by_meaning)
        async with self._database.reading() as session:
            seen = await search.shown(session, who, list(scores), conversation_id=conversation_id)
        order = sorted((one for one in scores if one in seen), key=lambda one: (-scores[one], one))
        hits = [
            _hit(*seen[one], scores[one], terms, words=one in by_words, meaning=one in by_meaning)
            for one in order[offset : offset + limit]
        ]
        following = str(offset + limit) if len(order) > offset + limit else None
        return SearchPage(items=tuple(hits), next=following, total=len(order), meaning=reason is None, reason=reason)

    async def _by_words(self, who: Principal, terms: Sequence[Term], conversation_id: str | None) -> list[str]:
        async with self._database.reading() as session:
            return await search.by_words(session, who, terms, conversation_id=conversation_id)

    async def _by_meaning(
        self, who: Principal, query: str, conversation_id: str | None
    ) -> tuple[list[str], str | None]:
        """Give what memory found, and why it did not look."""
        if not self._has_memory:
            return [], "Memory is switched off."
        async with self._database.scribbling() as session:
            lookup_id = lookups.add(session, who, query, conversation_id)
        try:
            async with asyncio.timeout(MEANING_SECONDS):
                answer = await self._workflows.look_up(lookup_id)
        except TimeoutError:
            return [], _LATE
        except AssentError as error:
            return [], error.detail
        finally:
            async with self._database.scribbling() as session:
                await lookups.drop(session, lookup_id)
        return [one.id for one in answer.found], answer.reason


def _fuse(*lists: Sequence[str]) -> dict[str, float]:
    scores: dict[str, float] = {}
    for found in lists:
        for rank, one in enumerate(found, 1):
            scores[one] = scores.get(one, 0.0) + 1 / (_RANK_CONSTANT + rank)
    return scores


def _hit(message: Message, title: str, score: float, terms: Sequence[Term], *, words: bool, meaning: bool) -> SearchHit:
    return SearchHit(
        message_id=message.id,
        conversation_id=message.conversation_id,
        conversation_title=title,
        turn_id=message.turn_id,
        position=message.position,
        role=message.role,
        author_id=message.author_id,
        created_at=message.created_at,
        score=round(score, 6),
        words=words,
        meaning=meaning,
        fragments=fragments(message.text, terms),
    )


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdecimal() or not cursor.isascii() or len(cursor) > 4:  # noqa: PLR2004
        message = "This is not a cursor that a list gave."
        raise Invalid(message)
    return int(cursor)
