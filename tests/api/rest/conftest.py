"""A house with three people: Ana, who owns the workspace; Bo, a member of it; Eve, who owns another one."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from core.keys import KeyRing
from core.permissions import Role
from core.settings import Settings
from core.store.database import Database, open_database
from tests.api.rest.house import House, Person, open_house


@pytest.fixture
async def house(settings: Settings, sqlite_database: Database, ring: KeyRing) -> AsyncIterator[House]:
    async with open_house(settings, sqlite_database, ring) as opened:
        yield opened


@pytest.fixture(scope="module")
async def shared(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, ring: KeyRing
) -> AsyncIterator[House]:
    """One house for all tests of a file that only look, or bring their own people."""
    folder = tmp_path_factory.mktemp("house")
    settings = Settings(data_dir=folder, messages_per_minute=1000, conversations_per_minute=1000, asks_per_minute=1000)
    shutil.copyfile(sqlite_template, folder / "assent.db")
    async with open_database(settings.database_url) as database, open_house(settings, database, ring) as opened:
        yield opened


@pytest.fixture
async def workspace_id(house: House) -> str:
    return await house.workspace()


@pytest.fixture
async def ana(house: House, workspace_id: str) -> Person:
    return await house.person(workspace_id, Role.OWNER)


@pytest.fixture
async def bo(house: House, workspace_id: str) -> Person:
    return await house.person(workspace_id)


@pytest.fixture
async def eve(house: House) -> Person:
    return await house.person(await house.workspace(), Role.OWNER)


@pytest.fixture
async def nobody(house: House) -> httpx.AsyncClient:
    return await house.http()


@pytest.fixture
async def conversation_id(ana: Person) -> str:
    made = await ana.ask("POST", "/conversations", json={})
    return str(made.json()["id"])


@pytest.fixture
async def turn_id(ana: Person, conversation_id: str) -> str:
    """A turn of Ana's; Temporal is away, so it stays as it began."""
    body = {"text": "Delete the task Buy milk", "client_message_id": "first"}
    said = await ana.ask("POST", f"/conversations/{conversation_id}/messages", json=body)
    return str(said.json()["turn_id"])
