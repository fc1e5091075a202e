"""What a service asks in the middle of a call: put to people, and brought back to it when they have answered."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.asked import is_answered
from connectors.base import Answered, InputRequired
from connectors.manifest import Effect
from connectors.registry import BoundAction
from core.errors import AssentError
from core.faults import crash_point
from core.masking import secret_paths
from core.messages import Acted, ActInput, ApprovalInput, ApprovalOutcome
from core.rooms import Rooms
from core.store import approvals, calls, questions
from core.store.database import Database
from core.store.work import Work, change
from core.tables.consent import Approval
from core.tables.work import CallQuestion, Intent, ToolCall, Turn
from core.values import ApprovalState, CallState, CallVerdict, TurnState
from workers.acting.consent import is_still_given
from workers.acting.gate import Gate, Passage, Shut
from workers.judging.question import is_as_answered, request_of

MOST_LEGS = 5
"""How often a service may ask in one call."""
LEG = 1_000
"""What an attempt's number grows by with each leg: one of an earlier leg never passes for one of a later."""
_ANSWERS = {
    ApprovalState.APPROVED: questions.ACCEPT,
    ApprovalState.REJECTED: questions.DECLINE,
    ApprovalState.EXPIRED: questions.CANCEL,
}
_STOPPED = "the server stopped while the answer was being sent"


