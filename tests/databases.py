"""Quick databases for tests: statements compiled once in a process, commits that do not wait for the disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy.engine import Compiled
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import LRUCache

from core.store import database


@contextmanager
def quick_databases() -> Iterator[None]:
    """Let each SQLite engine that opens use the first one's dialect and its compiled statements.

    The dialect's identity is part of a statement's key. Nobody cuts the power of a test, so nothing is lost by
    `synchronous=OFF`; the tests that kill a product do so in processes of their own.
    """
    make = database._sqlite_engine
    dialects: list[Dialect] = []
    compiled: LRUCache[Any, Compiled] = LRUCache(5000)

    def share(url: str, *, size: int, synchronous: str, begin: str) -> AsyncEngine:
        del synchronous
        engine = make(url, size=size, synchronous="OFF", begin=begin)
        dialects.append(engine.sync_engine.dialect)
        engine.sync_engine.dialect = dialects[0]
        engine.sync_engine._compiled_cache = compiled
        return engine

    with patch.object(database, "_sqlite_engine", share):
        yield
