"""Deliveries in SQL: put with the change that asks for them, claimed by one sender, sent, edited or given up."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.events import DeliveryUpdated
from core.ids import new_id, secret_hash
from core.permissions import Principal, Role, Scope
from core.store import streams
from core.store.work import Work
from core.tables.connect import Delivery
from core.tables.consent import Approval
from core.tables.identity import Identity
from core.tables.people import Membership
from core.values import Value
from core.views import DeliveryView

DOORBELL = "deliveries"
REPLY, PROMPT, NOTICE, PROGRESS, WEBHOOK = "reply", "prompt", "notice", "progress", "webhook"
WAITING, SENT, FAILED, DROPPED = "waiting", "sent", "failed", "dropped"
CLAIMED_FOR = timedelta(seconds=60)
"""How long a claimed delivery is one sender's; then another may try."""
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class Wanted(Value):
    """A message to go out. `ref` names what it is about: putting it twice for one thread is putting it once.

    `body` is what its carrier needs, without secrets. `account` and `thread` are the channel's; for a webhook the
    channel is "webhook", the account the webhook's id, and the thread what it is about: none waits for another.
    """

    workspace_id: str
    kind: str
    ref: str
    channel: str
    account: str
    thread: str
    body: dict[str, Any]
    user_id: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    approval_id: str | None = None


async def put(work: Work, wanted: Wanted, *, at: datetime | None = None) -> Delivery:
    """Ask for a message to be sent, at once or at a time; the same one asked for before is given as it is."""
    earlier = (await work.session.execute(_same(wanted))).scalar_one_or_none()
    if earlier is not None:
        return earlier
    time = now()
    row = Delivery(
        id=new_id("dlv"),
        state=WAITING,
        due_at=max(at or time, time),
        created_at=time,
        updated_at=time,
        **wanted.model_dump(),
    )
    work.session.add(row)
    await work.session.flush()
    if row.due_at <= time:
        work.streams.add(DOORBELL)
    return row


def _same(wanted: Wanted) -> Select[Delivery]:
    return select(Delivery).where(
        Delivery.kind == wanted.kind,
        Delivery.ref == wanted.ref,
        Delivery.channel == wanted.channel,
        Delivery.account == wanted.account,
        Delivery.thread == wanted.thread,
    )


async def is_due(session: AsyncSession, kinds: Collection[str]) -> bool:
    """Whether anything of these kinds is to be sent or edited; asks without a lock."""
    return (await session.execute(_due(kinds).limit(1))).first() is not None


async def claim(session: AsyncSession, kinds: Collection[str], limit: int = 20) -> list[Delivery]:
    """Take what is due for CLAIMED_FOR, oldest first; rows that another sender holds are left out."""
    statement = _due(kinds).order_by(Delivery.due_at).limit(limit).with_for_update(skip_locked=True)
    rows = list((await session.execute(statement)).scalars())
    for row in rows:
        row.due_at, row.attempts = now() + CLAIMED_FOR, row.attempts + 1
    await session.flush()
    return rows


def _due(kinds: Collection[str]) -> Select[Delivery]:
    return select(Delivery).where(
        Delivery.state.in_([WAITING, SENT]),
        Delivery.due_at <= now(),
        Delivery.shown < Delivery.version,
        Delivery.kind.in_(kinds),
    )


async def arm(session: AsyncSession, delivery_id: str, token: str | None, body: dict[str, Any]) -> None:
    """Store what is about to be shown, and the hash of its buttons' token, before anybody can press them."""
    values = {"token_hash": secret_hash(token) if token else None, "body": body}
    wanted = (Delivery.id == delivery_id) & (Delivery.state != DROPPED)
    await session.execute(update(Delivery).where(wanted).values(**values))


