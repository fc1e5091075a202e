"""What memory gives to a turn: one bounded look, once; every hit is confirmed by SQL before anybody is told."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.model_entries import DIRECT, OFFLINE
from core.store import recalls, recollections
from core.store.database import Database
from core.store.recollections import Key, Recollection, Whose
from core.views import CitationView, RecallView
from workers.memory.port import Embedder, Hit, HitKind, Index, MemoryUnavailable, Scope, Vector

HITS = 40
MOST_FACTS = 200
FACTS_SHARE = 0.4
"""Facts take at most this share of the room: all of them while they fit, else those that fit the question best."""
RECENCY, HALF_LIFE_DAYS = 0.2, 30.0
"""A hit's score is its rank fusion x (1 + RECENCY x 0.5^(age / HALF_LIFE_DAYS)): what is new gains a fifth at most."""
FAR = 0.3
"""A hit without a word in common, less alike than this cosine, is the nearest of nothing: it is left out.

With the bundled model answers lie from 0.4 on, and what has nothing to do with a question mostly below 0.3.
"""
_KINDS: tuple[HitKind, ...] = ("message", "fact", "document")
_ITEM_BYTES, _BYTES_PER_TOKEN = 90, 4
LONGEST_SHARE = 3
"""No item takes more than one part in so many of the room: a longer one is cut where it is told."""
_NOBODY = frozenset({None, OFFLINE, DIRECT})
"""Replies that no model thought of: they hold nothing that their sources do not."""
_ALL_FACTS = "one of the facts about you"
_log = structlog.get_logger()


@dataclass(frozen=True)
class Asked:
    """Whose turn asks memory what. `whose.alone` is found out here."""

    turn_id: str
    text: str
    whose: Whose


@dataclass(frozen=True)
class Found:
    """What memory gave: the items with their texts of now, best first.

    `view` is None when there is nothing to tell of, `is_new` whether the room has yet to hear it; `vector` is the
    message's, None when it was not asked for or did not come.
    """

    items: tuple[Recollection, ...] = ()
    view: RecallView | None = None
    is_new: bool = False
    vector: Vector | None = None


