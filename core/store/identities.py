"""Accounts of people on channels, in SQL: who is behind one now, where they are reached, and the end of a link."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import NotFound
from core.events import IdentityChanged
from core.outgoing import plain
from core.permissions import Principal, Role
from core.store import bindings, deliveries, streams
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.connect import Delivery
from core.tables.identity import Identity
from core.tables.people import Membership, User
from core.tables.talk import Conversation, Participant
from core.text import clean_text, reveal
from core.values import Value
from core.views import IdentityView

MAX_SHOWN = 100


class Account(Value):
    """An account on a channel as the channel reports it: an immutable id, the name there, the private chat."""

    channel: str
    account: str
    external_id: str
    shown_as: str = ""
    thread: str | None = None

    @property
    def name(self) -> str:
        """The name there, cut and with hidden characters shown: anybody may choose any."""
        return reveal(clean_text(self.shown_as))[:MAX_SHOWN]


async def of_account(session: AsyncSession, channel: str, account: str, external_id: str) -> Identity | None:
    """Give the identity of an account on a channel, if it is linked to anybody."""
    statement = select(Identity).where(
        Identity.channel == channel, Identity.account == account, Identity.external_id == external_id
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def principal_of(session: AsyncSession, channel: str, account: str, external_id: str) -> Principal | None:
    """Give the person behind an account on a channel, with the role of this moment.

    `session_id` is the identity's id. None when the account is not linked, or its person is shut out: there is no
    other person to fall back to, whoever asks.
    """
    statement = (
        select(Identity, Membership, User.name)
        .join(User, User.id == Identity.user_id)
        .join(Membership, (Membership.user_id == User.id) & (Membership.workspace_id == Identity.workspace_id))
        .where(Identity.channel == channel, Identity.account == account, Identity.external_id == external_id)
        .where(User.kind == "person", User.disabled_at.is_(None), Membership.disabled_at.is_(None))
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        return None
    identity, member, name = row
    return Principal(
        user_id=identity.user_id,
        workspace_id=identity.workspace_id,
        membership_id=member.id,
        session_id=identity.id,
        role=Role(member.role),
        name=name,
    )


async def current_conversation(session: AsyncSession, identity_id: str) -> str | None:
    """Give the conversation that a linked private chat continues; None when it has none, or it is theirs no more."""
    statement = (
        select(Identity.conversation_id)
        .join(Conversation, Conversation.id == Identity.conversation_id)
        .join(
            Participant,
            (Participant.conversation_id == Conversation.id) & (Participant.user_id == Identity.user_id),
        )
        .where(Identity.id == identity_id, Conversation.workspace_id == Identity.workspace_id)
        .where(Conversation.deleted_at.is_(None))
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def set_conversation(work: Work, identity_id: str, conversation_id: str | None) -> None:
    """Make this the current conversation of a person's private chats: all their linked accounts share it.

    Raises NotFound when the identity is gone, or the person is not in that conversation.
    """
    identity = await _locked(work.session, identity_id)
    theirs = (Identity.user_id == identity.user_id) & (Identity.workspace_id == identity.workspace_id)
    await work.session.execute(update(Identity).where(theirs).values(conversation_id=conversation_id))
    await work.session.flush()
    if conversation_id is not None and await current_conversation(work.session, identity_id) is None:
        message = "There is no such conversation."
        raise NotFound(message)


async def reached(
    session: AsyncSession, workspace_id: str, user_ids: Collection[str] | None = None
) -> Sequence[Identity]:
    """Give the accounts on which these people of the workspace (None: all) are told: whole, with a private chat."""
    statement = (
        select(Identity)
        .join(User, User.id == Identity.user_id)
        .join(Membership, (Membership.user_id == User.id) & (Membership.workspace_id == Identity.workspace_id))
        .where(Identity.workspace_id == workspace_id)
        .where(Identity.broken_at.is_(None), Identity.thread.is_not(None))
        .where(User.disabled_at.is_(None), Membership.disabled_at.is_(None))
        .order_by(Identity.id)
    )
    if user_ids is not None:
        statement = statement.where(Identity.user_id.in_(user_ids))
    return list((await session.execute(statement)).scalars())


async def mark_broken(work: Work, identity_id: str) -> None:
    """Send nothing there any more: the person blocked us, say. Twice is once; one that is gone is no error."""
    await _mark(work, identity_id, broken=True)


async def mark_whole(work: Work, identity_id: str, thread: str | None = None, shown_as: str | None = None) -> None:
    """Reach the person there again, for they wrote; `thread` and `shown_as` are as they are now, if known."""
    identity = await _mark(work, identity_id, broken=False)
    if identity is not None:
        identity.thread = thread or identity.thread
        identity.shown_as = identity.shown_as if shown_as is None else reveal(clean_text(shown_as))[:MAX_SHOWN]


async def _mark(work: Work, identity_id: str, *, broken: bool) -> Identity | None:
    identity = await work.session.get(Identity, identity_id, with_for_update=True, populate_existing=True)
    if identity is not None and (identity.broken_at is not None) is not broken:
        identity.broken_at = now() if broken else None
        await work.session.flush()
        await tell(work, identity)
    return identity


async def unlink(work: Work, audit: AuditTrail, who: Principal, identity_id: str) -> IdentityView:
    """End a link at once: an own one, or (owners and admins) one of somebody in the workspace.

    What was on its way there is dropped, the buttons of its prompts are worth nothing. Raises NotFound.
    """
    identity = await work.session.get(Identity, identity_id, with_for_update=True, populate_existing=True)
    if identity is None or not await _may_unlink(work.session, who, identity):
        message = "There is no such linked account."
        raise NotFound(message)
    await _drop_deliveries(work, identity)
    await bindings.untie(work, identity.channel, identity.account, identity.thread)
    if who.session_id != identity.id:
        await say(work, identity, "unlinked", "This chat is linked to nobody here any more.")
    view = view_of(identity).model_copy(update={"unlinked_at": now()})
    await work.session.delete(identity)
    await work.session.flush()
    await _notify(work, identity, view)
    facts = {"channel": identity.channel, "account": identity.account, "external_id": identity.external_id}
    await audit.record(
        work, identity.workspace_id, who.user_id, "identity.unlinked", identity.id, of=identity.user_id, **facts
    )
    return view


async def _may_unlink(session: AsyncSession, who: Principal, identity: Identity) -> bool:
    """Whether it is theirs, or of somebody whom they manage: an admin manages everybody but owners."""
    if identity.user_id == who.user_id:
        return True
    if identity.workspace_id != who.workspace_id or who.role not in {Role.OWNER, Role.ADMIN}:
        return False
    statement = select(Membership.role).where(
        Membership.user_id == identity.user_id, Membership.workspace_id == identity.workspace_id
    )
    return who.role is Role.OWNER or (await session.execute(statement)).scalar_one_or_none() != Role.OWNER


async def _drop_deliveries(work: Work, identity: Identity) -> None:
    """Send and edit nothing there any more: a prompt that was sent is not told how it ended, its buttons are void."""
    statement = (
        select(Delivery)
        .where(Delivery.channel == identity.channel, Delivery.account == identity.account)
        .where(Delivery.user_id == identity.user_id, Delivery.thread == (identity.thread or ""))
        .where(Delivery.state.in_([deliveries.WAITING, deliveries.SENT]))
        .order_by(Delivery.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for row in list((await work.session.execute(statement)).scalars()):
        row.token_hash, row.shown = None, row.version
        if row.state == deliveries.WAITING or row.kind == deliveries.PROMPT:
            row.state, row.detail, row.updated_at = deliveries.DROPPED, "unlinked", now()
            await deliveries.tell(work, row)
    await work.session.flush()


async def say(work: Work, identity: Identity, about: str, text: str) -> None:
    """Tell the chat itself something about its link; it gets that though it may be linked no more."""
    if identity.thread is None:
        return
    wanted = deliveries.Wanted(
        workspace_id=identity.workspace_id,
        kind=deliveries.NOTICE,
        ref=f"{identity.id}:{about}",
        channel=identity.channel,
        account=identity.account,
        thread=identity.thread,
        body={"message": plain(text).model_dump(mode="json")},
    )
    await deliveries.put(work, wanted)


async def page(
    session: AsyncSession, who: Principal, *, user_id: str | None, limit: int, cursor: str | None
) -> tuple[list[IdentityView], str | None, int]:
    """Give a person's linked accounts, newest first; next cursor; total. Others' are for owners and admins."""
    theirs = Identity.user_id == (user_id or who.user_id)
    if user_id not in {None, who.user_id}:
        who.must_be(Role.OWNER, Role.ADMIN)
        theirs &= Identity.workspace_id == who.workspace_id
    statement = select(Identity).where(theirs).order_by(Identity.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Identity.id < cursor)
    rows = list((await session.execute(statement)).scalars())
    total = (await session.execute(select(func.count()).select_from(Identity).where(theirs))).scalar_one()
    return [view_of(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None, total


async def tell(work: Work, identity: Identity) -> None:
    """Write to the person's inbox how a linked account of theirs is now."""
    await _notify(work, identity, view_of(identity))


async def _notify(work: Work, identity: Identity, view: IdentityView) -> None:
    statement = select(Membership.id).where(
        Membership.user_id == identity.user_id, Membership.workspace_id == identity.workspace_id
    )
    member = (await work.session.execute(statement)).scalar_one_or_none()
    if member is not None:
        await streams.notify(work, member, IdentityChanged(identity=view))


async def _locked(session: AsyncSession, identity_id: str) -> Identity:
    found = await session.get(Identity, identity_id, with_for_update=True, populate_existing=True)
    if found is None:
        message = "There is no such linked account."
        raise NotFound(message)
    return found


def view_of(identity: Identity) -> IdentityView:
    """Give what the doors show of a linked account."""
    return IdentityView.model_validate(identity.model_dump(include=set(IdentityView.model_fields)))
