"""Sealed secrets after a new key came into the ring: each is sealed anew, so that the old key can be taken out."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select, text

from core.sealing import Sealer
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.connect import Connection, Webhook
from core.tables.identity import Totp
from core.tables.people import Workspace

Holder = Connection | Webhook | Totp
_HOLDERS: tuple[tuple[type[Holder], str], ...] = ((Connection, "id"), (Webhook, "id"), (Totp, "user_id"))


async def reseal(work: Work, audit: AuditTrail, sealer: Sealer, actor: str) -> int:
    """Seal with the newest key whatever an older one sealed; gives how many rows there were.

    Raises Unsealable and UnknownKey: then nothing is changed.
    """
    count = 0
    for table, key in _HOLDERS:
        rows: Iterable[Any] = (await work.session.scalars(select(table).order_by(text(key)).with_for_update())).all()
        count += sum(_reseal(sealer, row, getattr(row, key)) for row in rows)
    await work.session.flush()
    if count:
        for workspace_id in (await work.session.execute(select(Workspace.id).order_by(Workspace.id))).scalars().all():
            await audit.record(work, workspace_id, actor, "keys.resealed", workspace_id, rows=count)
    return count


def _reseal(sealer: Sealer, row: Holder, row_id: str) -> bool:
    if row.key_id is None or row.ciphertext is None:
        return False
    fresh = sealer.reseal(str(row.__tablename__), row_id, row.key_id, row.ciphertext)
    if fresh is not None:
        row.key_id, row.ciphertext = fresh.key_id, fresh.ciphertext
    return fresh is not None
