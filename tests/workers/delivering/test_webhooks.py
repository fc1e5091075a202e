"""Webhooks on their way: signed, retried, ended by 410, never to private addresses; a real server on loopback."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Standard

from connectors.guarded import open_guarded
from core.clock import now
from core.ids import new_id
from core.keys import KeyRing
from core.messages import ApprovalOutcome
from core.permissions import Principal, Role
from core.sealing import Sealer
from core.store import consents, deliveries, webhooks
from core.store.audit import AuditTrail
from core.store.deliveries import WEBHOOK
from core.store.work import change
from core.tables.connect import Delivery, Webhook
from core.tables.consent import Approval
from core.tables.records import AuditRow
from core.values import ApprovalState
from tests.world import World
from workers.delivering.sender import Sender
from workers.delivering.webhooks import WebhookCarrier

SCHEMA = {"type": "object", "properties": {"key": {"type": "string", "x-secret": True}}}


@dataclass
class Ears:
    """Somebody's server; answers with `status`, and keeps what it heard."""

    url: str = ""
    host: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def hesitate(self, request: web.Request) -> web.Response:
        await self.released.wait()
        return web.Response()

    async def hear(self, request: web.Request) -> web.Response:
        self.heard.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, headers=self.headers)


@pytest.fixture
async def ears() -> AsyncIterator[Ears]:
    there = Ears()
    application = web.Application()
    application.router.add_post("/hook", there.hear)
    application.router.add_post("/slow", there.hesitate)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    there.host = f"127.0.0.1:{runner.addresses[0][1]}"
    there.url = f"http://{there.host}/hook"
    yield there
    await runner.cleanup()


@pytest.fixture
async def owner(world: World) -> Principal:
    return await world.person(role=Role.OWNER)


@dataclass
class Office:
    """What sends."""

    world: World
    audit: AuditTrail
    sealer: Sealer
    hosts: tuple[str, ...]

    async def sweep(self) -> int:
        async with open_guarded(self.hosts, seconds=5) as client:
            carrier = WebhookCarrier(self.world.database, self.world.rooms, self.audit, self.sealer, client)
            return await Sender(self.world.database, self.world.rooms, self.audit, {WEBHOOK: carrier}).sweep()

    async def add(self, owner: Principal, url: str, *events: str) -> tuple[str, str]:
        async with change(self.world.database, self.world.rooms) as work:
            view, secret = await webhooks.create(work, self.audit, self.sealer, owner, url, events or webhooks.EVENTS)
        return view.id, secret

    async def close(self, owner: Principal, **more: Any) -> str:
        """End a request for consent that was never shown; gives its id."""
        row = Approval(
            id=new_id("apr"), origin="service", workspace_id=owner.workspace_id, requester_id=owner.user_id,
            action="deploy.app", risk="write", title="Deploy?", preview={"summary": "Deploys"}, bound={}, digest="d",
            plan={"stages": [{"needs": [{"party": {}}]}]}, state="requested", expires_at=now() + timedelta(hours=1),
            created_at=now(), **({"arguments": {}} | more),
        )  # fmt: skip
        await self.world.add(row)
        async with change(self.world.database, self.world.rooms) as work:
            outcome = ApprovalOutcome(approval_id=row.id, state=ApprovalState.APPROVED, digest="d", at=now())
            await consents.close(work, outcome)
        return row.id

    async def only(self) -> Delivery:
        (row,) = await self.world.all(Delivery)
        return row


@pytest.fixture
def office(world: World, audit: AuditTrail, ring: KeyRing, ears: Ears) -> Office:
    return Office(world, audit, Sealer(ring), (ears.host,))


