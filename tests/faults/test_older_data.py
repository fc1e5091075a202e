"""Data of the first version: brought up with every row kept, read and searched there, and brought down again."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    NullPool,
    Table,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import create_async_engine

from core.ids import new_id
from core.migrations.runner import downgrade, upgrade
from core.permissions import Principal, Role
from core.query import terms_of
from core.store import branches, messages, search, turns, usage
from core.store.database import Database, open_database
from tests.servers import make_database

FIRST = "0001"
AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
USER, WORKSPACE, TALK, ASKED, ANSWER, TURN = (
    new_id("usr"), new_id("wsp"), new_id("cnv"), new_id("msg"), new_id("msg"), new_id("trn"),
)  # fmt: skip
MEMBERSHIP = new_id("mbr")
_OF_IT = {"conversation_id": TALK, "workspace_id": WORKSPACE, "user_id": USER, "owner_id": USER, "turn_id": TURN}
_MESSAGE = {"channel": "rest", "message_type": "text", "turn_id": TURN}
# Tables that no earlier version ever wrote to; newer ones may empty them.
UNUSED = frozenset({"deliveries", "identities", "bindings", "connections", "policies"})
# Columns that a newer version says otherwise: who may decide is a plan now.
GONE = frozenset({"approvers"})
# What is more than a filled column, by table; each entry is a row.
ROWS: dict[str, list[dict[str, Any]]] = {
    "users": [{"id": USER, "disabled_at": None}],
    "workspaces": [{"id": WORKSPACE}],
    "memberships": [{"id": MEMBERSHIP, "role": "owner", "disabled_at": None}],
    "participants": [{"user_id": USER}],
    "conversations": [
        {"id": TALK, "mode": "full", "origin_channel": "rest", "when_busy": "queue", "last_seq": 3}
        | {"active_turn_id": None, "deleted_at": None}
    ],
    "messages": [
        _MESSAGE | {"id": ASKED, "position": 1, "role": "user", "author_id": USER, "text": "Where is Crème brûlée?"},
        _MESSAGE
        | {"id": ANSWER, "position": 3, "role": "assistant", "author_id": None, "text": "In the fridge."}
        | {"client_message_id": None, "model": "teller", "usage": {"input_tokens": 5, "output_tokens": 6}},
    ],
    "turns": [
        {"id": TURN, "message_id": ASKED, "state": "finished", "place": 1, "door": "rest", "retry_of": None}
        | {"stop_requested_at": None, "stopped_by": None, "error_code": None, "error_detail": None}
    ],
    "approvals": [{"id": "approvals-id", "approvers": {"requester": True, "roles": ["owner"]}}],
    "rounds": [{"number": 0, "input_tokens": 5, "output_tokens": 6}],
    "usage": [
        {"round": 0, "input_tokens": 5, "output_tokens": 6},
        {"id": new_id("use"), "round": 1, "input_tokens": None, "output_tokens": None},
    ],
    "events": [{"stream_id": TALK, "seq": 1}, {"stream_id": TALK, "seq": 2}],
}


def filled(table: Table, given: Mapping[str, Any], *, is_sqlite: bool) -> dict[str, Any]:
    """Make a row with every column filled."""
    row = {}
    for column in table.columns:
        if column.name in given:
            row[column.name] = given[column.name]
        elif column.name in _OF_IT:
            row[column.name] = _OF_IT[column.name]
        elif column.foreign_keys:
            there = next(iter(column.foreign_keys)).column.table.name
            row[column.name] = ROWS[there][0]["id"] if there in ROWS else f"{there}-id"
        else:
            row[column.name] = _value(table, column, is_sqlite=is_sqlite)
    return row


def _value(table: Table, column: Any, *, is_sqlite: bool) -> Any:
    kinds: tuple[tuple[type, Any], ...] = (
        (DateTime, AT.replace(tzinfo=None) if is_sqlite else AT),
        (Boolean, True),
        (Integer, 1),
        (LargeBinary, b"\x00\xff"),
        (JSON, {"table": table.name, "words": ["ä", 1, None]}),
    )
    return next((value for kind, value in kinds if isinstance(column.type, kind)), f"{table.name}-{column.name}")


def reflected(connection: Connection) -> MetaData:
    metadata = MetaData()
    metadata.reflect(connection)
    return metadata


def fill(connection: Connection) -> None:
    """Put rows into every table of the first version."""
    is_sqlite = connection.dialect.name == "sqlite"
    for table in reflected(connection).sorted_tables:
        if table.name == "alembic_version" or table.name in UNUSED:
            continue
        for given in ROWS.get(table.name, [{}]):
            ready = given if "id" in given or "id" not in table.columns else {"id": f"{table.name}-id", **given}
            connection.execute(insert(table).values(filled(table, ready, is_sqlite=is_sqlite)))


def everything(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Read all rows of all tables."""
    found = {}
    for table in reflected(connection).sorted_tables:
        rows = [dict(row) for row in connection.execute(select(table)).mappings()]
        found[table.name] = sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True))
    return found


