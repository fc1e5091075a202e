"""Who sees what: the one filter that every query for a person goes through."""

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select

from core.permissions import Principal
from core.store.deciders import entitles
from core.tables.consent import Approval, Decision
from core.tables.memory import Document
from core.tables.talk import Conversation, Participant


def takes_part(who: Principal, conversation_id: Any) -> ColumnElement[bool]:
    """Whether this person takes part in that conversation."""
    return exists(select(1).where(Participant.conversation_id == conversation_id, Participant.user_id == who.user_id))


def sees_conversation(who: Principal) -> ColumnElement[bool]:
    """Conversations of the person's workspace in which the person takes part."""
    return and_(Conversation.workspace_id == who.workspace_id, takes_part(who, Conversation.id))


def may_decide(who: Principal) -> ColumnElement[bool]:
    """Approvals of the workspace that the person may decide, in their own right or in place of somebody else."""
    return and_(Approval.workspace_id == who.workspace_id, entitles(who))


def sees_approval(who: Principal) -> ColumnElement[bool]:
    """Approvals that the person asked for or may decide, or of a conversation in which the person takes part."""
    of_mine = or_(takes_part(who, Approval.conversation_id), Approval.requester_id == who.user_id)
    return and_(Approval.workspace_id == who.workspace_id, or_(of_mine, may_decide(who), _decided_by(who)))


def _decided_by(who: Principal) -> ColumnElement[bool]:
    """Whether the person answered it: who did sees what became of it."""
    return exists(select(1).where(Decision.approval_id == Approval.id, Decision.user_id == who.user_id))


def sees_document(who: Principal) -> ColumnElement[bool]:
    """Documents of the person's workspace that are not deleted: the whole workspace's, and of conversations of theirs.

    A deleted conversation hides its documents until it is restored.
    """
    in_mine = exists(
        select(1).where(
            Conversation.id == Document.conversation_id, sees_conversation(who), Conversation.deleted_at.is_(None)
        )
    )
    shown = or_(Document.conversation_id.is_(None), in_mine)
    return and_(Document.workspace_id == who.workspace_id, Document.deleted_at.is_(None), shown)
