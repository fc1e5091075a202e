"""People with chats, requests for their consent, and a carrier that does as it is told."""

from datetime import timedelta
from typing import Any

import pytest

from core.clock import now
from core.consent import Assurance, ConsentPlan, Need, Party, Stage
from core.ids import new_id
from core.keys import KeyRing
from core.permissions import Principal, Role
from core.store import consents, prompting
from core.store.work import change
from core.tables.connect import Delivery
from core.tables.consent import Approval
from core.tables.identity import Identity
from tests.world import World
from workers.delivering.prompts import Prompts


class Office(World):
    """A workspace whose owners are asked."""

    async def account(self, who: Principal, channel: str = "telegram") -> Identity:
        row = Identity(
            id=new_id("idn"),
            user_id=who.user_id,
            workspace_id=who.workspace_id,
            channel=channel,
            account="7",
            external_id=who.user_id,
            thread=f"chat-{who.user_id}",
            linked_at=now(),
        )
        await self.add(row)
        return row

    async def approval(self, who: Principal, **more: Any) -> Approval:
        """A pending request that owners decide, its prompts put."""
        plan = ConsentPlan(stages=(Stage(needs=(Need(party=Party(roles=("owner",))),)),), assurance=Assurance.L2)
        values: dict[str, Any] = {
            "id": new_id("apr"),
            "origin": "service",
            "workspace_id": who.workspace_id,
            "requester_id": who.user_id,
            "action": "shop.refund",
            "risk": "money",
            "title": "Refund 240 EUR to Ana",
            "arguments": {"amount": 240, "to": "Ana"},
            "preview": {"summary": "Pays 240 EUR back."},
            "plan": plan.model_dump(mode="json"),
            "bound": {},
            "digest": "d" * 64,
            "state": "pending",
            "expires_at": now() + timedelta(hours=10),
            "created_at": now(),
        }
        row = Approval(**(values | more))
        async with change(self.database, self.rooms) as work:
            work.session.add(row)
            await work.session.flush()
            await consents.write_parties(work.session, row)
            await prompting.refresh(work, row)
        return row

    async def prompts(self, approval: Approval) -> list[Delivery]:
        return sorted(await self.all(Delivery, Delivery.approval_id == approval.id), key=lambda row: row.id)

    async def refresh(self, approval_id: str, **values: Any) -> None:
        """Change a request, as its workflow does, and its prompts with it."""
        async with change(self.database, self.rooms) as work:
            row = await work.session.get_one(Approval, approval_id)
            for name, value in values.items():
                setattr(row, name, value)
            await work.session.flush()
            await prompting.refresh(work, row)


@pytest.fixture
def office(database) -> Office:
    return Office(database)


@pytest.fixture
async def owner(office: Office) -> Principal:
    return await office.person(role=Role.OWNER)


@pytest.fixture
def prompts(office: Office, ring: KeyRing) -> Prompts:
    return Prompts(office.database, office.rooms, ring, "https://assent.test", 3)
