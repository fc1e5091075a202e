"""An outside program asks for consent: judged by policy, then by people, durably."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from core.messages import AskInput
    from workflows import activities, policies
    from workflows.approval import Approval


@workflow.defn(failure_exception_types=[Exception])
class Ask:
    """Id `ask-<approval id>`. Whoever waits for the verdict reads it from SQL, or is told by a webhook."""

    @workflow.run
    async def run(self, ask: AskInput) -> None:
        """Let policy judge; ask people if it says so."""
        prepared = await workflow.execute_activity(
            activities.prepare_ask,
            ask,
            task_queue=policies.sibling_queue(policies.STEPS_QUEUE),
            start_to_close_timeout=policies.PREPARE_TIMEOUT,
            heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
            retry_policy=policies.STEP_RETRY,
        )
        if prepared.approval is not None:
            await workflow.execute_child_workflow(
                Approval.run,
                prepared.approval,
                id=f"approval-{ask.approval_id}",
                task_queue=policies.sibling_queue(policies.TURNS_QUEUE),
                task_timeout=policies.WORKFLOW_TASK_TIMEOUT,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            )
