"""One started gateway for the tests of a file; those that need other settings start their own."""

from collections.abc import AsyncIterator

import pytest

from core.permissions import Principal
from tests.api.gateway.stage import Stage, open_stage


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("stage"), sockets_per_user=40) as opened:
        yield opened


@pytest.fixture
async def ana(stage: Stage) -> Principal:
    return await stage.person(await stage.workspace())


@pytest.fixture
async def bo(stage: Stage, ana: Principal) -> Principal:
    """In the same workspace."""
    return await stage.person(ana.workspace_id)


@pytest.fixture
async def eve(stage: Stage) -> Principal:
    """In another workspace."""
    return await stage.person(await stage.workspace())
