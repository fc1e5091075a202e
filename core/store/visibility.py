"""Who sees what: the one filter that every query for a person goes through."""

from typing import Any

from sqlalchemy import ColumnElement, String, Text, and_, bindparam, cast, exists, func, or_, select

from core.clock import now
from core.permissions import Principal, Role
from core.store.deciders import entitles
from core.tables.consent import Approval, Decision
from core.tables.memory import Document
from core.tables.people import Membership
from core.tables.talk import Conversation, Participant
from core.values import ApprovalState

_IDS = ("user_id", "workspace_id", "membership_id", "session_id")


def anybody(role: Role) -> Principal:
    """Give a person of this role whose ids are parameters: a statement made for them is anybody's of that role."""
    ids: dict[str, Any] = {name: bindparam(name, type_=String()) for name in _IDS}
    return Principal.model_construct(role=role, name="", scopes=None, **ids)


def parameters_of(who: Principal) -> dict[str, str]:
    """Give what a statement made for `anybody` of the person's role takes."""
    return {name: getattr(who, name) for name in _IDS}


def takes_part(who: Principal, conversation_id: Any) -> ColumnElement[bool]:
    """Whether this person takes part in that conversation."""
    return exists(select(1).where(Participant.conversation_id == conversation_id, Participant.user_id == who.user_id))


def sees_conversation(who: Principal) -> ColumnElement[bool]:
    """Conversations of the person's workspace in which the person takes part."""
    return and_(Conversation.workspace_id == who.workspace_id, takes_part(who, Conversation.id))


def may_decide(who: Principal) -> ColumnElement[bool]:
    """Approvals of the workspace that the person may decide, in their own right or in place of somebody else."""
    return and_(Approval.workspace_id == who.workspace_id, entitles(who))


def waits_for(who: Principal) -> ColumnElement[bool]:
    """Approvals that wait for this very person: pending, theirs to decide, and not answered by them as they stand."""
    person = func.coalesce(Membership.person_id, Membership.user_id)
    mine = select(person).where(Membership.id == who.membership_id).scalar_subquery()
    voters = select(Decision.id).join(Membership, Membership.user_id == Decision.user_id)
    voted = voters.where(
        Decision.approval_id == Approval.id,
        Membership.workspace_id == who.workspace_id,
        person == mine,
        cast(Approval.votes, Text).contains(Decision.id),
    )
    requester = func.coalesce(Approval.requester_person_id, Approval.requester_id)
    excluded = and_(Approval.plan["exclude_requester"].as_boolean(), requester == mine)
    in_time = and_(Approval.state == ApprovalState.PENDING, Approval.expires_at > now())
    return and_(in_time, may_decide(who), ~exists(voted), ~excluded)


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
