"""Links web first, in SQL: a code made here, said in the chat, and confirmed by that chat.

`new_code` -> `redeem` (the chat says the code; nothing is linked yet) -> `confirm` or `decline` by the same account.
"""

import base64
import secrets
from datetime import timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, NotAllowed, NotFound
from core.ids import new_id, secret_hash
from core.permissions import Principal
from core.store import identities, link_failures, linking
from core.store.audit import AuditTrail
from core.store.identities import Account
from core.store.work import Work
from core.tables.identity import Identity, Link
from core.tables.people import Membership, User
from core.views import LinkView

CODE, PAIRING = "code", "pairing"
OPEN, CONFIRMING, LINKED, DECLINED, WITHDRAWN = "open", "confirming", "linked", "declined", "withdrawn"
CODE_LIFE = timedelta(minutes=10)
KEPT = timedelta(days=30)
_CODE_BYTES = 16
_MAX_CODE = 64
_OF_CHATS = "idn_"


async def new_code(work: Work, audit: AuditTrail, who: Principal, channel: str) -> tuple[LinkView, str]:
    """Make the code (128 bits, 22 URL-safe characters, 10 minutes, once) that the person says in their chat.

    It is given now and never again; an earlier one for this channel holds no more. Raises NotAllowed (for a program or
    a chat: who links has to be signed in), Conflict (too many accounts).
    """
    check_person(who)
    await linking.check_room(work.session, who.user_id)
    await _withdraw_open(work.session, who.user_id, channel)
    await forget_old(work.session)
    code = base64.urlsafe_b64encode(secrets.token_bytes(_CODE_BYTES)).decode().rstrip("=")
    row = Link(
        id=new_id("lnk"),
        kind=CODE,
        code_hash=secret_hash(code),
        workspace_id=who.workspace_id,
        user_id=who.user_id,
        channel=channel,
        created_at=now(),
        expires_at=now() + CODE_LIFE,
    )
    work.session.add(row)
    await work.session.flush()
    await audit.record(work, who.workspace_id, who.user_id, "link.begun", row.id, channel=channel)
    return view_of(row), code


def check_person(who: Principal) -> None:
    """Raise NotAllowed for a program's token, and for a chat: neither may open another door to the person."""
    if who.is_program or who.session_id.startswith(_OF_CHATS):
        message = "Accounts are linked by the person themselves: sign in."
        raise NotAllowed(message)


async def _withdraw_open(session: AsyncSession, user_id: str, channel: str) -> None:
    theirs = (Link.user_id == user_id) & (Link.channel == channel) & (Link.kind == CODE)
    statement = update(Link).where(theirs, Link.state.in_([OPEN, CONFIRMING]))
    await session.execute(statement.values(state=WITHDRAWN, settled_at=now()))


async def forget_old(session: AsyncSession) -> None:
    """Remove links that came to nothing a while ago; strangers ask for them too."""
    old = select(Link.id).where(Link.expires_at < now() - KEPT, Link.state != LINKED)
    await session.execute(delete(Link).where(Link.id.in_(old.with_for_update(skip_locked=True))))


async def redeem(work: Work, code: str, account: Account) -> LinkView | None:
    """Take a code that somebody said in a chat: the chat is asked now ("link to `view.to`?"), nothing is linked yet.

    The same account may say it again until it answered. None, whatever is wrong with the code (never made, used, over,
    of another channel, of somebody shut out), and that counts: commit then too. Raises TooMany (this account is locked
    out for a while; say nothing else), Conflict (the account is linked already).
    """
    failures = await link_failures.check(work.session, sender_of(account))
    linked = await identities.of_account(work.session, account.channel, account.account, account.external_id)
    if linked is not None:
        message = "This account is linked already: unlink it first."
        raise Conflict(message)
    row = await _said(work.session, code, account)
    if row is None:
        link_failures.count(failures)
        return None
    row.state, row.account, row.external_id = CONFIRMING, account.account, account.external_id
    row.shown_as, row.thread = account.name, account.thread
    await work.session.flush()
    return view_of(row, await _name_of(work.session, row.user_id or ""))


def sender_of(account: Account) -> str:
    """Name whose wrong codes are counted."""
    return secret_hash(f"chat\x1f{account.channel}\x1f{account.account}\x1f{account.external_id}")


