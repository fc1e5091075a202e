"""Approvals in SQL, as they are read: what a person sees of them, what starts their workflow, who was asked."""

from collections.abc import Iterable, Sequence
from functools import cache

from sqlalchemy import ColumnElement, String, and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.sql import Select

from core.consent import ConsentPlan
from core.errors import NotFound
from core.events import DurableEvent
from core.messages import ApprovalInput
from core.permissions import Principal, Role
from core.store import deciders, streams
from core.store.viewing import approval_view
from core.store.visibility import anybody, parameters_of, sees_approval, waits_for
from core.store.work import Work
from core.tables.consent import Approval
from core.tables.people import Membership, User
from core.tables.talk import Conversation
from core.values import ApprovalState
from core.views import ApprovalView

QUESTION = "question"
"""The origin of what a service asked in the middle of a call."""
_CLOSED = (
    ApprovalState.APPROVED,
    ApprovalState.REJECTED,
    ApprovalState.EXPIRED,
    ApprovalState.WITHDRAWN,
    ApprovalState.VOID,
)


async def page(
    session: AsyncSession,
    who: Principal,
    *,
    state: str | None,
    conversation_id: str | None = None,
    mine: bool = False,
    limit: int,
    cursor: str | None,
) -> tuple[list[ApprovalView], str | None, int]:
    """Give the approvals the person sees, newest first. `state`: `pending`, `decided` or None for both.

    `mine`: only those that wait for this very person now.
    """
    wanted = _wanted(who, state, conversation_id, mine=mine)
    count = select(func.count()).select_from(Approval).where(wanted, _shown_to(who))
    total = (await session.execute(count)).scalar_one()
    statement = _seen_by(who).where(wanted)
    if cursor is not None:
        at = await session.get(Approval, cursor)
        if at is not None:
            statement = statement.where(
                (Approval.created_at < at.created_at) | ((Approval.created_at == at.created_at) & (Approval.id < at.id))
            )
    statement = statement.order_by(Approval.created_at.desc(), Approval.id.desc()).limit(limit + 1)
    rows = (await session.execute(statement)).all()
    following = rows[limit - 1][0].id if len(rows) > limit else None
    return [approval_view(*row) for row in rows[:limit]], following, total


def _wanted(who: Principal, state: str | None, conversation_id: str | None, *, mine: bool) -> ColumnElement[bool]:
    """Approvals of such a state; of a conversation, and only those that wait for the person, where that is asked."""
    states = _states(state)
    wanted = [Approval.state == states[0] if len(states) == 1 else Approval.state.in_(states), ~_is_moot()]
    if conversation_id is not None:
        wanted.append(Approval.conversation_id == conversation_id)
    return and_(*wanted, waits_for(who)) if mine else and_(*wanted)


def _is_moot() -> ColumnElement[bool]:
    """Whether nobody needs to decide any more: its conversation is deleted, and its withdrawal under way."""
    deleted = select(Conversation.id).where(Conversation.deleted_at.is_not(None))
    return and_(Approval.state == ApprovalState.PENDING, Approval.conversation_id.in_(deleted))


def _states(state: str | None) -> tuple[ApprovalState, ...]:
    if state == "pending":
        return (ApprovalState.PENDING,)
    return _CLOSED if state == "decided" else (ApprovalState.PENDING, *_CLOSED)


def _seen_by(who: Principal) -> Select[Approval, str, str, str]:
    decider, editor = aliased(User), aliased(User)
    return (
        select(Approval, User.name, decider.name, editor.name)
        .join(User, User.id == Approval.requester_id)
        .outerjoin(decider, decider.id == Approval.decided_by)
        .outerjoin(editor, editor.id == Approval.edited_by)
        .where(_shown_to(who))
    )


def _shown_to(who: Principal) -> ColumnElement[bool]:
    return and_(sees_approval(who), (Approval.state != ApprovalState.REQUESTED) | _asked_outside(who))


def _asked_outside(who: Principal) -> ColumnElement[bool]:
    """Whether a program asked for it on behalf of this user: who asked sees it before anybody else does."""
    return and_(Approval.turn_id.is_(None), Approval.requester_id == who.user_id)


async def one(session: AsyncSession, who: Principal, approval_id: str) -> ApprovalView:
    """Give one approval that the person sees; raises NotFound."""
    values = parameters_of(who) | {"approval_id": approval_id}
    row = (await session.execute(_statement_of_one(who.role), values)).one_or_none()
    if row is None:
        message = "There is no such approval."
        raise NotFound(message)
    return approval_view(*row)


