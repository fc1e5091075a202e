"""A world on SQLite for the workers' tests."""

import pytest

from core.store.database import Database
from tests.world import World


@pytest.fixture
def world(sqlite_database: Database) -> World:
    return World(sqlite_database)
