"""The base of every value that crosses a process, and the states that nouns go through."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Frozen, and refuses members that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TurnState(StrEnum):
    """queued -> running <-> waiting (parked) -> finished, failed or stopped."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_terminal(self) -> bool:
        """Whether the turn has had its one terminal event."""
        return self in {TurnState.FINISHED, TurnState.FAILED, TurnState.STOPPED}


class WhenBusy(StrEnum):
    """What a conversation does with a message that comes while a turn runs."""

    QUEUE = "queue"
    INTERRUPT = "interrupt"
    REJECT = "reject"


class CallVerdict(StrEnum):
    """What policy says of one tool call, mildest first."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class CallState(StrEnum):
    """What became of a tool call. From DONE on they are terminal, but UNKNOWN: a person or a late answer settles it."""

    PROPOSED = "proposed"
    AWAITING = "awaiting approval"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    DENIED = "denied"
    REJECTED = "rejected"
    EXPIRED = "expired"
    NOT_RUN = "not run"
    UNKNOWN = "unknown"


class OperationMode(StrEnum):
    """How much a workspace leaves to its assistant.

    manual: whatever has an effect is asked, though a rule allows it. assisted: as the rules say. autonomous: what the
    built-in rules alone would ask of writes and messages is done. emergency: nothing that has not begun is done.
    """

    MANUAL = "manual"
    ASSISTED = "assisted"
    AUTONOMOUS = "autonomous"
    EMERGENCY = "emergency"


class ApprovalState(StrEnum):
    """requested (not shown yet) -> pending -> one terminal outcome; the first stands.

    void: it was approved, but what it was asked under had changed when it was to be used; people are asked again.
    """

    REQUESTED = "requested"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    VOID = "void"

    @property
    def is_open(self) -> bool:
        """Whether a decision can still change it."""
        return self in {ApprovalState.REQUESTED, ApprovalState.PENDING}


class DecisionVerdict(StrEnum):
    """A person's answer to an approval."""

    APPROVE = "approve"
    REJECT = "reject"


ACCEPTED = "accepted"
"""What an approval's workflow says of a decision that counts; of one that does not, it says the code of the refusal."""
CLOSED = "closed"
"""What is said of a decision whose workflow is gone: SQL knows the outcome."""
