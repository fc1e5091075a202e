"""The moment in SQL in which an account on a channel becomes a person's, for every way that leads there."""

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict
from core.ids import new_id
from core.outgoing import plain
from core.store import deciders, identities, prompting
from core.store.audit import AuditTrail
from core.store.identities import Account
from core.store.work import Work
from core.tables.identity import Identity
from core.tables.people import User

MAX_IDENTITIES = 10


async def link(
    work: Work, audit: AuditTrail, user_id: str, workspace_id: str, account: Account, *, say: str | None = None
) -> Identity:
    """Make an account on a channel a person's, in this workspace; theirs already is no error.

    For `core.store.links` and for sign-in elsewhere, which have seen both sides agree. Raises Conflict when it is
    somebody else's (it is never moved), or the person has MAX_IDENTITIES. `say`: what the chat is told then.
    """
    await work.session.execute(select(User.id).where(User.id == user_id).with_for_update())
    found = await identities.of_account(work.session, account.channel, account.account, account.external_id)
    if found is None:
        await check_room(work.session, user_id)
        found = await _insert(work.session, user_id, workspace_id, account)
        await identities.tell(work, found)
        if say is not None:
            await identities.say(work, found, "linked", say)
        await _tell_others(work, found)
        facts = {"channel": found.channel, "account": found.account, "external_id": found.external_id}
        await audit.record(work, workspace_id, user_id, "identity.linked", found.id, **facts)
    if found.user_id != user_id:
        message = "This account is linked to somebody else: they have to unlink it first."
        raise Conflict(message)
    return found


async def _tell_others(work: Work, new: Identity) -> None:
    """Tell the person's other chats of a new one: who did not link it learns that somebody else did."""
    persons = await deciders.persons_of(work.session, new.workspace_id, {new.user_id})
    accounts = await deciders.accounts_of(work.session, new.workspace_id, set(persons.values()))
    shown = f" {new.shown_as}" if new.shown_as else ""
    text = f"Another account can speak and decide as you now: {new.channel.capitalize()}{shown}, {new.external_id}."
    text += " If that was not you, unlink it at once, and change your password."
    await prompting.notify(work, new.workspace_id, accounts, f"{new.id}:linked", plain(text), but=new.id)


async def check_room(session: AsyncSession, user_id: str) -> None:
    """Raise Conflict when a person has as many accounts as one may."""
    statement = select(func.count()).select_from(Identity).where(Identity.user_id == user_id)
    if (await session.execute(statement)).scalar_one() >= MAX_IDENTITIES:
        message = f"There are {MAX_IDENTITIES} linked accounts already: unlink one first."
        raise Conflict(message)


async def _insert(session: AsyncSession, user_id: str, workspace_id: str, account: Account) -> Identity:
    shared = select(Identity.conversation_id).where(
        Identity.user_id == user_id, Identity.workspace_id == workspace_id, Identity.conversation_id.is_not(None)
    )
    values = {
        "id": new_id("idn"),
        "user_id": user_id,
        "workspace_id": workspace_id,
        "channel": account.channel,
        "account": account.account,
        "external_id": account.external_id,
        "shown_as": account.name,
        "thread": account.thread,
        "conversation_id": (await session.execute(shared.limit(1))).scalar_one_or_none(),
        "linked_at": now(),
    }
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    await session.execute(insert(Identity).values(**values).on_conflict_do_nothing())
    found = await identities.of_account(session, account.channel, account.account, account.external_id)
    if found is None or found.user_id != user_id:
        message = "This account is linked to somebody else: they have to unlink it first."
        raise Conflict(message)
    return found
