"""Whether a configured model answers and takes its key, asked by a worker: the doors have no way to models."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from core.messages import ModelCheck, ModelChecked
    from workflows import activities, policies


@workflow.defn(failure_exception_types=[Exception])
class CheckModel:
    """Id `chk_<random>`: one look, made once."""

    @workflow.run
    async def run(self, check: ModelCheck) -> ModelChecked:
        """Ask, and give what came of it."""
        return await workflow.execute_activity(
            activities.check_model,
            check,
            task_queue=policies.sibling_queue(policies.MODELS_QUEUE),
            start_to_close_timeout=policies.CHECK_TIMEOUT,
            schedule_to_close_timeout=policies.CHECK_TIMEOUT,
            retry_policy=policies.CHECK_RETRY,
        )
