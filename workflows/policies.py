"""Every time-out and retry of the workflows, in one place; seconds unless named otherwise."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

HEARTBEAT_TIMEOUT = timedelta(seconds=3)
HEARTBEAT_THROTTLE = timedelta(seconds=0.8)
STICKY_TIMEOUT = timedelta(seconds=1)
WORKFLOW_TASK_TIMEOUT = timedelta(seconds=3)
"""A worker killed while it has a workflow task holds answers up for so long; the default is 10."""
GRACEFUL_SHUTDOWN = timedelta(seconds=6)

MODEL_CALL_TIMEOUT = timedelta(seconds=150)
MODEL_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=20),
    maximum_attempts=8,
)

REFLECT_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=5),
    backoff_coefficient=3,
    maximum_interval=timedelta(minutes=2),
    maximum_attempts=5,
)

TOOL_CALL_MARGIN = timedelta(seconds=10)
TOOL_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=20),
)

STEP_TIMEOUT = timedelta(seconds=10)
STEP_RETRY = RetryPolicy(initial_interval=timedelta(seconds=0.2), maximum_interval=timedelta(seconds=5))

REVISION_TIMEOUT = timedelta(seconds=20)
"""Of checking edited arguments: the connector says anew what they would do."""
REVISION_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=0.2), maximum_interval=timedelta(seconds=5), maximum_attempts=8
)
MOST_EDITS = 20
"""Of one request, tries included: each is kept in its workflow's history."""

START_TIMEOUT = timedelta(seconds=8)
UPDATE_TIMEOUT = timedelta(seconds=8)
PREPARE_TIMEOUT = timedelta(seconds=20)

READ_TIMEOUT = timedelta(minutes=15)
READ_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=20),
    maximum_attempts=6,
)
LOOKUP_TIMEOUT = timedelta(seconds=2)
LOOKUP_RETRY = RetryPolicy(maximum_attempts=1)

MEMORY_HEARTBEAT = timedelta(seconds=10)
MEMORY_STEP_TIMEOUT = timedelta(minutes=4)
MEMORY_BUILD_TIMEOUT = timedelta(hours=24)
"""Of a whole rebuild; a worker that is lost over it is seen by its heartbeat."""
MEMORY_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30), maximum_attempts=5
)

CHECK_TIMEOUT = timedelta(seconds=30)
CHECK_RETRY = RetryPolicy(maximum_attempts=1)

TURNS_QUEUE = "turns"
STEPS_QUEUE = "steps"
MODELS_QUEUE = "models"
ACTIONS_QUEUE = "actions"
MEMORY_QUEUE = "memory"
INDEX_QUEUE = "index"


def sibling_queue(name: str) -> str:
    """Name the queue beside the one that this workflow runs on: a prefix (one for each test, say) is kept."""
    return workflow.info().task_queue.removesuffix(TURNS_QUEUE) + name
