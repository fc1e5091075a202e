"""Who may hear a stream: asked when somebody joins, and again for all who listen."""

from collections.abc import Collection, Iterator, Sequence
from typing import TypeVarTuple

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.permissions import Principal, Role
from core.store.streams import Log
from core.store.visibility import sees_conversation
from core.tables.people import Membership, Session, User
from core.tables.talk import Conversation, Participant

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
    """Give the people behind those sign-ins that still hold, with their roles of now, by session id."""
    found: dict[str, Principal] = {}
    for part in _parts(list(session_ids)):
        statement = _holding(select(Session.id, User.id, Membership, User.name)).where(Session.id.in_(part))
        for session_id, user_id, membership, name in await session.execute(statement):
            found[session_id] = Principal(
                user_id=user_id,
                workspace_id=membership.workspace_id,
                membership_id=membership.id,
                session_id=session_id,
                role=Role(membership.role),
                name=name,
            )
    return found


async def admitted(session: AsyncSession, stream_id: str, session_ids: Collection[str]) -> set[str]:
    """Give those of the sign-ins that may hear the stream now. A deleted conversation still tells that it is."""
    found: set[str] = set()
    for part in _parts(list(session_ids)):
        statement = _holding(select(Session.id)).where(Session.id.in_(part))
        if stream_id.startswith("cnv_"):
            statement = statement.join(
                Conversation, (Conversation.id == stream_id) & (Conversation.workspace_id == Session.workspace_id)
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


def _holding(statement: Select[*_Row]) -> Select[*_Row]:
    """Keep to sign-ins that are not revoked, of people not disabled, who are still in the workspace."""
    return (
        statement.select_from(Session)
        .join(User, User.id == Session.user_id)
        .join(Membership, (Membership.user_id == User.id) & (Membership.workspace_id == Session.workspace_id))
        .where(Session.revoked_at.is_(None), User.disabled_at.is_(None), Membership.disabled_at.is_(None))
    )


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut a long list into what one statement takes."""
    for start in range(0, len(ids), _PART):
        yield ids[start : start + _PART]
