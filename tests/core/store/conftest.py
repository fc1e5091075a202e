"""A world on both databases."""

import pytest

from core.store.database import Database
from tests.world import World


@pytest.fixture
def world(database: Database) -> World:
    return World(database)
