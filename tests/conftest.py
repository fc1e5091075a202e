"""What tests of several packages share: databases of both kinds, a Temporal server, keys and settings."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

from cli.serve.temporal_server import TemporalServer
from core import garbage
from core.keys import KeyRing
from core.migrations.runner import upgrade
from core.rooms import LocalRooms
from core.settings import Settings
from core.store.audit import AuditTrail
from core.store.database import Database, open_database
from core.temporal import connect
from tests.databases import quick_databases
from tests.embedding import find_embed_python
from tests.servers import in_thread, make_database, postgresql

TEMPLATE = "template_assent"
_NUMBERS = itertools.count(1)


def pytest_sessionstart() -> None:
    """Import everything without looking for garbage in it."""
    garbage.rest()


def pytest_collection_finish() -> None:
    """Look for it in what tests leave, and in that alone."""
    garbage.resume()


@pytest.fixture(scope="session", autouse=True)
def databases() -> Iterator[None]:
    """Databases of this process are quick."""
    with quick_databases():
        yield


@pytest.fixture(scope="session")
def ring() -> KeyRing:
    return KeyRing({"test": b"0123456789abcdef0123456789abcdef"})


@pytest.fixture
def audit(ring: KeyRing) -> AuditTrail:
    return AuditTrail(ring)


@pytest.fixture
def rooms() -> LocalRooms:
    return LocalRooms()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database to copy."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    in_thread(lambda: upgrade(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A running PostgreSQL with the migrated database `template_assent`."""
    with postgresql() as url:
        in_thread(lambda: upgrade(asyncio.run(make_database(url, TEMPLATE))))
        yield url


@pytest.fixture
async def sqlite_database(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh SQLite database."""
    file = tmp_path / "assent.db"
    shutil.copyfile(sqlite_template, file)
    async with open_database(f"sqlite+aiosqlite:///{file}") as opened:
        yield opened


@pytest.fixture
async def postgresql_database(postgresql_server: str) -> AsyncIterator[Database]:
    """A fresh PostgreSQL database."""
    async with open_database(await make_database(postgresql_server, f"t{next(_NUMBERS)}", TEMPLATE)) as opened:
        yield opened


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def database(request: pytest.FixtureRequest) -> Database:
    """A fresh database of each kind: a test that takes it runs on both."""
    opened: Database = request.getfixturevalue(f"{request.param}_database")
    return opened


@pytest.fixture(scope="session")
async def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TemporalServer]:
    """A Temporal server, as `assent up` starts it; mark tests that take it with `server`."""
    folder = tmp_path_factory.mktemp("temporal")
    async with TemporalServer(folder, namespace="default", retention_hours=72, ui_port=None) as running:
        yield running


@pytest.fixture
async def client(temporal_server: TemporalServer, ring: KeyRing) -> Client:
    """A client of the Temporal server."""
    return await connect(temporal_server.address, "default", ring)


@pytest.fixture(scope="session")
def embed_python() -> Path:
    """The Python of the embedder's environment; mark tests that take it with `server`."""
    return find_embed_python()