async def _said(session: AsyncSession, code: str, account: Account) -> Link | None:
    if not 0 < len(code) <= _MAX_CODE:
        return None
    statement = (
        select(Link)
        .join(Membership, (Membership.user_id == Link.user_id) & (Membership.workspace_id == Link.workspace_id))
        .join(User, User.id == Link.user_id)
        .where(Link.code_hash == secret_hash(code), Link.kind == CODE, Link.channel == account.channel)
        .where(Link.state.in_([OPEN, CONFIRMING]), Link.expires_at > now())
        .where(User.disabled_at.is_(None), Membership.disabled_at.is_(None))
        .with_for_update(of=Link)
        .execution_options(populate_existing=True)
    )
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None or (row.state == CONFIRMING and not _by(row, account)):
        return None
    return row


def _by(row: Link, account: Account) -> bool:
    theirs = (account.channel, account.account, account.external_id)
    return (row.channel, row.account, row.external_id) == theirs


async def confirm(work: Work, audit: AuditTrail, link_id: str, account: Account) -> Identity:
    """Link, for the chat said Yes: only by the account that said the code, in its 10 minutes; twice is once.

    Raises NotFound (no such question to this account), Conflict (linked to somebody else, too many accounts).
    """
    row = await _asked(work.session, link_id, account)
    if row.state == LINKED:
        found = await identities.of_account(work.session, account.channel, account.account, account.external_id)
        if found is not None and found.user_id == row.user_id:
            return found
    if row.state != CONFIRMING or row.expires_at <= now() or row.user_id is None or row.workspace_id is None:
        raise _nothing_to_confirm()
    await check_still_here(work.session, row.user_id, row.workspace_id)
    row.state, row.settled_at = LINKED, now()
    known = account.model_copy(update={"thread": account.thread or row.thread, "shown_as": row.shown_as})
    return await linking.link(work, audit, row.user_id, row.workspace_id, known)


async def decline(work: Work, audit: AuditTrail, link_id: str, account: Account) -> None:
    """End a link, for the chat said No: the code is used up, and its maker is told by the audit. Raises NotFound."""
    row = await _asked(work.session, link_id, account)
    if row.state != CONFIRMING:
        return
    row.state, row.settled_at = DECLINED, now()
    await work.session.flush()
    facts = {"channel": row.channel, "account": row.account, "external_id": row.external_id}
    await audit.record(work, row.workspace_id or "", row.user_id or "", "link.declined", row.id, **facts)


async def _asked(session: AsyncSession, link_id: str, account: Account) -> Link:
    row = await session.get(Link, link_id, with_for_update=True, populate_existing=True)
    if row is None or row.kind != CODE or not _by(row, account):
        raise _nothing_to_confirm()
    return row


def _nothing_to_confirm() -> NotFound:
    return NotFound("There is nothing to confirm here: get a new code.")


async def check_still_here(session: AsyncSession, user_id: str, workspace_id: str) -> None:
    """Raise NotFound when the person was shut out meanwhile."""
    statement = (
        select(User.id)
        .join(Membership, Membership.user_id == User.id)
        .where(User.id == user_id, Membership.workspace_id == workspace_id, User.kind == "person")
        .where(User.disabled_at.is_(None), Membership.disabled_at.is_(None))
    )
    if (await session.execute(statement)).first() is None:
        raise _nothing_to_confirm()


async def withdraw(work: Work, who: Principal, link_id: str) -> LinkView:
    """Take an own code back; one that is settled stays as it is. Raises NotFound."""
    row = await work.session.get(Link, link_id, with_for_update=True, populate_existing=True)
    if row is None or row.user_id != who.user_id:
        message = "There is no such link."
        raise NotFound(message)
    if row.state in {OPEN, CONFIRMING}:
        row.state, row.settled_at = WITHDRAWN, now()
    return view_of(row)


async def page(
    session: AsyncSession, who: Principal, *, limit: int, cursor: str | None
) -> tuple[list[LinkView], str | None, int]:
    """Give the person's own links under way and those that were, newest first; next cursor; total."""
    theirs = Link.user_id == who.user_id
    statement = select(Link).where(theirs).order_by(Link.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Link.id < cursor)
    rows = list((await session.execute(statement)).scalars())
    total = (await session.execute(select(func.count()).select_from(Link).where(theirs))).scalar_one()
    return [view_of(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None, total


async def _name_of(session: AsyncSession, user_id: str) -> str:
    email = (await session.execute(select(User.email).where(User.id == user_id))).scalar_one()
    return masked(email)


def masked(email: str) -> str:
    """Give an address so that its owner knows it, and nobody learns it: `j***@example.org`."""
    before, _, domain = email.partition("@")
    return f"{before[:1]}***@{domain}"


def view_of(row: Link, to: str = "") -> LinkView:
    """Give what the doors show of a link."""
    names = set(LinkView.model_fields) - {"to"}
    return LinkView.model_validate(row.model_dump(include=names) | {"to": to})