async def sent(
    work: Work, claimed: Delivery, external_ref: str | None, *, detail: str | None = None
) -> Delivery | None:
    """Store that what was claimed is shown now; a change that came meanwhile is due at once.

    Gives the row where it shows what it did not before; None where nothing is new, or it was dropped meanwhile.
    """
    row = await _locked(work.session, claimed.id)
    if row.state == DROPPED:  # while it was on its way: it is not edited, and its buttons stay void
        row.external_ref, row.shown, row.due_at = external_ref or row.external_ref, row.version, NEVER
        return None
    known = claimed.state == WAITING and row.state == SENT  # its button was pressed before this was stored
    first, row.state, row.shown = row.state != SENT, SENT, claimed.version
    row.external_ref, row.attempts, row.detail = external_ref or row.external_ref, 0, detail
    row.due_at = NEVER if row.shown >= row.version else now()
    row.updated_at = now()
    if first:
        await tell(work, row)
    news = first or any(row.body.get(name) != claimed.body.get(name) for name in ("digest", "batch"))
    return row if news and not known else None


async def arrived(work: Work, delivery_id: str, external_ref: str) -> Delivery | None:
    """Store that a message is there, since its button was pressed: who sent it may have died before it said so.

    It is edited at once to show how things stand. Gives the row; None where it is known to have been sent.
    """
    row = await _locked(work.session, delivery_id)
    if row.external_ref is not None:
        return None
    row.state, row.external_ref, row.attempts, row.detail = SENT, external_ref, 0, None
    row.shown, row.due_at, row.updated_at = row.version - 1, now(), now()
    work.streams.add(DOORBELL)
    await tell(work, row)
    return row


async def postpone(work: Work, claimed: Delivery, until: datetime, detail: str, *, attempts: int | None = None) -> None:
    """Try again at a time; says why. `attempts`: how many count as made."""
    row = await _locked(work.session, claimed.id)
    row.due_at, row.detail, row.updated_at = until, detail, now()
    row.attempts = row.attempts if attempts is None else attempts


async def give_up(work: Work, claimed: Delivery, detail: str, state: str = FAILED) -> Delivery | None:
    """Never try again: it failed, or (DROPPED) is not wanted any more. What was shown once stays as it is.

    Gives the row where it never arrived.
    """
    row = await _locked(work.session, claimed.id)
    arrived_before = row.state == SENT
    if not arrived_before:
        row.state = state
    row.shown, row.due_at, row.detail, row.updated_at = row.version, NEVER, detail, now()
    await tell(work, row)
    return None if arrived_before else row


async def want_edit(work: Work, row: Delivery) -> None:
    """Ask for what was sent to show how things stand now; one that is not sent yet will."""
    if row.state not in {WAITING, SENT}:
        return
    row.version += 1
    if row.state == SENT or row.due_at > now() + CLAIMED_FOR:
        # What waits for the end of quiet hours looks again whether it is still wanted.
        row.due_at, row.attempts = now(), 0
        work.streams.add(DOORBELL)
    row.updated_at = now()
    work.session.add(row)


async def of_approval(session: AsyncSession, approval_id: str) -> list[Delivery]:
    """Give every prompt about an approval."""
    statement = select(Delivery).where(Delivery.approval_id == approval_id, Delivery.kind == PROMPT)
    return list((await session.execute(statement.order_by(Delivery.id))).scalars())


async def of_turn(session: AsyncSession, kind: str, turn_id: str) -> list[Delivery]:
    """Give what of one kind was handed out about a turn."""
    statement = select(Delivery).where(Delivery.kind == kind, Delivery.ref == turn_id)
    return list((await session.execute(statement.order_by(Delivery.id))).scalars())


async def page(
    session: AsyncSession, who: Principal, *, approval_id: str | None, limit: int, cursor: str | None
) -> tuple[list[DeliveryView], str | None, int]:
    """Give what was sent to this person in this workspace, newest first; the next cursor; the total.

    Of one approval, whoever asked for it, owners and admins are given what was sent to others, too.
    """
    seen = Delivery.user_id == who.user_id if approval_id is None else _sees_of(who, approval_id)
    theirs = and_(seen, Delivery.workspace_id == who.workspace_id, Delivery.kind.in_([REPLY, PROMPT, NOTICE]))
    total = (await session.execute(select(func.count()).select_from(Delivery).where(theirs))).scalar_one()
    statement = select(Delivery).where(theirs).order_by(Delivery.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Delivery.id < cursor)
    rows = list((await session.execute(statement)).scalars())
    following = rows[limit - 1].id if len(rows) > limit else None
    return [delivery_view(row, who.user_id) for row in rows[:limit]], following, total


