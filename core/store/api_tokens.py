"""Programs' tokens in SQL: made by a person for a time and a purpose, shown once, listed, revoked."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import new_id, new_secret, secret_hash
from core.permissions import Principal, Role, Scope
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.people import ApiToken
from core.views import ApiTokenView

PREFIX = "ast_"
MAX_DAYS = 365
MAX_TOKENS = 50
USED_EVERY = timedelta(minutes=1)
_HINT = 4


async def create(
    work: Work, audit: AuditTrail, who: Principal, *, name: str, days: int | None, scopes: Collection[Scope]
) -> tuple[ApiTokenView, str]:
    """Make a token, which is given now and never again; `days` None: it never ends, which only owners may ask for.

    Raises NotAllowed (for a program; more than the person may), Conflict (too many), Invalid.
    """
    return await create_for(work, audit, who, who.user_id, name=name, days=days, scopes=scopes)


async def create_for(
    work: Work,
    audit: AuditTrail,
    who: Principal,
    user_id: str,
    *,
    name: str,
    days: int | None,
    scopes: Collection[Scope],
) -> tuple[ApiTokenView, str]:
    """Make a token that acts as another user of the workspace; whether who asks may is the caller's to know."""
    _check_person(who)
    _check_asked(who, days, scopes)
    if await _count(work.session, who.workspace_id, user_id) >= MAX_TOKENS:
        message = f"There are {MAX_TOKENS} tokens already: revoke one."
        raise Conflict(message)
    secret = PREFIX + new_secret()
    row = ApiToken(
        id=new_id("atk"),
        workspace_id=who.workspace_id,
        user_id=user_id,
        name=name,
        token_hash=secret_hash(secret),
        hint=secret[-_HINT:],
        scopes=sorted(scopes),
        created_at=now(),
        expires_at=None if days is None else now() + timedelta(days=days),
    )
    work.session.add(row)
    await work.session.flush()
    facts = {"scopes": row.scopes, "expires_at": row.expires_at.isoformat() if row.expires_at else None}
    await audit.record(work, who.workspace_id, who.user_id, "token.created", row.id, of=user_id, **facts)
    return _view(row), secret


def _check_person(who: Principal) -> None:
    if who.is_program:
        message = "A program's token makes and revokes no tokens: sign in yourself."
        raise NotAllowed(message)


def _check_asked(who: Principal, days: int | None, scopes: Collection[Scope]) -> None:
    if not scopes:
        message = "A token without a scope is good for nothing."
        raise Invalid(message)
    if days is None and who.role is not Role.OWNER:
        message = f"Only an owner may make a token that never ends; yours may last up to {MAX_DAYS} days."
        raise NotAllowed(message)
    if Scope.ADMIN in scopes:
        who.must_be(Role.OWNER, Role.ADMIN)


async def page(
    session: AsyncSession,
    who: Principal,
    *,
    limit: int,
    cursor: str | None,
    everybody: bool = False,
    of: str | None = None,
) -> tuple[list[ApiTokenView], str | None, int]:
    """Give the person's tokens, or (to owners and admins) everybody's or `of` one, newest first; next cursor; total."""
    if everybody or of is not None:
        who.must_be(Role.OWNER, Role.ADMIN)
    theirs = ApiToken.workspace_id == who.workspace_id
    if not everybody:
        theirs = theirs & (ApiToken.user_id == (of or who.user_id))
    statement = select(ApiToken).where(theirs).order_by(ApiToken.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(ApiToken.id < cursor)
    rows = list((await session.execute(statement)).scalars())
    total = (await session.execute(select(func.count()).select_from(ApiToken).where(theirs))).scalar_one()
    return [_view(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None, total


async def revoke(work: Work, audit: AuditTrail, who: Principal, token_id: str) -> ApiTokenView:
    """End a token at once, an own one or (owners and admins) anybody's; twice is once. Raises NotFound, NotAllowed."""
    _check_person(who)
    statement = select(ApiToken).where(ApiToken.id == token_id, ApiToken.workspace_id == who.workspace_id)
    row = (await work.session.execute(statement.with_for_update())).scalar_one_or_none()
    may = row is not None and (row.user_id == who.user_id or who.role in {Role.OWNER, Role.ADMIN})
    if row is None or not may:
        message = "There is no such token."
        raise NotFound(message)
    if row.revoked_at is None:
        row.revoked_at, row.revoked_by = now(), who.user_id
        await work.session.flush()
        await audit.record(work, who.workspace_id, who.user_id, "token.revoked", row.id, of=row.user_id)
    return _view(row)


async def note_used(session: AsyncSession, token_id: str, at: datetime) -> None:
    """Remember when a token was last used, at most once a minute over all processes."""
    due = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at < at - USED_EVERY)
    await session.execute(update(ApiToken).where(ApiToken.id == token_id, due).values(last_used_at=at))


async def _count(session: AsyncSession, workspace_id: str, user_id: str) -> int:
    holds = or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now())
    statement = select(func.count()).select_from(ApiToken)
    statement = statement.where(ApiToken.user_id == user_id, ApiToken.workspace_id == workspace_id)
    return (await session.execute(statement.where(ApiToken.revoked_at.is_(None), holds))).scalar_one()


def _view(row: ApiToken) -> ApiTokenView:
    return ApiTokenView.model_validate(row.model_dump(include=set(ApiTokenView.model_fields)))
