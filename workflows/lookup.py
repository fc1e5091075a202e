"""A question to memory from a process that has none: the words stay in SQL, ids come back."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from core.messages import LookupAnswer, LookupInput
    from workflows import activities, policies


@workflow.defn(failure_exception_types=[Exception])
class Lookup:
    """Id `lookup-<id>`. Who asks waits a second; an answer after that is nobody's."""

    @workflow.run
    async def run(self, lookup: LookupInput) -> LookupAnswer:
        """Look it up, once."""
        return await workflow.execute_activity(
            activities.look_up,
            lookup.lookup_id,
            task_queue=policies.sibling_queue(policies.MEMORY_QUEUE),
            schedule_to_close_timeout=policies.LOOKUP_TIMEOUT,
            retry_policy=policies.LOOKUP_RETRY,
        )
