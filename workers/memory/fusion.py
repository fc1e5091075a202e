"""Joins two rankings into one by reciprocal rank: no score has to be comparable with another."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from workers.memory.port import Hit, HitKind
from workers.memory.shelf import Found

CONSTANT = 60
"""Of Cormack, Clarke and Buettcher, 2009: damps how much the first places count."""


def fuse(near: Iterable[tuple[HitKind, Found]], saying: Iterable[Sequence[tuple[HitKind, Found]]]) -> list[Hit]:
    """Give all rows, best first, each id once.

    `near` are rows of all kinds, ranked together by their cosine; `saying` are lists of rows, one for each kind, since
    scores of words from two tables cannot be compared.
    """
    hits: dict[tuple[str, str], Hit] = {}
    seen: set[tuple[str, str]] = set()
    for kind, found in sorted(near, key=lambda one: -one[1].score):
        if (kind, found.id) not in hits:
            rank = len(hits) + 1
            hits[kind, found.id] = Hit(
                kind, found.id, _share(rank), rank, None, found.conversation_id, found.created_at, found.score
            )
    for ranking in saying:
        rank = 0
        for kind, found in ranking:
            if (kind, found.id) in seen:
                continue
            seen.add((kind, found.id))
            rank += 1
            before = hits.get((kind, found.id)) or Hit(
                kind, found.id, 0.0, None, None, found.conversation_id, found.created_at
            )
            hits[kind, found.id] = replace(before, score=before.score + _share(rank), text_rank=rank)
    return sorted(hits.values(), key=lambda hit: (-hit.score, hit.id))


def _share(rank: int) -> float:
    return 1 / (CONSTANT + rank)