class Recaller:
    """Looks things up for turns."""

    def __init__(self, database: Database, embedder: Embedder, index: Index, *, seconds: float, tokens: int) -> None:
        """Take the parts; `seconds` bounds the look, `tokens` all texts that it gives."""
        self._database = database
        self._embedder = embedder
        self._index = index
        self._seconds = seconds
        self._size = tokens * _BYTES_PER_TOKEN

    async def recall(self, asked: Asked, seen: frozenset[str]) -> Found:
        """Look once; what the turn was given before is given again. It never raises.

        `seen`: the turns that the call tells anyway. Only the look is bounded in time: breaking SQL off would cost a
        connection, and it takes single milliseconds.
        """
        began = time.monotonic()
        async with self._database.reading() as session:
            before, whose = await _before(session, asked)
        if before is not None:
            return before
        asked = replace(asked, whose=whose)
        try:
            vector, hits = await self._look(asked)
            return await self._confirmed(asked, hits, seen, vector, began)
        except TimeoutError:
            sentence = f"Memory did not answer within {round(self._seconds * 1000)} ms, so this goes on without it."
        except MemoryUnavailable as error:
            sentence = error.detail
        except Exception:  # noqa: BLE001  whatever breaks in the index, the turn goes on
            _log.exception("recall failed", turn=asked.turn_id)
            sentence = "Memory could not be searched, so this goes on without it."
        view = RecallView(turn_id=asked.turn_id, state=recalls.SKIPPED, reason=sentence, took_ms=_since(began))
        return Found(view=view, is_new=True)

    async def again(self, asked: Asked) -> Found:
        """Give what the turn was given before, as far as it is still there: later rounds do not look again."""
        async with self._database.reading() as session:
            before, _ = await _before(session, asked)
        return before or Found()

    async def _look(self, asked: Asked) -> tuple[Vector, list[Hit]]:
        whose = asked.whose
        async with asyncio.timeout(self._seconds):
            vector = (await self._embedder.embed([asked.text]))[0]
            scope = Scope(whose.workspace_id, whose.user_id, whose.conversation_id, whose.alone)
            return vector, await self._index.search(scope, asked.text, vector, kinds=_KINDS, limit=HITS)

    async def _confirmed(
        self, asked: Asked, hits: Sequence[Hit], seen: frozenset[str], vector: Vector, began: float
    ) -> Found:
        near: dict[Key, Hit] = {
            (hit.kind, hit.id): hit for hit in sorted(hits, key=lambda one: one.score) if not _is_far(hit)
        }
        async with self._database.reading() as session:
            facts = await recollections.facts_of(session, asked.whose, MOST_FACTS)
            known = await recollections.present(session, asked.whose, [key for key in near if key[0] != "fact"])
        scores = {key: score_of(hit, now()) for key, hit in near.items()}
        others = [one for one in known.values() if _may_help(one, asked.turn_id, seen)]
        kept = self._kept(facts, others, scores, asked.text)
        if not kept:
            return Found(vector=vector)
        citations = tuple(_citation(one, scores.get(one.key, 0.0), near.get(one.key)) for one in kept)
        view = RecallView(turn_id=asked.turn_id, state=recalls.DONE, took_ms=_since(began), items=citations)
        return Found(tuple(kept), view, is_new=True, vector=vector)

    def _kept(
        self, facts: Sequence[Recollection], others: Sequence[Recollection], scores: dict[Key, float], text: str
    ) -> list[Recollection]:
        """Choose facts up to their share, then the best of the others while there is room; no text twice."""

        def best(one: Recollection) -> float:
            return -scores.get(one.key, 0.0)

        told = {_plain(text)}
        share = self._size * FACTS_SHARE
        if sum(map(self._bytes, facts)) > share:
            facts = [one for one in facts if one.key in scores]
        chosen = list(self._fitting(sorted(facts, key=best), share, told))
        left = self._size - sum(map(self._bytes, chosen))
        return [*chosen, *self._fitting(sorted(others, key=best), left, told)]

    def _fitting(self, ranked: Sequence[Recollection], size: float, told: set[str]) -> Iterator[Recollection]:
        for one in ranked:
            text, needed = _plain(one.text), self._bytes(one)
            if text in told or needed > size:
                continue
            told.add(text)
            size -= needed
            yield one

    def _bytes(self, one: Recollection) -> int:
        text = min(len(one.text.encode()), self._size // LONGEST_SHARE)
        return _ITEM_BYTES + text + len((one.name or "").encode())


def score_of(hit: Hit, at: datetime) -> float:
    """Give a hit's score: its rank fusion, a little more for what is new."""
    days = max(0.0, (at - hit.created_at).total_seconds() / 86_400)
    return float(hit.score * (1 + RECENCY * 0.5 ** (days / HALF_LIFE_DAYS)))


async def _before(session: AsyncSession, asked: Asked) -> tuple[Found | None, Whose]:
    """Give what the turn was given before, None when nothing; and whether others listen by now."""
    alone = await recollections.is_alone(session, asked.whose.conversation_id)
    whose = replace(asked.whose, alone=alone)
    view = await recalls.of_turn(session, asked.turn_id)
    if view is None:
        return None, whose
    keys = [(item.kind, item.id) for item in view.items]
    known = await recollections.present(session, whose, keys) if keys else {}
    return Found(tuple(known[key] for key in keys if key in known), view), whose


def _is_far(hit: Hit) -> bool:
    return hit.text_rank is None and hit.similarity is not None and hit.similarity < FAR


def _may_help(one: Recollection, turn_id: str, seen: frozenset[str]) -> bool:
    """What the call tells anyway is no help, nor what the offline assistant said: it knows nothing of its own."""
    if one.turn_id == turn_id or one.turn_id in seen:
        return False
    return not (one.role == "assistant" and one.model in _NOBODY)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _citation(one: Recollection, score: float, hit: Hit | None) -> CitationView:
    return CitationView(
        kind=one.kind,
        id=one.id,
        score=round(score, 6),
        reason=_reason(hit),
        conversation_id=one.conversation_id,
        page=one.page,
        name=one.name,
    )


def _reason(hit: Hit | None) -> str:
    if hit is None:
        return _ALL_FACTS
    if hit.vector_rank is not None and hit.text_rank is not None:
        return "alike in meaning and in words"
    return "alike in meaning" if hit.vector_rank is not None else "alike in words"


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
