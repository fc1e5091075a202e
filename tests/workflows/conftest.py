"""A stage with running workers, one for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from core.keys import KeyRing
from core.store.database import Database
from tests.workflows.stage import Stage, open_stage


@pytest.fixture
async def idle_stage(tmp_path: Path, sqlite_database: Database, client: Client, ring: KeyRing) -> AsyncIterator[Stage]:
    """Nobody works yet."""
    async with open_stage(tmp_path, sqlite_database, client, ring) as stage:
        yield stage


@pytest.fixture
async def stage(idle_stage: Stage) -> AsyncIterator[Stage]:
    async with idle_stage.working():
        yield idle_stage
