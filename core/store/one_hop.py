"""aiosqlite with one trip to its thread for each statement: cursor, execution, fetch and close go together.

SQLAlchemy's adapter makes each of these a trip of its own, and a trip costs more than most statements here. A `BEGIN`
waits for the first statement and travels with it. Measured: see docs/decisions/0004.
"""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from typing import Any, Self

import aiosqlite

BUSY_SECONDS = 5.0
_CHUNK = 64
_PAUSE = 0.003


class OneHopCursor:
    """A cursor that has all of a statement's rows when `execute` returns."""

    def __init__(self, connection: "OneHopConnection") -> None:
        """Begin without a statement."""
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        """Need nothing yet."""
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Self:
        """Run a statement and fetch its rows."""
        if statement.startswith("BEGIN"):
            self._connection.begin = statement
            return self
        return self._keep(await self._connection.run(statement, parameters, many=False))

    async def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> Self:
        """Run a statement for each set of parameters."""
        return self._keep(await self._connection.run(statement, parameters, many=True))

    def _keep(self, done: tuple[Any, int, int | None, list[Any]]) -> Self:
        self.description, self.rowcount, self.lastrowid, self._rows = done
        return self

    async def fetchall(self) -> list[Any]:
        """Give the rows."""
        return self._rows

    async def close(self) -> None:
        """Do nothing: the cursor beneath is closed."""


class OneHopConnection(aiosqlite.Connection):
    """A connection whose cursors need one trip, or none but for the commit when it is `inline`.

    An inline connection runs statements on the loop itself: for the one writer, whose lock everybody waits for and
    whose statements take microseconds. It must not have a `busy_timeout`: it waits for other processes without one.
    """

    begin: str | None = None
    inline = False

    def cursor(self) -> OneHopCursor:  # type: ignore[override]
        """Make a cursor; costs nothing."""
        return OneHopCursor(self)

    async def run(
        self, statement: str, parameters: Sequence[Any], *, many: bool
    ) -> tuple[Any, int, int | None, list[Any]]:
        """Run a statement in the thread, after a `BEGIN` that waits; gives description, row count, row id and rows."""
        begin, self.begin = self.begin, None
        if self.inline:
            if begin is not None:
                await self._begin(begin)
            return self._run(None, statement, parameters, many)
        done: tuple[Any, int, int | None, list[Any]] = await self._execute(  # type: ignore[no-untyped-call]
            self._run, begin, statement, parameters, many
        )
        return done

    async def _begin(self, begin: str) -> None:
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._conn.execute(begin).close()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            else:
                return
            await asyncio.sleep(_PAUSE)

    def _run(
        self, begin: str | None, statement: str, parameters: Sequence[Any], many: bool
    ) -> tuple[Any, int, int | None, list[Any]]:
        cursor = self._conn.cursor()
        try:
            if begin is not None:
                cursor.execute(begin)
            if many:
                cursor.executemany(statement, parameters)
            else:
                cursor.execute(statement, parameters)
            rows = cursor.fetchall() if cursor.description else []
            return cursor.description, cursor.rowcount, cursor.lastrowid, rows
        finally:
            cursor.close()

    async def commit(self) -> None:
        """Commit, if anything was begun."""
        self.begin = None
        if self._conn.in_transaction:
            await super().commit()

    async def rollback(self) -> None:
        """Roll back, if anything was begun."""
        self.begin = None
        if self._conn.in_transaction and self.inline:
            self._conn.rollback()
        elif self._conn.in_transaction:
            await super().rollback()


async def connect(path: str, *, inline: bool) -> OneHopConnection:
    """Open a connection in autocommit mode to this file."""
    connection = OneHopConnection(lambda: sqlite3.connect(path, isolation_level=None, check_same_thread=False), _CHUNK)
    connection._thread.daemon = True  # as SQLAlchemy does: a thread must not outlive the process
    await connection
    connection.inline = inline
    return connection
