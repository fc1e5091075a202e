"""The path by which older clients decide; it leads to the same intake. What they do not quote is looked up."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from api import waiting
from api.rest.context import Context, Here, Through, Who
from core.errors import Conflict
from core.ids import Id, new_id
from core.permissions import Principal
from core.store import approvals, calls
from core.text import SafeStr
from core.values import CallState, DecisionVerdict, Value
from core.views import ApprovalView, ToolCallView

router = APIRouter(prefix="/unified-chat", tags=["older clients"])

MOST_SECONDS = 8.0
_UNDER_WAY = {CallState.PROPOSED, CallState.AWAITING, CallState.RUNNING}


class OlderDecision(Value):
    """An answer without a digest: `decision_id` is the approval's id; `modifications` are laid over its arguments."""

    decision_id: Id = Field(examples=["apr_1"])
    approved: Annotated[bool, Field(strict=True)]
    modifications: dict[str, Any] | None = None
    comment: Annotated[SafeStr, StringConstraints(max_length=2000)] | None = None


class OlderAnswer(Value):
    """What became of it; `execution_result` is null until the call has run, and for what did not run."""

    success: bool
    decision_id: str
    execution_result: dict[str, Any] | None
    message: str


@router.post("/decision/approve", deprecated=True)
async def decide(here: Here, who: Who, door: Through, body: OlderDecision) -> OlderAnswer:
    """Approve or reject as older clients do. Use `POST /api/v1/approvals/{approval_id}/decision` instead.

    These clients cannot say what they were shown, so what somebody has changed since is refused (409).
    """
    await here.limits.check("decision", who.user_id)
    async with here.database.reading() as session:
        approval = await approvals.one(session, who, body.decision_id)
    if approval.revision:
        message = "Somebody changed the arguments since this was asked: look at it, and decide there."
        raise Conflict(message, approval_id=approval.id)
    verdict = DecisionVerdict.APPROVE if body.approved else DecisionVerdict.REJECT
    changed = approval.arguments | body.modifications if body.modifications and body.approved else None
    decided = await here.intake.submit_decision(
        who, door, approval.id, verdict, approval.digest, new_id("dec"), body.comment, changed
    )
    call = await _call(here, who, decided.approval) if body.approved and decided.state == "accepted" else None
    return OlderAnswer(
        success=True,
        decision_id=approval.id,
        execution_result=call.result if call else None,
        message=_sentence(decided.approval, call),
    )


async def _call(here: Context, who: Principal, approval: ApprovalView) -> ToolCallView | None:
    """Wait a little for what was approved to run; None for who does not see the conversation."""

    async def look() -> ToolCallView | None:
        async with here.database.reading() as session:
            found = await calls.of_turn(session, who, approval.turn_id or "")
        return next((one for one in found if one.id == approval.tool_call_id), None)

    if approval.conversation_id is None or approval.state != "approved":
        return None
    return await waiting.watch(
        here.rooms, approval.conversation_id, look, lambda one: one is None or one.state not in _UNDER_WAY, MOST_SECONDS
    )


def _sentence(approval: ApprovalView, call: ToolCallView | None) -> str:
    if call is not None and call.state not in _UNDER_WAY:
        return f"{approval.title}: {call.state}" + (f" ({call.detail})" if call.detail else "")
    return f"{approval.title}: {approval.state}"
