"""What is done after a reply, in nobody's way: learn from it, suggest what to say next, sum a long talk up."""

from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from core.messages import ReflectInput
    from workflows import activities, policies

MOST_SUMMARIES = 50


@workflow.defn(failure_exception_types=[Exception])
class Reflect:
    """Id `reflect-<turn_id>`. Each step may run twice and counts once; one that fails is left, the turn is answered."""

    @workflow.run
    async def run(self, after: ReflectInput) -> None:
        """Learn, then sum up until nothing is due."""
        if after.learn:
            with suppress(ActivityError):
                await workflow.execute_activity(
                    activities.learn,
                    after.turn_id,
                    task_queue=policies.sibling_queue(policies.MODELS_QUEUE),
                    start_to_close_timeout=policies.MODEL_CALL_TIMEOUT,
                    heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
                    retry_policy=policies.REFLECT_RETRY,
                )
        for _ in range(MOST_SUMMARIES if after.sum_up else 0):
            summarised = await workflow.execute_activity(
                activities.summarise,
                after.turn_id,
                task_queue=policies.sibling_queue(policies.MODELS_QUEUE),
                start_to_close_timeout=policies.MODEL_CALL_TIMEOUT,
                heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
                retry_policy=policies.REFLECT_RETRY,
            )
            if not summarised.again:
                return
