"""Webhooks in SQL: who is told of what, and the deliveries that go out with the change that they tell of."""

import json
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, NotFound
from core.ids import new_id
from core.permissions import Principal, Role
from core.sealing import Sealer
from core.signatures import new_webhook_secret
from core.store import deliveries
from core.store.audit import AuditTrail
from core.store.deliveries import WEBHOOK, Wanted, delivery_view
from core.store.work import Work
from core.tables.connect import Delivery, Webhook
from core.tables.consent import Approval
from core.views import ApprovalView, DeliveryView, ToolCallView, WebhookView

APPROVAL_REQUESTED, APPROVAL_CLOSED, CALL_UNKNOWN = "approval.requested", "approval.closed", "call.unknown"
EVENTS = (APPROVAL_REQUESTED, APPROVAL_CLOSED, CALL_UNKNOWN)
TEST = "webhook.test"
MAX_BYTES = 65_536
MAX_WEBHOOKS = 20
_TABLE = "webhooks"


async def create(
    work: Work, audit: AuditTrail, sealer: Sealer, who: Principal, url: str, events: tuple[str, ...]
) -> tuple[WebhookView, str]:
    """Add an address of the workspace; its secret is given now and never again. Raises NotAllowed, Conflict."""
    who.must_be(Role.OWNER, Role.ADMIN)
    statement = select(func.count()).select_from(Webhook).where(_of_workspace(who), Webhook.disabled_at.is_(None))
    if (await work.session.execute(statement)).scalar_one() >= MAX_WEBHOOKS:
        message = f"There are {MAX_WEBHOOKS} webhooks already: disable one."
        raise Conflict(message)
    row, secret = _sealed(sealer, who, url=url, events=events, user_id=None)
    work.session.add(row)
    await work.session.flush()
    await audit.record(work, who.workspace_id, who.user_id, "webhook.created", row.id, url=url, events=list(events))
    return _view(row), secret


async def renew_callback_secret(
    work: Work, audit: AuditTrail, sealer: Sealer, who: Principal
) -> tuple[WebhookView, str]:
    """Make the secret that signs this asker's callbacks from now on; given now and never again."""
    earlier = await callback_of(work.session, who)
    if earlier is not None:
        earlier.disabled_at, earlier.disabled_why = now(), "replaced by a new secret"
    row, secret = _sealed(sealer, who, url="", events=(APPROVAL_CLOSED,), user_id=who.user_id)
    work.session.add(row)
    await work.session.flush()
    await audit.record(work, who.workspace_id, who.user_id, "webhook.secret_made", row.id)
    return _view(row), secret


def _sealed(
    sealer: Sealer, who: Principal, *, url: str, events: tuple[str, ...], user_id: str | None
) -> tuple[Webhook, str]:
    row_id, secret = new_id("whk"), new_webhook_secret()
    sealed = sealer.seal(_TABLE, row_id, secret)
    row = Webhook(
        id=row_id,
        workspace_id=who.workspace_id,
        user_id=user_id,
        url=url,
        events=list(events),
        key_id=sealed.key_id,
        ciphertext=sealed.ciphertext,
        created_by=who.user_id,
        created_at=now(),
    )
    return row, secret


async def callback_of(session: AsyncSession, who: Principal) -> Webhook | None:
    """Give what signs this asker's callbacks now, if they made a secret."""
    statement = select(Webhook).where(
        Webhook.user_id == who.user_id, Webhook.workspace_id == who.workspace_id, Webhook.disabled_at.is_(None)
    )
    return (await session.execute(statement.order_by(Webhook.id.desc()).limit(1))).scalar_one_or_none()


