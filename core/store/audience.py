"""Who may hear a stream: asked when somebody joins, and again for all who listen."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVarTuple

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import NotFound
from core.permissions import Principal, Role, Scope
from core.store.streams import Log
from core.store.visibility import sees_conversation
from core.tables.people import ApiToken, Membership, Session, User
from core.tables.talk import Conversation, Participant

_OF_PROGRAMS = "atk_"
_BEHIND: tuple[type[Session] | type[ApiToken], ...] = (Session, ApiToken)
_PART = 500
_Row = TypeVarTuple("_Row")


async def stream_for(session: AsyncSession, who: Principal, stream_id: str) -> Log:
    """Tell where a stream stands that this person may hear: an own inbox, or a conversation. Raises NotFound."""
    statement = select(Conversation.epoch, Conversation.last_seq).where(
        Conversation.id == stream_id, sees_conversation(who), Conversation.deleted_at.is_(None)
    )
    if stream_id == who.membership_id:
        statement = select(Membership.epoch, Membership.last_seq).where(Membership.id == stream_id)
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        message = "There is no such conversation."
        raise NotFound(message)
    return Log(epoch=row[0], last_seq=row[1])


async def standing(session: AsyncSession, session_ids: Collection[str]) -> dict[str, Principal]:
    """Give the people behind those sign-ins and tokens that still hold, with their roles of now, by session id."""
    found: dict[str, Principal] = {}
    for table in _BEHIND:
        for part in _parts([one for one in session_ids if is_token(one) is (table is ApiToken)]):
            behind_them: Select[Any, str, Membership] = select(table, User.name, Membership)
            statement = _holding(behind_them, table).where(table.id.in_(part))
            for row, name, membership in await session.execute(statement):
                found[row.id] = _principal(row, name, membership)
    return found


def is_token(session_id: str) -> bool:
    """Whether this is a program's token, and no sign-in."""
    return session_id.startswith(_OF_PROGRAMS)


def _principal(row: Session | ApiToken, name: str, membership: Membership) -> Principal:
    return Principal(
        user_id=row.user_id,
        workspace_id=membership.workspace_id,
        membership_id=membership.id,
        session_id=row.id,
        role=Role(membership.role),
        name=name,
        scopes=frozenset(Scope(one) for one in row.scopes) if isinstance(row, ApiToken) else None,
    )


async def behind(session: AsyncSession, token_hash: str) -> tuple[Principal, ApiToken] | None:
    """Give who is behind a program's token now, and its row; None when it holds no more, or never did."""
    statement = _holding(select(ApiToken, User.name, Membership), ApiToken).where(ApiToken.token_hash == token_hash)
    found = (await session.execute(statement)).one_or_none()
    return None if found is None else (_principal(*found), found[0])


async def admitted(session: AsyncSession, stream_id: str, session_ids: Collection[str]) -> set[str]:
    """Give those of the sign-ins and tokens that may hear the stream now. A deleted conversation still tells so."""
    found: set[str] = set()
    for table in _BEHIND:
        for part in _parts([one for one in session_ids if is_token(one) is (table is ApiToken)]):
            statement = _holding(select(table.id), table).where(table.id.in_(part))
            if stream_id.startswith("cnv_"):
                statement = statement.join(
                    Conversation, (Conversation.id == stream_id) & (Conversation.workspace_id == table.workspace_id)
                ).join(Participant, (Participant.conversation_id == Conversation.id) & (Participant.user_id == User.id))
            else:
                statement = statement.where(Membership.id == stream_id)
            found.update((await session.execute(statement)).scalars())
    return found


async def ends_of(session: AsyncSession, stream_ids: Collection[str]) -> dict[str, Log]:
    """Tell where each of these streams stands; the caller has checked who asks."""
    found: dict[str, Log] = {}
    for table in (Conversation, Membership):
        for part in _parts([one for one in stream_ids if one.startswith("cnv_") is (table is Conversation)]):
            statement = select(table.id, table.epoch, table.last_seq).where(table.id.in_(part))
            for stream_id, epoch, last_seq in await session.execute(statement):
                found[stream_id] = Log(epoch=epoch, last_seq=last_seq)
    return found


def _holding(statement: Select[*_Row], table: type[Session] | type[ApiToken]) -> Select[*_Row]:
    """Keep to what is not revoked or over, of people not disabled, who are still in the workspace."""
    holding = (
        statement.select_from(table)
        .join(User, User.id == table.user_id)
        .join(Membership, (Membership.user_id == User.id) & (Membership.workspace_id == table.workspace_id))
        .where(table.revoked_at.is_(None), User.disabled_at.is_(None), Membership.disabled_at.is_(None))
    )
    if table is ApiToken:
        holding = holding.where(or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now()))
    return holding


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut a long list into what one statement takes."""
    for start in range(0, len(ids), _PART):
        yield ids[start : start + _PART]
