"""A desk: the gate, a connector behind it, people before it."""

import pytest

from core.keys import KeyRing
from tests.workers.acting.desk import Desk
from tests.world import World


@pytest.fixture
async def desk(world: World, ring: KeyRing) -> Desk:
    desk = Desk(world, ring)
    await desk.settle_in()
    return desk
