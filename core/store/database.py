"""The database: one way to read, one way to write, the same for SQLite and PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from core.store.one_hop import connect

_BUSY_MS = 5000
_READERS = 8
_WIPE_SECONDS = 0.2


class Database:
    """Holds the engines of one database. `writing()` is one transaction: it commits at its end or not at all.

    SQLite: writers take turns in this process (a lock) and between processes (`BEGIN IMMEDIATE`), commits are
    durable through a power cut (`synchronous=FULL`), but for `scribbling()`, whose rows may be lost with the power.
    """

    def __init__(self, reader: AsyncEngine, writer: AsyncEngine, scribbler: AsyncEngine) -> None:
        """Keep the three engines; on PostgreSQL they are one."""
        self._reader = reader
        self._writer = writer
        self._scribbler = scribbler
        self._turnstile = asyncio.Lock() if writer.dialect.name == "sqlite" else None
        self._lane: asyncio.Semaphore | None = None

    def behind(self, width: int) -> "Database":
        """Give the same database for work that must not crowd out who uses this one: at most `width` uses at once.

        A block of it must not hold another block of it.
        """
        other = Database(self._reader, self._writer, self._scribbler)
        other._turnstile = self._turnstile
        other._lane = asyncio.Semaphore(width)
        return other

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writer.dialect.name

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """Open one writing transaction, committed when the block ends without an error."""
        async with (
            _turn(self._lane),
            _turn(self._turnstile),
            AsyncSession(self._writer, expire_on_commit=False) as session,
        ):
            async with session.begin():
                yield session

    @asynccontextmanager
    async def scribbling(self) -> AsyncIterator[AsyncSession]:
        """Open a writing transaction for rows that a power cut may take: partial text."""
        async with (
            _turn(self._lane),
            _turn(self._turnstile),
            AsyncSession(self._scribbler, expire_on_commit=False) as session,
        ):
            async with session.begin():
                yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a session that sees one consistent state and writes nothing."""
        async with _turn(self._lane), AsyncSession(self._reader, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def _turn_to_write(self) -> AsyncIterator[None]:
        async with _turn(self._lane), _turn(self._turnstile):
            yield

    async def wipe_log(self) -> bool:
        """Empty SQLite's write-ahead log, where deleted text outlives its row; False when somebody reads it just now.

        On PostgreSQL nothing is done: its own vacuum reuses the space.
        """
        if self._turnstile is None:
            return True
        path = self._writer.url.database or ""
        async with self._turn_to_write():
            return await asyncio.to_thread(_truncate_log, path)

    async def ping(self) -> None:
        """Ask the database for an answer; raises what the driver raises."""
        async with self.reading() as session:
            await session.execute(text("select 1"))

    async def aclose(self) -> None:
        """Close every connection."""
        for engine in {id(one): one for one in (self._reader, self._writer, self._scribbler)}.values():
            await engine.dispose()


@asynccontextmanager
async def _turn(lock: asyncio.Lock | asyncio.Semaphore | None) -> AsyncIterator[None]:
    if lock is None:
        yield
        return
    async with lock:
        yield


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """Open `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://...`; closes every connection at the end."""
    database = _sqlite(url) if make_url(url).get_backend_name() == "sqlite" else _postgresql(url)
    try:
        yield database
    finally:
        await database.aclose()


def _truncate_log(path: str) -> bool:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=_WIPE_SECONDS)) as connection:
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy


def _postgresql(url: str) -> Database:
    engine = create_async_engine(url, pool_size=10, max_overflow=20, pool_pre_ping=True, hide_parameters=True)
    return Database(engine, engine, engine)


def _sqlite(url: str) -> Database:
    return Database(
        reader=_sqlite_engine(url, size=_READERS, synchronous="FULL", begin="BEGIN"),
        writer=_sqlite_engine(url, size=1, synchronous="FULL", begin="BEGIN IMMEDIATE"),
        scribbler=_sqlite_engine(url, size=1, synchronous="NORMAL", begin="BEGIN IMMEDIATE"),
    )


def _sqlite_engine(url: str, *, size: int, synchronous: str, begin: str) -> AsyncEngine:
    path, inline = make_url(url).database or "", begin != "BEGIN"
    engine = create_async_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=30,
        async_creator=lambda: connect(path, inline=inline),
        hide_parameters=True,  # an error goes to the log: not with what people wrote
    )
    pragmas = (
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        f"busy_timeout={0 if inline else _BUSY_MS}",
        "foreign_keys=ON",
        "cache_size=-16384",
        "temp_store=MEMORY",
        "secure_delete=ON",  # what is deleted is overwritten: measured, it costs nothing beside the commit
    )

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin_transaction(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
