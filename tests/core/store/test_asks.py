"""Outside requests in SQL, on both databases: many at once under one key are one, and one of many takes it."""

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from api.asks import Asks, NewAsk
from connectors.registry import Registry
from core.clock import now
from core.errors import Conflict
from core.messages import ApprovalOutcome
from core.permissions import Role
from core.settings import Settings
from core.store import consents
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.work import change
from core.tables.consent import Approval
from core.tables.records import AuditRow
from core.tables.work import Outbox
from core.values import ApprovalState
from tests.doubles.connector import LedgerConnector
from tests.world import World
from workflows.handles import Workflows


@pytest.fixture
async def asks(database: Database, audit: AuditTrail, tmp_path: Path) -> Asks:
    client = await Client.connect("127.0.0.1:1", lazy=True)
    registry, settings = Registry.load([LedgerConnector()]), Settings(data_dir=tmp_path)
    return Asks(database, World(database).rooms, Workflows(client), audit, registry, settings)


class TestAtOnce:
    async def test_one_key_is_one_request_and_one_taking(self, database: Database, asks: Asks):
        world = World(database)
        who = await world.person(role=Role.OWNER)
        new = NewAsk(title="Deploy?", action="deploy.app", client_key="k")
        added = await asyncio.gather(*(asks.ask(who, new) for _ in range(10)))
        (approval_id,) = {view.id for view, _ in added}
        async with change(database, asks.rooms) as work:
            row = await work.session.get_one(Approval, approval_id)
            row.digest = "d"
            outcome = ApprovalOutcome(
                approval_id=row.id, state=ApprovalState.APPROVED, digest="d", user_id=row.requester_id, at=now()
            )
            await consents.close(work, outcome)
        taken = await asyncio.gather(*(asks.consume(who, approval_id, "d") for _ in range(10)), return_exceptions=True)

        assert [new for _, new in added].count(True) == 1
        assert len(await world.all(Outbox, Outbox.kind == "ask")) == 1
        assert sum(isinstance(one, Conflict) for one in taken) == 9
        kinds = [row.kind for row in await world.all(AuditRow)]
        assert (kinds.count("approval.asked"), kinds.count("approval.consumed")) == (1, 1)
        assert (await world.get(Approval, approval_id)).consumed_at is not None
