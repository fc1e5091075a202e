"""A turn: from the first model call to the one terminal event."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.exceptions import TimeoutError as TemporalTimeout

with workflow.unsafe.imports_passed_through():
    from core.messages import (
        Acted,
        ActInput,
        ApprovalInput,
        ApprovalOutcome,
        LeaseGranted,
        PlannedCall,
        ThinkInput,
        Thought,
        TurnEnding,
        TurnInput,
        TurnStep,
    )
    from core.values import ApprovalState, CallVerdict
    from workflows import activities, policies
    from workflows.approval import Approval


@workflow.defn(failure_exception_types=[Exception])
class ChatTurn:
    """Id `turn-<id>`: thinks and acts in bounded rounds. Every step's truth is committed in SQL by its activity."""

    @workflow.init
    def __init__(self, turn: TurnInput) -> None:
        """Begin with the lease that intake took."""
        self._turn = turn
        self._epoch = turn.lease_epoch
        self._granted = turn.lease_epoch
        self._stopped = False
        self._asking = 0
        self._spent = timedelta()
        self._thinking: workflow.ActivityHandle[Thought] | None = None

    @workflow.run
    async def run(self, turn: TurnInput) -> None:
        """Think, act on what was thought, think again; the activity that answers ends the turn."""
        try:
            await self._work(turn)
        except FailureError as failure:
            if not self._stopped:
                await self._fail(*_explain(failure))
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _work(self, turn: TurnInput) -> None:
        for number in range(turn.max_rounds):
            if self._left() <= timedelta():
                await self._fail("too_long", "This took longer than a turn may take. You can try again.")
                return
            thought = await self._think(number)
            if thought.ended or self._stopped:
                return
            asked = await self._carry_out(thought.calls)
            if self._stopped or (asked and not await self._has_lease()):
                return
        await self._fail("too_many_rounds", "The assistant went on asking for actions without an answer.")

    async def _think(self, number: int) -> Thought:
        began = workflow.now()
        self._thinking = workflow.start_activity(
            activities.think,
            ThinkInput(turn_id=self._turn.turn_id, round=number, lease_epoch=self._epoch),
            task_queue=policies.sibling_queue(policies.MODELS_QUEUE),
            start_to_close_timeout=policies.MODEL_CALL_TIMEOUT,
            schedule_to_close_timeout=self._left(),
            heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
            retry_policy=policies.MODEL_RETRY,
        )
        if self._stopped:
            self._thinking.cancel()
        thought = await self._thinking
        self._thinking = None
        self._spent += workflow.now() - began
        return thought

    def _left(self) -> timedelta:
        return timedelta(seconds=self._turn.limit_seconds) - self._spent

    async def _carry_out(self, calls: tuple[PlannedCall, ...]) -> bool:
        """Make the allowed calls and ask about the others; tells whether anybody was asked."""
        began = workflow.now()
        self._asking = 0
        asked = [asyncio.create_task(self._ask_then_act(call, call.approval)) for call in calls if call.approval]
        allowed = [call for call in calls if call.verdict is CallVerdict.ALLOW]
        acted = await asyncio.gather(*(self._act(call) for call in allowed))
        void = [(call, one.again) for call, one in zip(allowed, acted, strict=True) if one.again]
        asked += [asyncio.create_task(self._ask_then_act(call, again)) for call, again in void]
        self._spent += workflow.now() - began
        if await self._are_asked(asked):
            await self._park()
        await asyncio.gather(*asked)
        return bool(asked)

    async def _are_asked(self, asked: list[asyncio.Task[None]]) -> bool:
        """Wait until every approval has begun (a local step before that would hold it up); whether any is open."""
        if not asked:
            return False
        await workflow.wait_condition(
            lambda: self._stopped or self._asking == len(asked) or any(task.done() for task in asked)
        )
        return not self._stopped and not all(task.done() for task in asked)

    async def _ask_then_act(self, call: PlannedCall, request: ApprovalInput) -> None:
        """Ask people, then act; they are asked again where consent turned out void, or the service asks something."""
        again: ApprovalInput | None = request
        while again is not None and not self._stopped:
            asking = await workflow.start_child_workflow(
                Approval.run,
                again,
                id=f"approval-{again.approval_id}",
                task_queue=policies.sibling_queue(policies.TURNS_QUEUE),
                task_timeout=policies.WORKFLOW_TASK_TIMEOUT,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                cancellation_type=workflow.ChildWorkflowCancellationType.TRY_CANCEL,
            )
            self._asking += again is request
            outcome: ApprovalOutcome = await asking
            again = (await self._act(call, outcome)).again if _goes_on(again, outcome) else None

    async def _act(self, call: PlannedCall, outcome: ApprovalOutcome | None = None) -> Acted:
        return await workflow.execute_activity(
            activities.act,
            ActInput(tool_call_id=call.tool_call_id, outcome=outcome),
            task_queue=policies.sibling_queue(policies.ACTIONS_QUEUE),
            start_to_close_timeout=timedelta(seconds=call.timeout_seconds) + policies.TOOL_CALL_MARGIN,
            heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
            retry_policy=policies.TOOL_RETRY,
        )

    async def _park(self) -> None:
        await workflow.execute_local_activity(
            activities.park_turn,
            self._step(),
            start_to_close_timeout=policies.STEP_TIMEOUT,
            retry_policy=policies.STEP_RETRY,
        )

    async def _has_lease(self) -> bool:
        """Take the conversation again. Only SQL knows whether it was given back: a lost task forgets that it parked."""
        answer = await workflow.execute_local_activity(
            activities.resume_turn,
            self._step(),
            start_to_close_timeout=policies.STEP_TIMEOUT,
            retry_policy=policies.STEP_RETRY,
        )
        if answer.ended:
            return False
        if answer.epoch is None:
            await workflow.wait_condition(lambda: self._stopped or self._granted > self._epoch)
        self._epoch = answer.epoch or self._granted
        return not self._stopped

    async def _fail(self, code: str, detail: str) -> None:
        await workflow.execute_local_activity(
            activities.end_turn,
            TurnEnding(turn_id=self._turn.turn_id, error_code=code, error_detail=detail),
            start_to_close_timeout=policies.STEP_TIMEOUT,
            retry_policy=policies.STEP_RETRY,
        )

    def _step(self) -> TurnStep:
        return TurnStep(turn_id=self._turn.turn_id, lease_epoch=self._epoch)

    @workflow.signal
    def lease_granted(self, lease: LeaseGranted) -> None:
        """Hear that the conversation is this turn's again."""
        self._granted = max(self._granted, lease.epoch)

    @workflow.signal
    def stop(self) -> None:
        """Hear that somebody stopped the turn; SQL says so already. A send that runs is never interrupted."""
        self._stopped = True
        if self._thinking is not None:
            self._thinking.cancel()


def _goes_on(request: ApprovalInput, outcome: ApprovalOutcome) -> bool:
    """Whether there is something to do now: what was approved, or a call whose service waits for an answer, also no."""
    if request.question:
        return outcome.state in {ApprovalState.APPROVED, ApprovalState.REJECTED, ApprovalState.EXPIRED}
    return outcome.state is ApprovalState.APPROVED


def _explain(failure: FailureError) -> tuple[str, str]:
    cause = failure.cause
    if isinstance(cause, ApplicationError) and cause.type and cause.details:
        return cause.type, str(cause.details[0])
    if isinstance(cause, TemporalTimeout):
        return "timed_out", "A step took too long and was given up. Your message is kept; you can try again."
    return "internal", "Something went wrong inside the server. Your message is kept; you can try again."
