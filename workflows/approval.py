"""One request for consent: waits for people, reminds, escalates, expires, tells its turn. It outlives who asked."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from core.messages import ApprovalInput, ApprovalOutcome, ApprovalProgress, DecisionMade, Revised, Withdrawal
    from workflows import activities, approval_rules, policies


@workflow.defn(failure_exception_types=[Exception])
class Approval:
    """Id `approval-<id>`; child of the turn, abandoned to its own life when the turn ends first."""

    @workflow.init
    def __init__(self, request: ApprovalInput) -> None:
        """Begin undecided."""
        self._standing = approval_rules.begin(request)
        self._closed = False
        self._changes = 0
        self._noted = 0
        self._editing = asyncio.Lock()
        self._edits = 0

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
        outcome = await self._wait()
        await self._close(outcome)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return outcome

    async def _wait(self) -> ApprovalOutcome:
        while self._standing.outcome is None:
            try:
                await workflow.wait_condition(
                    lambda: not self._standing.is_open or self._noted < self._changes,
                    timeout=approval_rules.next_at(self._standing) - workflow.now(),
                    timeout_summary="time to decide",
                )
            except TimeoutError:
                await self._tick()
            if self._standing.is_open and self._noted < self._changes:
                await self._note(approval_rules.progress(self._standing))
        return self._standing.outcome

    async def _tick(self) -> None:
        """Remind, escalate or expire: whatever the time asks for."""
        before = self._standing
        self._standing = approval_rules.tick(before, workflow.now())
        remind = self._standing.reminded > before.reminded
        if self._standing.is_open and (remind or self._standing.escalated != before.escalated):
            await self._note(approval_rules.progress(self._standing, remind=remind))

    async def _note(self, progress: ApprovalProgress) -> None:
        """Write down how it stands, and tell those who may decide now. Regular, not local: see `_close`."""
        changes = self._changes
        await workflow.execute_activity(
            activities.note_approval,
            progress,
            task_queue=policies.sibling_queue(policies.STEPS_QUEUE),
            start_to_close_timeout=policies.STEP_TIMEOUT,
            heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
            retry_policy=policies.STEP_RETRY,
        )
        self._noted = max(self._noted, changes)

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
    async def decide(self, decision: DecisionMade) -> ApprovalOutcome | None:
        """Take a decision; answers, once it is written down, with the outcome there is, None while others miss.

        An edit stands though its editor's own vote does not count.
        """
        code, edited = None, False
        if decision.edits:
            decision, code = await self._revise(decision)
            edited = code is None
        code = code or approval_rules.refusal(self._standing, decision, workflow.now())
        if code is None:
            self._standing = approval_rules.decide(self._standing, decision, workflow.now())
            self._changes += 1
        change = self._changes
        await workflow.wait_condition(lambda: self._closed or (self._standing.is_open and self._noted >= change))
        if code is not None and not edited:
            raise _refused(code)
        return self._standing.outcome

    @decide.validator
    def _check_decision(self, decision: DecisionMade) -> None:
        code = approval_rules.refusal(self._standing, decision, workflow.now())
        if code is not None and (self._standing.is_open or self._closed):
            raise _refused(code)
        if decision.edits and self._edits >= policies.MOST_EDITS:
            raise _refused("too_many_edits")

    async def _revise(self, decision: DecisionMade) -> tuple[DecisionMade, str | None]:
        """Put changed arguments in the place of what was asked; gives the vote on them, or the code of a refusal.

        One edit at a time: each is of what the one before it left. Votes go on meanwhile, and may end it first.
        """
        self._edits += 1
        async with self._editing:
            code = approval_rules.refusal(self._standing, decision, workflow.now())
            if code is not None:
                return decision, code
            revised = await self._make_revision(decision.decision_id)
            code = approval_rules.refusal(self._standing, decision, workflow.now()) or revised.refusal
            if code is not None:
                return decision, code
            self._standing = approval_rules.revise(self._standing, revised)
            self._changes += 1
        return decision.model_copy(update={"digest": revised.digest, "edits": False}), None

    async def _make_revision(self, decision_id: str) -> Revised:
        """Let a worker check the arguments and judge them anew; where none can, the request stays as it is."""
        try:
            return await workflow.execute_activity(
                activities.revise_approval,
                decision_id,
                task_queue=policies.sibling_queue(policies.STEPS_QUEUE),
                start_to_close_timeout=policies.REVISION_TIMEOUT,
                heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
                retry_policy=policies.REVISION_RETRY,
            )
        except ActivityError:
            return Revised(decision_id=decision_id, refusal="not_valid")

    @workflow.update
    def withdraw(self, withdrawal: Withdrawal) -> ApprovalOutcome:
        """Close it because the turn was stopped; an earlier outcome stands."""
        self._standing = approval_rules.withdraw(self._standing, withdrawal.user_id, workflow.now())
        if self._standing.outcome is None:
            message = "the approval is still open"
            raise ApplicationError(message, type="conflict", non_retryable=True)
        return self._standing.outcome


def _refused(code: str) -> ApplicationError:
    return ApplicationError(code, type=code, non_retryable=True)
