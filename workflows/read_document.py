"""Reading an uploaded document: one activity, and a word about it when even its retries fail."""

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from core.messages import DocumentFailure, DocumentInput
    from workflows import activities, policies

_FAILED = "Something went wrong inside the server. You can delete the document and add it again."


@workflow.defn(failure_exception_types=[Exception])
class ReadDocument:
    """Id `document-<id>`. The activity tells all that is about the document; what fails here is ours."""

    @workflow.run
    async def run(self, document: DocumentInput) -> None:
        """Read it."""
        try:
            await workflow.execute_activity(
                activities.read_document,
                document.document_id,
                task_queue=policies.sibling_queue(policies.STEPS_QUEUE),
                start_to_close_timeout=policies.READ_TIMEOUT,
                heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
                retry_policy=policies.READ_RETRY,
            )
        except FailureError:
            await workflow.execute_activity(
                activities.fail_document,
                DocumentFailure(document_id=document.document_id, detail=_FAILED),
                task_queue=policies.sibling_queue(policies.STEPS_QUEUE),
                start_to_close_timeout=policies.STEP_TIMEOUT,
                retry_policy=policies.STEP_RETRY,
            )
