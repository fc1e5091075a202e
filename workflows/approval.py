"""One request for consent: waits for people, expires, tells its turn. It outlives the turn that asked."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from core.messages import ApprovalInput, ApprovalOutcome, DecisionMade, Withdrawal
    from workflows import activities, approval_rules, policies


@workflow.defn(failure_exception_types=[Exception])
class Approval:
    """Id `approval-<id>`; child of the turn, abandoned to its own life when the turn ends first."""

    @workflow.init
    def __init__(self, request: ApprovalInput) -> None:
        """Begin undecided."""
        self._standing = approval_rules.Standing(request)
        self._closed = False

    @workflow.run
    async def run(self, request: ApprovalInput) -> ApprovalOutcome:
        """Wait durably, show the request, take the first terminal outcome, close it everywhere.

        Whoever has seen the request may answer before Temporal hears that it was shown: a worker lost in between must
        not hold the answer up.
        """
        opening = workflow.start_activity(
            activities.open_approval,
            request.approval_id,
            task_queue=policies.sibling_queue(policies.STEPS_QUEUE),
            start_to_close_timeout=policies.STEP_TIMEOUT,
            heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
            retry_policy=policies.STEP_RETRY,
        )
        await workflow.wait_condition(lambda: opening.done() or not self._standing.is_open)
        if opening.done() and not opening.result():
            self._standing = approval_rules.withdraw(self._standing, None, workflow.now())
        outcome = await self._wait(request)
        await self._close(outcome)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return outcome

    async def _wait(self, request: ApprovalInput) -> ApprovalOutcome:
        while self._standing.outcome is None:
            left = request.expires_at - workflow.now()
            try:
                await workflow.wait_condition(
                    lambda: not self._standing.is_open,
                    timeout=left,
                    timeout_summary="time to decide",
                )
            except TimeoutError:
                self._standing = approval_rules.expire(self._standing, workflow.now())
        return self._standing.outcome

    async def _close(self, outcome: ApprovalOutcome) -> None:
        """Write it down. Not as a local step: that would be written before Temporal has kept what made the outcome.

        A worker lost then, or an update that came to another attempt first, would leave SQL and turn at odds for ever.
        """
        await workflow.execute_activity(
            activities.close_approval,
            outcome,
            task_queue=policies.sibling_queue(policies.STEPS_QUEUE),
            start_to_close_timeout=policies.STEP_TIMEOUT,
            heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
            retry_policy=policies.STEP_RETRY,
        )
        self._closed = True

    @workflow.update
    async def decide(self, decision: DecisionMade) -> ApprovalOutcome:
        """Take a decision; answers, once it is written down, with the outcome it made. Later ones are refused then."""
        code = approval_rules.refusal(self._standing, decision, workflow.now())
        self._standing = approval_rules.decide(self._standing, decision, workflow.now())
        await workflow.wait_condition(lambda: self._closed)
        if code is not None:
            raise ApplicationError(code, type=code, non_retryable=True)
        return self._decided()

    @decide.validator
    def _check_decision(self, decision: DecisionMade) -> None:
        code = approval_rules.refusal(self._standing, decision, workflow.now())
        if code is not None and (self._standing.is_open or self._closed):
            raise ApplicationError(code, type=code, non_retryable=True)

    @workflow.update
    def withdraw(self, withdrawal: Withdrawal) -> ApprovalOutcome:
        """Close it because the turn was stopped; an earlier outcome stands."""
        self._standing = approval_rules.withdraw(self._standing, withdrawal.user_id, workflow.now())
        return self._decided()

    def _decided(self) -> ApprovalOutcome:
        if self._standing.outcome is None:
            message = "the approval is still open"
            raise ApplicationError(message, type="conflict", non_retryable=True)
        return self._standing.outcome