def _sees_of(who: Principal, approval_id: str) -> ColumnElement[bool]:
    """What was sent about an approval, as far as the person may know of it."""
    about = Delivery.approval_id == approval_id
    if who.role in {Role.OWNER, Role.ADMIN} and who.may(Scope.ADMIN):
        return about
    asked = exists(select(1).where(Approval.id == approval_id, Approval.requester_id == who.user_id))
    return and_(about, or_(Delivery.user_id == who.user_id, asked))


async def by_token(session: AsyncSession, token: str) -> Delivery | None:
    """Give the message whose buttons carry this token."""
    statement = select(Delivery).where(Delivery.token_hash == secret_hash(token))
    return (await session.execute(statement)).scalar_one_or_none()


async def armed(
    session: AsyncSession, user_id: str, channel: str, account: str, thread: str, begins: str = ""
) -> list[Delivery]:
    """Give a person's prompts in one chat whose buttons hold, newest first, at most 50.

    `begins`: only those whose token's hash begins so.
    """
    here = (Delivery.channel == channel) & (Delivery.account == account) & (Delivery.thread == thread)
    theirs = (Delivery.kind == PROMPT) & (Delivery.user_id == user_id) & Delivery.token_hash.startswith(begins)
    statement = select(Delivery).where(here, theirs).order_by(Delivery.id.desc()).limit(50)
    return list((await session.execute(statement)).scalars())


async def prompted_since(session: AsyncSession, user_id: str, since: datetime, *, but: str) -> int:
    """Count the requests about which a person was prompted, on whatever accounts, `but` one."""
    statement = select(func.count(func.distinct(Delivery.approval_id))).where(
        Delivery.user_id == user_id, Delivery.kind == PROMPT, Delivery.state == SENT, Delivery.created_at > since
    )
    statement = statement.where(Delivery.approval_id != but)
    return (await session.execute(statement)).scalar_one()


async def identity_of(session: AsyncSession, row: Delivery) -> str | None:
    """Give the linked account in whose private chat a delivery is for its person."""
    statement = select(Identity.id).where(
        Identity.channel == row.channel,
        Identity.account == row.account,
        Identity.thread == row.thread,
        Identity.user_id == row.user_id,
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def tell(work: Work, row: Delivery) -> None:
    """Write to its conversation, or else to the inbox of whom it is for, what became of it; progress is no news."""
    await work.session.flush()
    if row.kind == PROGRESS:
        return
    event = DeliveryUpdated(delivery=delivery_view(row))
    if row.conversation_id is not None and row.kind == REPLY:
        await streams.append(work, row.conversation_id, event)
    elif row.user_id is not None:
        statement = select(Membership.id).where(
            Membership.user_id == row.user_id, Membership.workspace_id == row.workspace_id
        )
        membership = (await work.session.execute(statement)).scalar_one_or_none()
        if membership is not None:
            await streams.notify(work, membership, event)


def delivery_view(row: Delivery, reader_id: str | None = None) -> DeliveryView:
    """Show a delivery; to a reader whom it was not for, nothing that leads to a talk."""
    view = DeliveryView.model_validate(row.model_dump(include=set(DeliveryView.model_fields)))
    if reader_id is None or row.user_id == reader_id:
        return view
    return view.model_copy(update={"conversation_id": None, "message_id": None})


async def _locked(session: AsyncSession, delivery_id: str) -> Delivery:
    statement = select(Delivery).where(Delivery.id == delivery_id).with_for_update()
    return (await session.execute(statement.execution_options(populate_existing=True))).scalar_one()
