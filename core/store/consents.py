"""Approvals in SQL, as they change: shown once their workflow waits, brought on by votes, closed, consumed once."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.consent import Vote
from core.events import ApprovalClosed, ApprovalRequested, ApprovalUpdated, ToolProposed
from core.messages import ApprovalOutcome, ApprovalProgress
from core.store import calls, deciders, lease, prompting, streams, webhooks
from core.store.approvals import asked, lock, names_of, tell, view_of
from core.store.audit import AuditTrail
from core.store.viewing import call_view
from core.store.work import Work
from core.tables.consent import Approval, ApprovalParty, Decision
from core.tables.work import ToolCall
from core.values import ApprovalState, CallState, CallVerdict, TurnState
from core.views import VoteView

_CALL_STATE = {
    ApprovalState.REJECTED: CallState.REJECTED,
    ApprovalState.EXPIRED: CallState.EXPIRED,
    ApprovalState.WITHDRAWN: CallState.NOT_RUN,
}


async def show(work: Work, approval_id: str) -> tuple[Approval | None, bool]:
    """Make a requested approval pending, and tell its conversation and everyone who may decide.

    Returns the row, None when its turn is over; and whether this very call showed it.
    """
    approval = await lock(work.session, approval_id)
    if approval.state != ApprovalState.REQUESTED:
        return (approval if ApprovalState(approval.state).is_open else None), False
    if approval.turn_id is not None:
        _, turn = await lease.lock_turn(work.session, approval.turn_id)
        if TurnState(turn.state).is_terminal:
            return None, False
    with work.session.no_autoflush:
        approval.state, approval.opened_at = ApprovalState.PENDING, now()
        people = await write_parties(work.session, approval)
    await work.session.flush()
    view = await view_of(work.session, approval)
    await tell(work, approval, ApprovalRequested(approval=view), people)
    await webhooks.tell_of_approval(work, webhooks.APPROVAL_REQUESTED, approval, view)
    await prompting.refresh(work, approval)
    return approval, True


async def editor_of(session: AsyncSession, told: ApprovalProgress | ApprovalOutcome) -> str | None:
    """Give whose edit a word of the workflow brings that is not stored yet."""
    if told.revision is None:
        return None
    approval = await lock(session, told.approval_id)
    if approval.digest == told.digest or not ApprovalState(approval.state).is_open:
        return None
    return (await session.get_one(Decision, told.revision)).user_id


async def note(work: Work, progress: ApprovalProgress) -> Approval | None:
    """Store how an open approval stands and tell everyone; None when that is no news, or it is closed.

    The rows of votes, the edit and the parties follow from the workflow's word alone.
    """
    approval = await lock(work.session, progress.approval_id)
    if not ApprovalState(approval.state).is_open:
        return None
    before = (approval.digest, approval.stage, len(approval.votes), approval.escalated_at is not None)
    after = (progress.digest, progress.stage, len(progress.votes), progress.escalated)
    if before == after and not progress.remind:
        return None
    if progress.revision is not None and approval.digest != progress.digest:
        await apply_revision(work.session, approval, progress.revision)
    approval.stage, approval.expires_at = progress.stage, progress.expires_at
    approval.votes = await vote_rows(work.session, progress.votes)
    if progress.escalated and approval.escalated_at is None:
        approval.escalated_at = now()
    people = await write_parties(work.session, approval)
    await work.session.flush()
    await tell(work, approval, ApprovalUpdated(approval=await view_of(work.session, approval)), people)
    await prompting.refresh(work, approval, remind=progress.remind)
    return approval


async def apply_revision(session: AsyncSession, approval: Approval, decision_id: str) -> None:
    """Put what an edit made of an approval, and of its call, in the place of what was there."""
    decision = await session.get_one(Decision, decision_id)
    revision = decision.revision or {}
    approval.arguments, approval.preview = revision["arguments"], revision["preview"]
    approval.plan, approval.bound, approval.digest = revision["plan"], revision["bound"], revision["digest"]
    approval.rule, approval.policy_version = revision["rule"], revision["policy_version"]
    approval.revision, approval.edited_by = approval.revision + 1, decision.user_id
    if approval.tool_call_id is not None:
        call = await session.get_one(ToolCall, approval.tool_call_id)
        call.arguments, call.edited_by = revision["arguments"], decision.user_id


async def vote_rows(session: AsyncSession, votes: Sequence[Vote]) -> list[dict[str, Any]]:
    """Give votes as they are stored and shown, with names, doors and comments."""
    if not votes:
        return []
    wanted = select(Decision).where(Decision.id.in_([vote.decision_id for vote in votes]))
    decisions = {one.id: one for one in (await session.execute(wanted)).scalars()}
    people = [one.user_id for vote in votes for one in (vote.voter, vote.in_place_of) if one is not None]
    names = await names_of(session, people)
    rows = []
    for vote in votes:
        decision = decisions.get(vote.decision_id)
        seat = vote.in_place_of
        row = VoteView(
            decision_id=vote.decision_id,
            user_id=vote.voter.user_id,
            name=names.get(vote.voter.user_id, ""),
            in_place_of=names.get(seat.user_id) if seat else None,
            verdict=vote.verdict,
            door=decision.door if decision else "",
            assurance=vote.assurance,
            stage=vote.stage,
            comment=decision.comment if decision else None,
            at=vote.at,
        )
        rows.append(row.model_dump(mode="json"))
    return rows


async def write_parties(session: AsyncSession, approval: Approval) -> list[str]:
    """Write anew who may decide now; gives their membership ids."""
    entitled = deciders.ways_of(approval)
    await session.execute(delete(ApprovalParty).where(ApprovalParty.approval_id == approval.id))
    session.add_all(
        [ApprovalParty(approval_id=approval.id, kind=kind, value=value) for kind, value in sorted(entitled)]
    )
    return await write_deciders(session, approval)


async def write_deciders(session: AsyncSession, approval: Approval) -> list[str]:
    """Name anew who may decide, where only people changed; gives their membership ids."""
    people = await deciders.deciding(session, approval, deciders.ways_of(approval))
    approval.deciders = [view.model_dump(mode="json") for _, view in people[: deciders.SHOWN]]
    return [member for member, _ in people]


async def close(work: Work, outcome: ApprovalOutcome, detail: str | None = None) -> Approval | None:
    """Store an outcome and tell everyone; what was not approved settles its call, with `detail` if there is one.

    None: an outcome was stored before.
    """
    approval = await lock(work.session, outcome.approval_id)
    if not ApprovalState(approval.state).is_open:
        return None
    shown = approval.state == ApprovalState.PENDING
    with work.session.no_autoflush:
        await _fill(work.session, approval, outcome)
    await work.session.flush()
    view = await view_of(work.session, approval)
    if shown or approval.conversation_id is None:
        people = await asked(work.session, approval) if shown else []
        await tell(work, approval, ApprovalClosed(approval=view), people)
        await webhooks.tell_of_approval(work, webhooks.APPROVAL_CLOSED, approval, view)
        await prompting.refresh(work, approval)
    refused = _CALL_STATE.get(outcome.state)
    if refused is not None and approval.tool_call_id is not None:
        _, call = await calls.lock(work.session, approval.tool_call_id)
        await calls.settle(work, call, refused, detail=detail or _sentence(approval, view.decided_by_name))
    return approval


async def _fill(session: AsyncSession, approval: Approval, outcome: ApprovalOutcome) -> None:
    """Put an outcome into its row: nothing is written before it is whole."""
    if outcome.revision is not None and approval.digest != outcome.digest:
        await apply_revision(session, approval, outcome.revision)
    approval.state, approval.decided_at, approval.decided_by = outcome.state, outcome.at, outcome.user_id
    approval.decision_id = outcome.decision_id
    if outcome.escalated_until is not None and approval.escalated_at is None:
        approval.escalated_at, approval.expires_at = outcome.at, outcome.escalated_until
    decision = await _decision(session, outcome.decision_id)
    if decision is not None:
        approval.comment, approval.decided_door = decision.comment, decision.door
    if outcome.votes:
        approval.votes, approval.stage = await vote_rows(session, outcome.votes), outcome.stage


async def ask_again(work: Work, call: ToolCall, old: Approval | None, new: Approval) -> None:
    """Put a new request in the place of consent that holds no more; its workflow shows it."""
    if old is not None:
        old.state = ApprovalState.VOID
        await work.session.flush()
        view = await view_of(work.session, old)
        await tell(work, old, ApprovalClosed(approval=view), await asked(work.session, old))
        await webhooks.tell_of_approval(work, webhooks.APPROVAL_CLOSED, old, view)
        await prompting.refresh(work, old)
    call.state, call.verdict, call.rule, call.grant_id = CallState.AWAITING, CallVerdict.ASK, new.rule, None
    work.session.add(new)
    await work.session.flush()
    await streams.append(work, call.conversation_id, ToolProposed(call=call_view(call, new.id)))


async def withdraw_lost(work: Work, audit: AuditTrail, approval_id: str) -> bool:
    """Close an approval that is open though its workflow is gone: nobody can decide it any more. Whether it was so."""
    row = await lock(work.session, approval_id)
    outcome = ApprovalOutcome(
        approval_id=row.id,
        state=ApprovalState.WITHDRAWN,
        digest=row.digest,
        decision_id=None,
        user_id=None,
        at=now(),
    )
    if await close(work, outcome, detail="The request was lost before anybody decided") is None:
        return False
    facts = {"digest": row.digest, "decision_id": None, "lost": True}
    await audit.record(work, row.workspace_id, "server", f"approval.{outcome.state}", row.id, **facts)
    return True


async def make_void(work: Work, audit: AuditTrail, approval: Approval, why: str) -> None:
    """Let an approved outside request that this transaction has locked count no more, and say why."""
    approval.state = ApprovalState.VOID
    await work.session.flush()
    view = await view_of(work.session, approval)
    await tell(work, approval, ApprovalUpdated(approval=view), await asked(work.session, approval))
    await audit.record(work, approval.workspace_id, "server", "approval.void", approval.id, why=why)


async def drop_unsent(work: Work, turn_id: str) -> None:
    """Settle the calls of a turn that ends now: those never sent are `not run`. What people were shown stays theirs.

    A pending approval is withdrawn by its workflow, so that a decision that came first still stands.
    """
    for call, approval in await _unsent(work.session, turn_id):
        if approval is not None and approval.state == ApprovalState.PENDING:
            continue
        if approval is not None and approval.state == ApprovalState.REQUESTED:
            approval.state, approval.decided_at = ApprovalState.WITHDRAWN, now()
        asked = "The turn ended while its service waited for an answer" if call.started_at else None
        await calls.settle(work, call, CallState.NOT_RUN, detail=asked or "The turn ended before this ran")


async def _unsent(session: AsyncSession, turn_id: str) -> list[tuple[ToolCall, Approval | None]]:
    statement = (
        select(ToolCall, Approval)
        .outerjoin(Approval, calls.STANDING)
        .where(ToolCall.turn_id == turn_id, ToolCall.state.in_([CallState.PROPOSED, CallState.AWAITING]))
        .order_by(ToolCall.round, ToolCall.place)
        .execution_options(populate_existing=True)
    )
    return [(call, approval) for call, approval in await session.execute(statement)]


def _sentence(approval: Approval, name: str | None) -> str:
    if approval.state == ApprovalState.REJECTED:
        reason = f": {approval.comment}" if approval.comment else ", without a reason"
        return f"{name or 'Somebody'} rejected it{reason}"
    if approval.state == ApprovalState.EXPIRED:
        return "Nobody decided in time; that is a refusal"
    return "The turn was stopped before anybody decided"


async def _decision(session: AsyncSession, decision_id: str | None) -> Decision | None:
    return None if decision_id is None else await session.get(Decision, decision_id)


async def consume(session: AsyncSession, approval_id: str) -> bool:
    """Use up an approved approval; False when it is not approved or was used before."""
    statement = (
        update(Approval)
        .where(Approval.id == approval_id, Approval.state == ApprovalState.APPROVED, Approval.consumed_at.is_(None))
        .values(consumed_at=now())
        .returning(Approval.id)
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None
