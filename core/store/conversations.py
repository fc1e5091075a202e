"""Conversations in SQL: begun, listed newest first, renamed, hidden and brought back."""

import base64
import binascii
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Invalid, NotAllowed, NotFound
from core.events import ConversationCreated, ConversationDeleted, ConversationUpdated, DurableEvent
from core.ids import new_id
from core.permissions import Principal
from core.store import changes, modes, streams
from core.store.audit import AuditTrail
from core.store.viewing import conversation_view
from core.store.visibility import sees_conversation
from core.store.work import Work
from core.tables.people import Membership
from core.tables.talk import Conversation, Participant
from core.values import WhenBusy
from core.views import ConversationView


async def create(
    work: Work, who: Principal, door: str, *, title: str, mode: str, when_busy: WhenBusy = WhenBusy.QUEUE
) -> ConversationView:
    """Begin a conversation of this person. Raises NotAllowed for a viewer, UnknownMode."""
    check_may_talk(who)
    await modes.find(work.session, who.workspace_id, mode)
    at = now()
    row = Conversation(
        id=new_id("cnv"),
        workspace_id=who.workspace_id,
        owner_id=who.user_id,
        title=title,
        mode=mode,
        when_busy=when_busy,
        origin_channel=door,
        epoch=new_id("ep"),
        created_at=at,
        updated_at=at,
        last_activity_at=at,
    )
    work.session.add(row)
    await work.session.flush()
    work.session.add(Participant(conversation_id=row.id, user_id=who.user_id, joined_at=at))
    await work.session.flush()
    view = conversation_view(row)
    await tell(work, row, ConversationCreated(conversation=view))
    return view


async def page(
    session: AsyncSession, who: Principal, *, limit: int, cursor: str | None, deleted: bool = False
) -> tuple[list[ConversationView], str | None, int]:
    """Give the person's conversations (or the deleted ones), last active first; the next cursor; the true total."""
    theirs = and_(sees_conversation(who), _is_deleted(deleted=deleted))
    statement = (
        select(Conversation)
        .where(theirs)
        .order_by(Conversation.last_activity_at.desc(), Conversation.id.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        statement = statement.where(_after(cursor))
    rows = list((await session.execute(statement)).scalars())
    total = (await session.execute(select(func.count()).select_from(Conversation).where(theirs))).scalar_one()
    following = _cursor(rows[limit - 1]) if len(rows) > limit else None
    return [conversation_view(row) for row in rows[:limit]], following, total


async def one(session: AsyncSession, who: Principal, conversation_id: str) -> ConversationView:
    """Give one conversation that the person sees; raises NotFound."""
    return conversation_view(await _load(session, who, conversation_id, deleted=False))


async def check_owned(session: AsyncSession, who: Principal, conversation_id: str) -> None:
    """Raise NotFound or NotAllowed unless the conversation is this person's."""
    _check_owns(who, await _load(session, who, conversation_id, deleted=False))


async def alter(
    work: Work,
    who: Principal,
    conversation_id: str,
    *,
    title: str | None = None,
    mode: str | None = None,
    when_busy: WhenBusy | None = None,
) -> ConversationView:
    """Give a conversation another title, mode or way of being busy. Raises NotFound, NotAllowed, UnknownMode."""
    check_may_talk(who)
    row = await _load(work.session, who, conversation_id, deleted=False, lock=True)
    if mode is not None:
        row.mode = (await modes.find(work.session, row.workspace_id, mode)).name
    row.title = row.title if title is None else title
    row.when_busy = row.when_busy if when_busy is None else when_busy
    return await tell_updated(work, row)


async def tell_updated(work: Work, row: Conversation) -> ConversationView:
    """Say that a conversation was changed, to its stream and to whoever takes part."""
    row.updated_at = now()
    await work.session.flush()
    view = conversation_view(row)
    await tell(work, row, ConversationUpdated(conversation=view))
    return view


async def delete(work: Work, audit: AuditTrail, who: Principal, conversation_id: str) -> ConversationView:
    """Hide a conversation from everybody at once; only whose it is may. Raises NotFound, NotAllowed."""
    row = await _load(work.session, who, conversation_id, deleted=False, lock=True)
    _check_owns(who, row)
    row.deleted_at = row.updated_at = now()
    await work.session.flush()
    view = conversation_view(row)
    changes.note(work, "conversation", row.id)
    await tell(work, row, ConversationDeleted(conversation=view))
    await audit.record(work, row.workspace_id, who.user_id, "conversation.deleted", row.id)
    return view


async def restore(work: Work, audit: AuditTrail, who: Principal, conversation_id: str) -> ConversationView:
    """Bring a deleted conversation back; only whose it is may. Raises NotFound, NotAllowed."""
    row = await _load(work.session, who, conversation_id, deleted=True, lock=True)
    _check_owns(who, row)
    row.deleted_at, row.updated_at = None, now()
    await work.session.flush()
    view = conversation_view(row)
    changes.note(work, "conversation", row.id)
    await tell(work, row, ConversationUpdated(conversation=view))
    await audit.record(work, row.workspace_id, who.user_id, "conversation.restored", row.id)
    return view


async def _load(
    session: AsyncSession, who: Principal, conversation_id: str, *, deleted: bool, lock: bool = False
) -> Conversation:
    statement = select(Conversation).where(
        Conversation.id == conversation_id, sees_conversation(who), _is_deleted(deleted=deleted)
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        message = "There is no such conversation."
        raise NotFound(message)
    return row


def _is_deleted(*, deleted: bool) -> ColumnElement[bool]:
    return Conversation.deleted_at.is_not(None) if deleted else Conversation.deleted_at.is_(None)


def check_may_talk(who: Principal) -> None:
    """Raise NotAllowed for a viewer."""
    if not who.may_talk:
        message = "A viewer reads only."
        raise NotAllowed(message)


def _check_owns(who: Principal, row: Conversation) -> None:
    check_may_talk(who)
    if row.owner_id != who.user_id:
        message = "Only whose conversation it is may do this."
        raise NotAllowed(message)


async def tell(work: Work, row: Conversation, event: DurableEvent) -> None:
    """Write the event to the conversation's stream, and to the inbox of each participant."""
    await streams.append(work, row.id, event)
    statement = (
        select(Membership.id)
        .join(Participant, Participant.user_id == Membership.user_id)
        .where(Participant.conversation_id == row.id, Membership.workspace_id == row.workspace_id)
        .order_by(Membership.id)
    )
    for membership_id in (await work.session.execute(statement)).scalars().all():
        await streams.notify(work, membership_id, event)


def _cursor(row: Conversation) -> str:
    text = f"{row.last_activity_at.isoformat()} {row.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _after(cursor: str) -> ColumnElement[bool]:
    """Read a cursor that we gave; raises Invalid for any other text."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        moment, _, last_id = text.partition(" ")
        at = datetime.fromisoformat(moment).astimezone()
    except (binascii.Error, ValueError, OverflowError) as error:
        message = "This is not a cursor that a list gave."
        raise Invalid(message) from error
    older = Conversation.last_activity_at < at
    return or_(older, and_(Conversation.last_activity_at == at, Conversation.id < last_id))
