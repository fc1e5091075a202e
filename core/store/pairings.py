"""Links chat first, in SQL: a code asked for in the chat, typed on the web, which shows the account before it links."""

import secrets
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.codes import ALPHABET
from core.errors import Conflict, TooMany
from core.ids import new_id, secret_hash
from core.permissions import Principal
from core.store import identities, link_failures, linking
from core.store.audit import AuditTrail
from core.store.identities import Account
from core.store.links import LINKED, OPEN, PAIRING, check_person, forget_old, masked, view_of
from core.store.work import Work
from core.tables.identity import Identity, Link
from core.tables.people import User
from core.views import LinkView

LENGTH = 8
LIFE = timedelta(hours=1)
AGAIN = timedelta(minutes=10)
MAX_PENDING = 3


async def begin_pairing(work: Work, account: Account) -> str:
    """Give an unknown account the code (`XXXX-XXXX`, an hour, once) that its person types on the web.

    Raises Conflict (linked already), TooMany (one in 10 minutes for each account, three at a time for each bot: then
    a person who can sign in makes a code there instead).
    """
    await _check_may_begin(work.session, account)
    await forget_old(work.session)
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    row = Link(
        id=new_id("lnk"),
        kind=PAIRING,
        code_hash=_hash(code),
        channel=account.channel,
        account=account.account,
        external_id=account.external_id,
        shown_as=account.name,
        thread=account.thread,
        created_at=now(),
        expires_at=now() + LIFE,
    )
    work.session.add(row)
    await work.session.flush()
    return f"{code[:4]}-{code[4:]}"


async def _check_may_begin(session: AsyncSession, account: Account) -> None:
    await link_failures.check(session, secret_hash(f"bot\x1f{account.channel}\x1f{account.account}"))  # one at a time
    if await identities.of_account(session, account.channel, account.account, account.external_id) is not None:
        message = "This account is linked already."
        raise Conflict(message)
    of_bot = (Link.kind == PAIRING) & (Link.channel == account.channel) & (Link.account == account.account)
    recent = select(func.max(Link.created_at)).where(of_bot, Link.external_id == account.external_id)
    last = (await session.execute(recent)).scalar_one()
    if last is not None and last > now() - AGAIN:
        message = "You have a code already: use it, or ask again in a few minutes."
        raise TooMany(message, retry_after=(last + AGAIN - now()).total_seconds())
    pending = select(func.count()).select_from(Link)
    pending = pending.where(of_bot, Link.state == OPEN, Link.expires_at > now())
    if (await session.execute(pending)).scalar_one() >= MAX_PENDING:
        message = "Too many people ask for a code just now: sign in on the web and link from there, or come later."
        raise TooMany(message, retry_after=AGAIN.total_seconds())


def _hash(code: str) -> str:
    """Hash a code as people type it: small or capital letters, with or without hyphens and spaces."""
    return secret_hash("pairing\x1f" + "".join(one for one in code.upper() if one in ALPHABET))


async def look_up_pairing(work: Work, who: Principal, code: str) -> LinkView | None:
    """Say which account asked for this code, to be shown before the person confirms; it may be looked up again.

    None, whatever is wrong with the code, and that counts: commit then too. Raises TooMany (locked out), NotAllowed.
    """
    row = await _typed(work, who, code)
    return None if row is None else view_of(row)


async def confirm_pairing(work: Work, audit: AuditTrail, who: Principal, code: str) -> Identity | None:
    """Link the account that asked for this code to the person; the code is used up.

    None, whatever is wrong with the code, and that counts: commit then too. Raises TooMany (locked out), NotAllowed,
    Conflict (linked to somebody else meanwhile, too many accounts).
    """
    row = await _typed(work, who, code)
    if row is None:
        return None
    row.state, row.settled_at = LINKED, now()
    row.user_id, row.workspace_id = who.user_id, who.workspace_id
    account = Account(
        channel=row.channel,
        account=row.account,
        external_id=row.external_id or "",
        shown_as=row.shown_as,
        thread=row.thread,
    )
    said = f"This chat is linked to {masked(await _email(work.session, who))} now."
    return await linking.link(work, audit, who.user_id, who.workspace_id, account, say=said)


async def _email(session: AsyncSession, who: Principal) -> str:
    return (await session.execute(select(User.email).where(User.id == who.user_id))).scalar_one()


async def _typed(work: Work, who: Principal, code: str) -> Link | None:
    check_person(who)
    await work.session.execute(select(User.id).where(User.id == who.user_id).with_for_update())
    failures = await link_failures.check(work.session, who.user_id)
    statement = (
        select(Link)
        .where(Link.code_hash == _hash(code), Link.kind == PAIRING, Link.state == OPEN, Link.expires_at > now())
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = (await work.session.execute(statement)).scalar_one_or_none()
    if row is None:
        link_failures.count(failures)
    return row