async def page(
    session: AsyncSession, who: Principal, *, limit: int, cursor: str | None
) -> tuple[list[WebhookView], str | None, int]:
    """Give the workspace's webhooks, newest first; next cursor; total. Raises NotAllowed."""
    who.must_be(Role.OWNER, Role.ADMIN)
    total = (await session.execute(select(func.count()).select_from(Webhook).where(_of_workspace(who)))).scalar_one()
    statement = select(Webhook).where(_of_workspace(who)).order_by(Webhook.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Webhook.id < cursor)
    rows = list((await session.execute(statement)).scalars())
    return [_view(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None, total


async def one(session: AsyncSession, who: Principal, webhook_id: str) -> Webhook:
    """Give a webhook of the workspace; raises NotAllowed, NotFound."""
    who.must_be(Role.OWNER, Role.ADMIN)
    row = (await session.execute(select(Webhook).where(_of_workspace(who), Webhook.id == webhook_id))).scalar()
    if row is None:
        message = "There is no such webhook."
        raise NotFound(message)
    return row


async def disable(work: Work, audit: AuditTrail, who: Principal, webhook_id: str) -> WebhookView:
    """Tell it nothing any more; twice is once. Raises NotAllowed, NotFound."""
    row = await one(work.session, who, webhook_id)
    if row.disabled_at is None:
        row.disabled_at, row.disabled_why = now(), "disabled by a person"
        work.session.add(row)
        await work.session.flush()
        await audit.record(work, who.workspace_id, who.user_id, "webhook.disabled", row.id)
    return _view(row)


async def disable_gone(work: Work, audit: AuditTrail, webhook_id: str) -> None:
    """Tell it nothing any more: it said itself that it is gone (410)."""
    row = await work.session.get_one(Webhook, webhook_id, with_for_update=True)
    if row.disabled_at is None:
        row.disabled_at, row.disabled_why = now(), "it answered 410: gone"
        await work.session.flush()
        await audit.record(work, row.workspace_id, "server", "webhook.disabled", row.id, why=row.disabled_why)


async def test(work: Work, who: Principal, webhook_id: str) -> DeliveryView:
    """Send it something that tells of nothing. Raises NotAllowed, NotFound, Conflict when it is disabled."""
    row = await one(work.session, who, webhook_id)
    if row.disabled_at is not None:
        message = "This webhook is disabled."
        raise Conflict(message)
    body = _body(TEST, {"webhook_id": row.id})
    return delivery_view(await deliveries.put(work, _wanted(row, new_id("tst"), body)))


async def deliveries_of(
    session: AsyncSession, who: Principal, webhook_id: str, *, limit: int, cursor: str | None
) -> tuple[list[DeliveryView], str | None, int]:
    """Give what went or goes to a webhook, newest first; next cursor; total. Raises NotAllowed, NotFound."""
    await one(session, who, webhook_id)
    to_it = (Delivery.kind == WEBHOOK) & (Delivery.account == webhook_id)
    total = (await session.execute(select(func.count()).select_from(Delivery).where(to_it))).scalar_one()
    statement = select(Delivery).where(to_it).order_by(Delivery.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Delivery.id < cursor)
    rows = list((await session.execute(statement)).scalars())
    return [delivery_view(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None, total


async def tell_of_approval(work: Work, event: str, approval: Approval, view: ApprovalView) -> None:
    """Have an approval's event told to whoever wants it, and at its end to the address that its asker named."""
    body = _body(event, {"approval": view.model_dump(mode="json", exclude={"plan"})})
    ref = f"{event}:{approval.id}"
    await _tell_all(work, approval.workspace_id, event, ref, body, approval.id)
    if event != APPROVAL_CLOSED or approval.callback_url is None:
        return
    statement = select(Webhook).where(
        Webhook.user_id == approval.requester_id,
        Webhook.workspace_id == approval.workspace_id,
        Webhook.disabled_at.is_(None),
    )
    signer = (await work.session.execute(statement.order_by(Webhook.id.desc()).limit(1))).scalar_one_or_none()
    if signer is not None:
        await deliveries.put(work, _wanted(signer, ref, body, approval.id, approval.callback_url))


async def tell_of_unknown_call(work: Work, workspace_id: str, call: ToolCallView) -> None:
    """Have it told that nobody knows whether a call took effect."""
    body = _body(CALL_UNKNOWN, {"call": call.model_dump(mode="json", include={"id", "turn_id", "action", "risk"})})
    await _tell_all(work, workspace_id, CALL_UNKNOWN, f"{CALL_UNKNOWN}:{call.id}", body, None)


async def _tell_all(
    work: Work, workspace_id: str, event: str, ref: str, body: dict[str, Any], approval_id: str | None
) -> None:
    statement = select(Webhook).where(
        Webhook.workspace_id == workspace_id, Webhook.user_id.is_(None), Webhook.disabled_at.is_(None)
    )
    for row in (await work.session.execute(statement.order_by(Webhook.id))).scalars():
        if event in row.events:
            await deliveries.put(work, _wanted(row, ref, body, approval_id))


def _wanted(
    webhook: Webhook, ref: str, body: dict[str, Any], approval_id: str | None = None, url: str | None = None
) -> Wanted:
    return Wanted(
        workspace_id=webhook.workspace_id,
        kind=WEBHOOK,
        ref=ref,
        channel="webhook",
        account=webhook.id,
        thread=ref,
        body={"payload": body} | ({"url": url} if url else {}),
        approval_id=approval_id,
    )


def _body(event: str, data: dict[str, Any]) -> dict[str, Any]:
    """Make what is told, at most MAX_BYTES of it: arguments and changes that are too long are left out."""
    body = {"type": event, "timestamp": now().isoformat(), "data": data}
    if len(payload_bytes(body)) > MAX_BYTES:
        approval = data["approval"]
        approval |= {"arguments": {}, "arguments_cut": True, "arguments_schema": None}
        approval["preview"] |= {"changes": []}
    return body


def payload_bytes(body: dict[str, Any]) -> bytes:
    """Write what is told as it is signed and sent."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def secret_of(sealer: Sealer, webhook: Webhook) -> str:
    """Open the secret that signs; raises Unsealable, UnknownKey."""
    return sealer.open(_TABLE, webhook.id, webhook.key_id, webhook.ciphertext)


def _of_workspace(who: Principal) -> Any:
    return (Webhook.workspace_id == who.workspace_id) & Webhook.user_id.is_(None)


def _view(row: Webhook) -> WebhookView:
    return WebhookView.model_validate(row.model_dump(include=set(WebhookView.model_fields)))