@cache
def _statement_of_one(role: Role) -> Select[Approval, str, str, str]:
    """Make the statement once for each role: building it takes longer than running it, and each decision asks it."""
    return _seen_by(anybody(role)).where(Approval.id == bindparam("approval_id", type_=String()))


async def count_open(session: AsyncSession, conversation_id: str) -> int:
    """Count a conversation's undecided approvals."""
    open_states = (ApprovalState.REQUESTED, ApprovalState.PENDING)
    waits = Approval.conversation_id == conversation_id, Approval.state.in_(open_states)
    return (await session.execute(select(func.count()).select_from(Approval).where(*waits))).scalar_one()


async def open_of_turn(session: AsyncSession, turn_id: str) -> list[Approval]:
    """Give a turn's undecided approvals."""
    open_states = (ApprovalState.REQUESTED, ApprovalState.PENDING)
    statement = select(Approval).where(Approval.turn_id == turn_id, Approval.state.in_(open_states))
    return list((await session.execute(statement)).scalars())


def as_input(row: Approval) -> ApprovalInput:
    """Give what starts the approval's workflow."""
    return ApprovalInput(
        approval_id=row.id,
        requester_id=row.requester_id,
        requester_person_id=row.requester_person_id,
        plan=ConsentPlan.model_validate(row.plan),
        digest=row.digest,
        expires_at=row.expires_at,
        question=row.origin == QUESTION,
    )


async def lock(session: AsyncSession, approval_id: str) -> Approval:
    """Lock an approval's conversation, if it has one, then the approval; raises NotFound."""
    conversation = select(Conversation.id).join(Approval, Approval.conversation_id == Conversation.id)
    await session.execute(conversation.where(Approval.id == approval_id).with_for_update(of=Conversation))
    statement = select(Approval).where(Approval.id == approval_id).with_for_update()
    found = (await session.execute(statement.execution_options(populate_existing=True))).scalar_one_or_none()
    if found is None:
        message = "There is no such approval."
        raise NotFound(message)
    return found


async def view_of(session: AsyncSession, approval: Approval) -> ApprovalView:
    """Show an approval to whoever may see it."""
    names = await names_of(session, (approval.requester_id, approval.decided_by, approval.edited_by))
    decided_by, edited_by = names.get(approval.decided_by or ""), names.get(approval.edited_by or "")
    return approval_view(approval, names.get(approval.requester_id, ""), decided_by, edited_by)


async def names_of(session: AsyncSession, user_ids: Iterable[str | None]) -> dict[str, str]:
    """Give these people's names."""
    wanted = sorted({one for one in user_ids if one})
    rows = await session.execute(select(User.id, User.name).where(User.id.in_(wanted)))
    return {row[0]: row[1] for row in rows}


async def name_of(session: AsyncSession, user_id: str | None) -> str | None:
    """Give a person's name."""
    user = await session.get(User, user_id) if user_id else None
    return user.name if user else None


async def tell(work: Work, approval: Approval, event: DurableEvent, inboxes: Sequence[str]) -> None:
    """Write an event to the approval's conversation, or to the inbox of who asked; and to those of these members."""
    told = list(inboxes)
    if approval.conversation_id is not None:
        await streams.append(work, approval.conversation_id, event)
    else:
        told += [one for one in await _inbox_of_asker(work.session, approval) if one not in told]
    for membership_id in told:
        await streams.notify(work, membership_id, event)


async def _inbox_of_asker(session: AsyncSession, approval: Approval) -> list[str]:
    statement = select(Membership.id).where(
        Membership.user_id == approval.requester_id, Membership.workspace_id == approval.workspace_id
    )
    return list((await session.execute(statement)).scalars())


async def asked(session: AsyncSession, approval: Approval) -> list[str]:
    """Give the membership ids of all who were ever told of it: those of now, of earlier stages, and who answered."""
    plan = ConsentPlan.model_validate(approval.plan)
    escalated = approval.escalated_at is not None
    stages = range(approval.stage + 1)
    entitled = {way for one in stages for way in deciders.ways(plan, one, approval.requester_id, escalated=escalated)}
    entitled |= {("user", vote["user_id"]) for vote in approval.votes}
    people = await deciders.people_for(session, approval.workspace_id, entitled)
    return [member for member, _ in (*people, *await deciders.deputies(session, approval, people))]
