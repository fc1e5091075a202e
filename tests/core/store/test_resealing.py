"""A new key comes into the ring: every stored secret is sealed with it, and opens without the old one."""

from typing import Any

import pytest

from core.clock import now
from core.ids import new_id
from core.keys import KeyRing, UnknownKey
from core.sealing import Sealer
from core.store import resealing
from core.store.audit import AuditTrail
from core.store.work import change
from core.tables.connect import Connection, Webhook
from core.tables.identity import Totp
from core.tables.records import AuditRow
from tests.world import World

OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture
async def holders(world: World) -> list[tuple[type, str]]:
    """A webhook, an authenticator app and a credential, sealed with the old key; and a connection without a secret."""
    sealer, who = Sealer(KeyRing({"old": OLD})), await world.person()
    webhook_id, connection_id = new_id("whk"), new_id("cnx")
    here: dict[str, Any] = {"workspace_id": who.workspace_id, "created_by": who.user_id, "created_at": now()}
    rows = (
        Webhook(id=webhook_id, url="", events=[], **dict(sealer.seal("webhooks", webhook_id, "a")), **here),
        Totp(user_id=who.user_id, created_at=now(), **dict(sealer.seal("totps", who.user_id, "b"))),
        Connection(
            id=connection_id, connector="x", label="x", **dict(sealer.seal("connections", connection_id, "c")), **here
        ),
        Connection(id=new_id("cnx"), connector="x", label="y", **here),
    )
    for row in rows:
        await world.add(row)
    return [(Webhook, webhook_id), (Totp, who.user_id), (Connection, connection_id)]


class TestReseal:
    async def test_seals_everything_with_the_newest_key_once(self, world: World, audit: AuditTrail, holders):
        sealer = Sealer(KeyRing({"old": OLD, "new": NEW}))
        async with change(world.database, world.rooms) as work:
            first = await resealing.reseal(work, audit, sealer, "console")
        async with change(world.database, world.rooms) as work:
            second = await resealing.reseal(work, audit, sealer, "console")
        opened = []
        for table, row_id in holders:
            row = await world.get(table, row_id)
            opened.append(Sealer(KeyRing({"new": NEW})).open(table.__tablename__, row_id, row.key_id, row.ciphertext))

        assert (first, second) == (3, 0)
        assert opened == ["a", "b", "c"]
        (told,) = await world.all(AuditRow, AuditRow.kind == "keys.resealed")
        assert told.body == {"rows": 3}

    async def test_changes_nothing_where_a_key_is_gone(self, world: World, audit: AuditTrail, holders):
        with pytest.raises(UnknownKey):
            async with change(world.database, world.rooms) as work:
                await resealing.reseal(work, audit, Sealer(KeyRing({"new": NEW})), "console")

        assert {(await world.get(*one)).key_id for one in holders} == {"old"}