async def run(url: str, step: Any) -> Any:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        found = await connection.run_sync(step)
    await engine.dispose()
    return found


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of the first version, with rows in every table."""
    if request.param == "sqlite":
        found = f"sqlite+aiosqlite:///{tmp_path / 'assent.db'}"
    else:
        server: str = request.getfixturevalue("postgresql_server")
        found = await make_database(server, f"older_{tmp_path.name.replace('-', '_').lower()}")
    await asyncio.to_thread(upgrade, found, FIRST)
    await run(found, fill)
    return found


@pytest.fixture
async def upgraded(url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(upgrade, url)
    async with open_database(url) as database:
        yield database


WHO = Principal(
    user_id=USER,
    workspace_id=WORKSPACE,
    membership_id=MEMBERSHIP,
    session_id=new_id("ses"),
    role=Role.OWNER,
    name="Ana",
)


class TestOlderData:
    async def test_every_row_is_kept_up_and_down_and_up(self, url):
        before = await run(url, everything)
        assert all(rows for name, rows in before.items() if name not in UNUSED), before

        await asyncio.to_thread(upgrade, url)
        up = await run(url, everything)
        await asyncio.to_thread(downgrade, url, FIRST)
        down = await run(url, everything)
        await asyncio.to_thread(upgrade, url)
        again = await run(url, everything)

        for name, rows in before.items():
            if name != "alembic_version":
                kept = [{column: value for column, value in row.items() if column not in GONE} for row in rows]
                assert _only(up[name], kept) == kept, name
        assert down == before
        assert again == up

    async def test_the_conversation_is_read_and_found(self, upgraded):
        async with upgraded.reading() as session:
            read, _, total = await messages.page(session, WHO, TALK, before=None, limit=10)
            versions = await branches.versions(session, WHO, ASKED)
            found = await search.by_words(session, WHO, terms_of("Crème brûlée"), conversation_id=None)
            turn = await turns.visible(session, WHO, TURN)
            spent = await usage.of_turn(session, TURN)

        assert [one.text for one in read] == ["Where is Crème brûlée?", "In the fridge."]
        assert (total, found, turn.mode, turn.branch_id) == (2, [ASKED], "full", None)
        assert [(one.branch_id, one.active) for one in versions] == [(None, True)]
        assert (spent["input_tokens"], spent["calls"], spent["cost_micros"]) == (5, 2, None)

    async def test_what_is_said_after_going_down_and_up_again_is_found(self, url):
        """Triggers and index are there again, and know what was written without them."""
        await asyncio.to_thread(upgrade, url)
        await asyncio.to_thread(downgrade, url, FIRST)
        await run(url, _say_more)
        await asyncio.to_thread(upgrade, url)
        async with open_database(url) as database, database.reading() as session:
            found = await search.by_words(session, WHO, terms_of("lighthouse"), conversation_id=TALK)

        assert len(found) == 1


def _only(rows: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give rows with the columns that there were, in the order of what there was."""
    cut = [{name: row[name] for name in wanted[0]} for row in rows]
    return sorted(cut, key=lambda row: json.dumps(row, default=str, sort_keys=True))


def _say_more(connection: Connection) -> None:
    table = reflected(connection).tables["messages"]
    given = _MESSAGE | {"id": new_id("msg"), "position": 4, "role": "user", "author_id": USER}
    row = filled(table, given | {"text": "The lighthouse."}, is_sqlite=connection.dialect.name == "sqlite")
    connection.execute(insert(table).values(row | {"client_message_id": "later"}))
