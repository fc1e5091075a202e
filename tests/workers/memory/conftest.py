"""Memory in a folder of its own."""

from pathlib import Path

import pytest

from core.store.database import Database
from tests.workers.memory.stage import Stage


@pytest.fixture
def stage(sqlite_database: Database, tmp_path: Path) -> Stage:
    return Stage(sqlite_database, tmp_path / "memory")
