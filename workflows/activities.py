"""Typed stubs of the activities: names and values, no bodies. `workers` implements them; a test compares the two."""

from typing import NoReturn

from temporalio import activity

from core.messages import (
    Acted,
    ActInput,
    ApprovalOutcome,
    ApprovalProgress,
    AskInput,
    DocumentFailure,
    LeaseAnswer,
    LookupAnswer,
    ModelCheck,
    ModelChecked,
    Prepared,
    Revised,
    Summarised,
    ThinkInput,
    Thought,
    TurnEnding,
    TurnStep,
)


def _elsewhere() -> NoReturn:
    message = "activities run in workers"
    raise AssertionError(message)


@activity.defn(name="think")
async def think(step: ThinkInput) -> Thought:  # noqa: ARG001
    """Make one model call and commit its answer: the reply, or the round with its planned tool calls."""
    _elsewhere()


@activity.defn(name="act")
async def act(step: ActInput) -> Acted:  # noqa: ARG001
    """Make one tool call through the gate and record what became of it."""
    _elsewhere()


@activity.defn(name="park_turn")
async def park_turn(step: TurnStep) -> None:  # noqa: ARG001
    """Give the conversation back while only people's decisions are missing."""
    _elsewhere()


@activity.defn(name="resume_turn")
async def resume_turn(step: TurnStep) -> LeaseAnswer:  # noqa: ARG001
    """Take the conversation again, or say that a signal will tell when."""
    _elsewhere()


@activity.defn(name="end_turn")
async def end_turn(step: TurnEnding) -> None:  # noqa: ARG001
    """End a turn that could not answer."""
    _elsewhere()


@activity.defn(name="open_approval")
async def open_approval(approval_id: str) -> bool:  # noqa: ARG001
    """Show a request to everyone who may decide, once its workflow waits durably; False when its turn is over."""
    _elsewhere()


@activity.defn(name="note_approval")
async def note_approval(progress: ApprovalProgress) -> None:  # noqa: ARG001
    """Store how an open approval stands after a vote, an edit, an escalation or a reminder, and tell who may decide."""
    _elsewhere()


@activity.defn(name="revise_approval")
async def revise_approval(decision_id: str) -> Revised:  # noqa: ARG001
    """Check the arguments that a decision changes, judge and preview them anew, and keep what they became."""
    _elsewhere()


@activity.defn(name="prepare_ask")
async def prepare_ask(ask: AskInput) -> Prepared:  # noqa: ARG001
    """Judge what an outside program asks consent for; policy may settle it at once."""
    _elsewhere()


@activity.defn(name="close_approval")
async def close_approval(outcome: ApprovalOutcome) -> None:  # noqa: ARG001
    """Store what an approval came to and tell everyone who was asked."""
    _elsewhere()


@activity.defn(name="learn")
async def learn(turn_id: str) -> None:  # noqa: ARG001
    """Keep what a finished turn says about its person, and suggest what to say next."""
    _elsewhere()


@activity.defn(name="summarise")
async def summarise(turn_id: str) -> Summarised:  # noqa: ARG001
    """Sum up the older half of what was said up to a turn, when that is long; tell whether more is due."""
    _elsewhere()


@activity.defn(name="read_document")
async def read_document(document_id: str) -> None:  # noqa: ARG001
    """Take a document's text out and store it in pieces."""
    _elsewhere()


@activity.defn(name="fail_document")
async def fail_document(failure: DocumentFailure) -> None:  # noqa: ARG001
    """Say that a document could not be read, for a reason of ours."""
    _elsewhere()


@activity.defn(name="look_up")
async def look_up(lookup_id: str) -> LookupAnswer:  # noqa: ARG001
    """Ask memory for messages that mean what somebody looks for."""
    _elsewhere()


@activity.defn(name="check_model")
async def check_model(check: ModelCheck) -> ModelChecked:  # noqa: ARG001
    """Look at a model: whether it answers and takes its key."""
    _elsewhere()
