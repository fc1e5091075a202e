"""An outcome is written to SQL only when Temporal has kept it: killed in between, SQL and the turn still agree."""

import asyncio
from datetime import datetime

import httpx
import pytest

from core.clock import now
from tests.faults.conftest import Furnished
from tests.faults.ledger import Ledger, check_doors
from tests.journeys.person import Person, until
from tests.journeys.product import Product

pytestmark = [pytest.mark.journey, pytest.mark.server]
EXPIRY_SECONDS = "6"


class TestApproval:
    async def test_written_when_the_server_died_stands_though_the_deadline_passed_meanwhile(
        self, product: Product, furnished: Furnished, ledger: Ledger
    ):
        await product.start(ASSENT_FAULT_POINT="approval.closed", ASSENT_APPROVAL_EXPIRY_SECONDS=EXPIRY_SECONDS)
        async with Person(product.url, furnished.token) as person:
            said = await person.say(furnished.conversation_id, "delete the task Buy milk")
            approval = await person.asked()
            deciding = asyncio.create_task(person.decide(approval))
            await product.died()
            with pytest.raises(httpx.TransportError):
                await deciding

            async def late() -> bool:
                return now() > datetime.fromisoformat(approval["expires_at"])

            await until(late)
            await product.start()
            person.move(product.url)
            turn = await person.ended(said["turn_id"])
            await until(ledger.is_settled)
            decided = await person.get(f"/approvals/{approval['id']}")
            await check_doors(person, furnished.conversation_id, ledger)
        await product.stop()
        ledger.check()

        assert (turn["state"], decided["state"]) == ("finished", "approved")
        assert ledger.count("decisions WHERE state = 'accepted'") == 1
        assert ledger.count("tool_calls WHERE action = 'tasks.delete' AND state = 'done'") == 1
        assert ledger.count("tasks WHERE title = 'Buy milk' AND deleted_at IS NOT NULL") == 1