@dataclass(frozen=True)
class Questions:
    """Asks, and lets calls go on."""

    database: Database
    rooms: Rooms
    gate: Gate

    async def keep(self, call: ToolCall, asked: InputRequired, attempt: int) -> Acted:
        """Put what a service asks to people; the call waits for them. Nothing, where a newer attempt has begun."""
        async with change(self.database, self.rooms) as work:
            turn, row = await calls.lock(work.session, call.id)
            intent = await calls.intent_of(work.session, call.id)
            if intent is None or intent.outcome is not None or intent.attempt != attempt:
                return Acted(tool_call_id=row.id, state=CallState(row.state))
            again = await self._keep(work, turn, row, asked)
            acted = Acted(tool_call_id=row.id, state=CallState(row.state), again=again)
        crash_point("act.asked")
        return acted

    async def _keep(self, work: Work, turn: Turn, call: ToolCall, asked: InputRequired) -> ApprovalInput | None:
        before = await questions.newest_leg(work.session, call.id)
        leg = before[0].leg + 1 if before else 1
        if TurnState(turn.state).is_terminal:
            await self._end(work, call, "the turn was stopped while the service waited for an answer")
            return None
        if leg > MOST_LEGS:
            await self._end(work, call, f"the service asked more than {MOST_LEGS} times")
            return None
        given = [
            (one.key, one.model_dump(mode="json"), questions.DECLINE if one.refused else None)
            for one in asked.questions
        ]
        rows = await questions.add_leg(work, call, leg, given, asked.state)
        return await self._ask_next(work, call, rows)

    async def _end(self, work: Work, call: ToolCall, why: str) -> None:
        await calls.settle(work, call, CallState.FAILED, detail=f"Not carried out: {why}")
        facts = {"action": call.action, "detail": why}
        await self.gate.audit.record(work, call.workspace_id, call.user_id, "call.failed", call.id, **facts)

    async def _ask_next(self, work: Work, call: ToolCall, leg: Sequence[CallQuestion]) -> ApprovalInput | None:
        """Put the first question that nobody has answered to people; None when there is none."""
        row = next((one for one in leg if one.answer is None), None)
        if row is None:
            return None
        request = await request_of(work.session, call, row, self.gate.judge.expiry)
        await questions.ask(work, call, row, request)
        facts = {"action": call.action, "approval_id": request.id, "server": row.body["server"], "leg": row.leg}
        await self.gate.audit.record(work, call.workspace_id, "service", "call.asks", call.id, **facts)
        return approvals.as_input(request)

    async def pass_through(self, work: Work, step: ActInput, attempt: int) -> Passage | None:
        """Let a call go on whose service asked something; None for a call that never asked."""
        leg = await questions.newest_leg(work.session, step.tool_call_id)
        if not leg:
            return None
        turn, call = await calls.lock(work.session, step.tool_call_id)
        leg = await questions.newest_leg(work.session, call.id)
        intent = await calls.intent_of(work.session, call.id)
        if intent is None or intent.outcome is not None or call.state not in {CallState.AWAITING, CallState.RUNNING}:
            return Passage(call, None)
        number = LEG * leg[0].leg + attempt
        current = [one for one in leg if one.approval_id is not None][-1]
        outcome = step.outcome
        if outcome is None or outcome.approval_id != current.approval_id:
            return await self._standing(work, call, current)
        try:
            return await self._hear(work, turn, call, intent, leg, current, outcome, number)
        except Shut as shut:
            return await self.gate.shut(work, call, str(shut), shut.code)

    async def _standing(self, work: Work, call: ToolCall, current: CallQuestion) -> Passage:
        """Give the request that an attempt before this one made, and did not live to tell of."""
        open_one = None
        if call.state == CallState.AWAITING and current.approval_id is not None:
            open_one = await questions.is_open(work.session, current.approval_id)
        return Passage(call, None, again=approvals.as_input(open_one) if open_one else None)

    async def _hear(
        self,
        work: Work,
        turn: Turn,
        call: ToolCall,
        intent: Intent,
        leg: Sequence[CallQuestion],
        current: CallQuestion,
        outcome: ApprovalOutcome,
        number: int,
    ) -> Passage:
        """Take an answer; ask the next question, or let the call go on, once for all answers of a leg."""
        if call.state == CallState.RUNNING and number <= intent.attempt:
            return Passage(call, None)
        action = await self._check(work, turn, call)
        if call.state == CallState.RUNNING:
            if action.spec.effect == Effect.AT_MOST_ONCE:
                return await self._nobody_knows(work, call)
        else:
            await self._note(work, leg, current, outcome)
            following = await self._ask_next(work, call, leg)
            if following is not None:
                return Passage(call, None, again=following)
            actions = {one.key: one.answer for one in leg}
            facts = {"action": call.action, "answers": actions, "approval_id": outcome.approval_id}
            await self.gate.audit.record(
                work, call.workspace_id, outcome.user_id or "clock", "call.answered", call.id, **facts
            )
        await questions.go_on(work, call, intent, leg, number)
        answer = await _answered(work, leg)
        hides = tuple((secret_paths(one.body["schema_"]), answer.content.get(one.key, {})) for one in leg)
        return Passage(call, action, answer=answer, number=number, hides=hides)

    async def _nobody_knows(self, work: Work, call: ToolCall) -> Passage:
        detail = f"{_STOPPED}: nobody knows whether it took effect"
        await calls.settle(work, call, CallState.UNKNOWN, detail=detail)
        facts = {"action": call.action, "reason": detail}
        await self.gate.audit.record(work, call.workspace_id, call.user_id, "call.unknown", call.id, **facts)
        return Passage(call, None)

    async def _check(self, work: Work, turn: Turn, call: ToolCall) -> BoundAction:
        """See that the call may go on at all: neither stopped, nor changed, nor against rules that became stricter."""
        if TurnState(turn.state).is_terminal:
            raise Shut("the turn was stopped while the service waited for an answer")
        action = self.gate.same_action(call)
        try:
            ruling = await self.gate.judge.rule(work.session, call, action)
        except AssentError as gone:
            raise Shut(gone.detail) from gone
        if ruling.verdict is CallVerdict.DENY:
            message = f"the rules became stricter while the service waited for an answer: {ruling.rule}"
            raise Shut(message, "denied")
        if not await calls.is_connected(work.session, call):
            raise Shut("the connection to the service was removed")
        return action

    async def _note(
        self, work: Work, leg: Sequence[CallQuestion], current: CallQuestion, outcome: ApprovalOutcome
    ) -> None:
        """Write down what people said. One no is a no to all that was asked with it."""
        approval = await approvals.lock(work.session, outcome.approval_id)
        current.answer = _ANSWERS.get(outcome.state, questions.CANCEL)
        if current.answer == questions.ACCEPT:
            await _check_answer(work, current, approval, outcome)
            return
        for one in leg:
            one.answer = one.answer or current.answer


async def _check_answer(work: Work, row: CallQuestion, approval: Approval, outcome: ApprovalOutcome) -> None:
    if approval.state != ApprovalState.APPROVED or not is_as_answered(row, approval, outcome.digest):
        raise Shut("what would be answered is not what people wrote", "digest_mismatch")
    if not is_answered(approval.schema_, approval.arguments):
        raise Shut("the form that the service asks to be filled in was not")
    if not await is_still_given(work.session, approval, outcome):
        raise Shut("who answered this may no longer do so")


async def _answered(work: Work, leg: Sequence[CallQuestion]) -> Answered:
    return Answered.model_validate(
        {
            "actions": {one.key: one.answer for one in leg},
            "content": await questions.answers(work.session, leg),
            "state": leg[0].state,
        }
    )
