"""The schema that migrations make is the schema of the models, up and down, on both databases."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, NullPool, inspect
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import core.tables  # noqa: F401  # the models are in the metadata because they are imported
from core.errors import Misconfigured
from core.migrations.drawn import TABLES as DRAWN
from core.migrations.drawn import is_modelled
from core.migrations.runner import downgrade, upgrade
from tests.servers import make_database

TABLES = set(SQLModel.metadata.tables)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'assent.db'}"


@pytest.fixture
async def postgresql_url(postgresql_server: str, tmp_path: Path) -> str:
    return await make_database(postgresql_server, tmp_path.name.replace("-", "_").lower())


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


async def look(url: str, at: Any) -> Any:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        found = await connection.run_sync(at)
    await engine.dispose()
    return found


def table_names(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"} - DRAWN


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_modelled})
    return list(compare_metadata(context, SQLModel.metadata))


class TestSchema:
    async def test_migrated_is_what_the_models_say(self, url):
        await asyncio.to_thread(upgrade, url)

        assert await look(url, differences) == []

    async def test_up_down_and_up_again(self, url):
        await asyncio.to_thread(upgrade, url)
        assert await look(url, table_names) == TABLES

        await asyncio.to_thread(downgrade, url, "base")
        assert await look(url, table_names) == set()

        await asyncio.to_thread(upgrade, url)
        assert await look(url, table_names) == TABLES

    async def test_many_processes_may_migrate_at_once(self, url):
        await asyncio.gather(*(asyncio.to_thread(upgrade, url) for _ in range(4)))

        assert await look(url, table_names) == TABLES

    async def test_a_schema_of_a_newer_version_is_left_alone(self, sqlite_url):
        await asyncio.to_thread(upgrade, sqlite_url)
        with sqlite3.connect(sqlite_url.partition(":///")[2]) as connection:
            connection.execute("update alembic_version set version_num = '9999'")
        connection.close()

        with pytest.raises(Misconfigured, match="9999"):
            await asyncio.to_thread(upgrade, sqlite_url)


class TestMessageWords:
    async def test_what_was_said_before_is_found_after(self, sqlite_url):
        await asyncio.to_thread(upgrade, sqlite_url, "0002")
        with sqlite3.connect(sqlite_url.partition(":///")[2]) as connection:
            names = (
                "id, conversation_id, workspace_id, turn_id, position, role, text, message_type, channel, created_at"
            )
            row = ("msg_1", "cnv_1", "wsp_1", "trn_1", 1, "user", "Crème brûlée", "text", "rest", "2026-01-01 00:00:00")
            connection.execute(f"insert into messages ({names}) values ({', '.join('?' * 10)})", row)  # noqa: S608
        connection.close()
        await asyncio.to_thread(upgrade, sqlite_url)

        def found(connection: Connection) -> list[str]:
            words = "select message_id from message_words join message_numbers on number = message_words.rowid"
            return list(connection.exec_driver_sql(f"{words} where message_words match 'creme'").scalars())

        assert await look(sqlite_url, found) == ["msg_1"]
