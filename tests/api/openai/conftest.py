"""A house with Ana and Bo of one workspace and Eve of another, and Ana's program with OpenAI's client."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from core.keys import KeyRing
from core.permissions import Role
from core.settings import ModelEntry, Settings
from core.store.database import open_database
from tests.api.openai.hand import Hand, client_of, secret_of
from tests.api.rest.house import House, Person, open_house


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, ring: KeyRing) -> AsyncIterator[House]:
    """One house for all tests of a file, each of which brings its own people."""
    folder = tmp_path_factory.mktemp("house")
    model = ModelEntry(name="strong-one", base_url="http://127.0.0.1:9/v1")
    settings = Settings(data_dir=folder, models=(model,), public_url="https://assent.test")
    shutil.copyfile(sqlite_template, folder / "assent.db")
    async with open_database(settings.database_url) as database, open_house(settings, database, ring) as opened:
        yield opened


@pytest.fixture
async def ana(house: House) -> Person:
    return await house.person(await house.workspace(), Role.OWNER)


@pytest.fixture
async def bo(house: House, ana: Person) -> Person:
    return await house.person(ana.principal.workspace_id)


@pytest.fixture
async def eve(house: House) -> Person:
    return await house.person(await house.workspace(), Role.OWNER)


@pytest.fixture
def hand(house: House, ana: Person) -> Hand:
    return Hand(house, ana.principal.workspace_id)


@pytest.fixture
async def openai(house: House, ana: Person) -> AsyncIterator[AsyncOpenAI]:
    async with client_of(house, await secret_of(house, ana)) as client:
        yield client