class TestWebhooks:
    async def test_the_end_is_told_signed_and_without_secrets(self, office: Office, owner: Principal, ears: Ears):
        _, secret = await office.add(owner, ears.url, "approval.closed")
        approval_id = await office.close(owner, arguments={"key": "hunter2"}, schema_=SCHEMA)
        await office.sweep()
        headers, body = ears.heard[0]

        told = Standard(secret).verify(body, headers)
        delivery = await office.only()
        assert (told["type"], told["data"]["approval"]["id"]) == ("approval.closed", approval_id)
        assert b"hunter2" not in body
        assert "hunter2" not in str(delivery.body)
        assert headers["webhook-id"] == delivery.id
        assert (delivery.state, delivery.attempts) == ("sent", 0)
        assert await office.sweep() == 0

    @pytest.mark.parametrize("status", [301, 400, 404, 429, 500])
    async def test_anything_but_success_is_tried_again_under_the_same_id(
        self, office: Office, owner: Principal, ears: Ears, status: int
    ):
        await office.add(owner, ears.url)
        ears.status, ears.headers = status, {"Location": "http://169.254.169.254/", "Retry-After": "60"}
        await office.close(owner)
        await office.sweep()
        waiting = await office.only()
        await office.world.alter(Delivery, waiting.id, due_at=now())
        ears.status = 200
        await office.sweep()

        assert (waiting.state, waiting.detail) == ("waiting", f"It answered {status}.")
        assert waiting.due_at > now() + timedelta(seconds=50)
        assert len({headers["webhook-id"] for headers, _ in ears.heard}) == 1
        assert len(ears.heard) == 2
        assert (await office.only()).state == "sent"

    async def test_gone_ends_it(self, office: Office, owner: Principal, ears: Ears):
        webhook_id, _ = await office.add(owner, ears.url)
        ears.status = 410
        await office.close(owner)
        await office.sweep()
        await office.close(owner)

        assert (await office.only()).state == "failed"
        assert (await office.world.get(Webhook, webhook_id)).disabled_at is not None
        assert "webhook.disabled" in {row.kind for row in await office.world.all(AuditRow)}

    async def test_what_was_disabled_meanwhile_is_dropped(self, office: Office, owner: Principal, ears: Ears):
        webhook_id, _ = await office.add(owner, ears.url)
        await office.close(owner)
        await office.world.alter(Webhook, webhook_id, disabled_at=now())
        await office.sweep()

        assert ((await office.only()).state, ears.heard) == ("dropped", [])

    @pytest.mark.parametrize("hosts", [(), ("127.0.0.1:1",)])
    async def test_a_private_address_is_never_reached(self, office: Office, owner: Principal, ears: Ears, hosts):
        await office.add(owner, ears.url)
        await office.add(owner, "http://169.254.169.254/latest/meta-data")
        await office.close(owner)
        office.hosts = hosts
        await office.sweep()

        assert {row.state for row in await office.world.all(Delivery)} == {"failed"}
        assert ears.heard == []

    async def test_a_callback_is_signed_with_the_askers_secret(self, office: Office, owner: Principal, ears: Ears):
        async with change(office.world.database, office.world.rooms) as work:
            _, secret = await webhooks.renew_callback_secret(work, office.audit, office.sealer, owner)
        await office.close(owner, callback_url=ears.url)
        await office.sweep()
        headers, body = ears.heard[0]

        assert Standard(secret).verify(body, headers)["type"] == "approval.closed"

    async def test_a_long_one_is_cut(self, office: Office, owner: Principal, ears: Ears):
        await office.add(owner, ears.url)
        await office.close(owner, arguments={"text": "x" * 60_000, "more": "y" * 10_000})
        await office.sweep()

        assert len(ears.heard[0][1]) < webhooks.MAX_BYTES
        assert b'"arguments_cut":true' in ears.heard[0][1]

    async def test_a_slow_address_holds_up_no_other(self, office: Office, owner: Principal, ears: Ears):
        await office.add(owner, ears.url.replace("hook", "slow"))
        await office.add(owner, ears.url)
        await office.close(owner)
        sweeping = asyncio.create_task(office.sweep())
        async with asyncio.timeout(30):
            while not ears.heard:
                await asyncio.sleep(0.01)
        assert not sweeping.done()
        ears.released.set()
        await sweeping
        assert {row.state for row in await office.world.all(Delivery)} == {"sent"}

    async def test_other_senders_leave_them_alone(self, office: Office, owner: Principal, ears: Ears):
        await office.add(owner, ears.url)
        await office.close(owner)
        async with office.world.database.writing() as session:
            assert await deliveries.claim(session, [deliveries.PROMPT]) == []
            assert len(await deliveries.claim(session, [deliveries.WEBHOOK])) == 1
