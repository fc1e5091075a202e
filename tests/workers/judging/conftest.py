"""A desk whose workspace has rules of its own."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.keys import KeyRing
from core.policy.document import PolicyDocument
from core.store import policies, workspaces
from core.store.audit import AuditTrail
from core.store.work import change
from core.values import OperationMode
from tests.workers.acting.desk import Desk
from tests.world import World

Save = Callable[..., Awaitable[int]]


@pytest.fixture
async def desk(world: World, ring: KeyRing) -> Desk:
    desk = Desk(world, ring)
    await desk.settle_in()
    return desk


@pytest.fixture
def save(desk: Desk) -> Save:
    """Save rules, each named by its place; gives the version."""

    async def save_rules(*rules: dict[str, Any], **more: Any) -> int:
        named = [{"name": f"rule {number}", **rule} for number, rule in enumerate(rules, 1)]
        document = PolicyDocument.model_validate({"rules": named, **more})
        async with change(desk.world.database, desk.world.rooms) as work:
            current = await policies.newest(work.session, desk.owner)
            saved = await policies.save(
                work,
                AuditTrail(desk.ring),
                desk.owner,
                document,
                expected=current.version if current else 0,
                source=None,
                note=None,
            )
        return saved.version

    return save_rules


@pytest.fixture
def switch(desk: Desk) -> Callable[[OperationMode], Awaitable[None]]:
    async def switch_to(mode: OperationMode) -> None:
        async with change(desk.world.database, desk.world.rooms) as work:
            await workspaces.change_mode(work, AuditTrail(desk.ring), desk.owner, mode)

    return switch_to
