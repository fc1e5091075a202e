"""Brings a database's schema up to a revision, or down to one; whole or not at all, one process at a time."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, event, pool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from core.errors import Misconfigured, Unavailable

_FOLDER = Path(__file__).parent
_LOCK = 7_214_501  # names our lock among PostgreSQL's advisory locks


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the schema up. Call it outside of any event loop, or in a thread.

    Raises Misconfigured when the database was made by a newer version, Unavailable when it cannot be reached.
    """
    _run(url, lambda config: command.upgrade(config, revision))


def downgrade(url: str, revision: str) -> None:
    """Bring the schema down; `base` is empty. Raises as `upgrade` does."""
    _run(url, lambda config: command.downgrade(config, revision))


def _run(url: str, step: Callable[[Config], None]) -> None:
    try:
        asyncio.run(_migrate(url, step))
    except CommandError as error:
        message = f"The database's schema is not one of this version: {error}"
        raise Misconfigured(message) from error
    except (DBAPIError, OSError) as error:
        message = f"The database cannot be migrated: {error}"
        raise Unavailable(message) from error


async def _migrate(url: str, step: Callable[[Config], None]) -> None:
    engine = create_async_engine(url, poolclass=pool.NullPool)
    if engine.dialect.name == "sqlite":
        _write_at_once(engine)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_locked, step)
    finally:
        await engine.dispose()


def _locked(connection: Connection, step: Callable[[Config], None]) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"select pg_advisory_xact_lock({_LOCK})")
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    step(config)


def _write_at_once(engine: AsyncEngine) -> None:
    """Begin each transaction as a writing one, so that SQLite's DDL is in it and processes take turns."""

    @event.listens_for(engine.sync_engine, "connect")
    def leave_begin_to_us(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout=30000")

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
