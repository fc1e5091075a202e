"""The contract of a connector: what it is told, what it answers, how it fails.

ConnectorError
  TemporaryFailure 503    try again, after `retry_after` seconds if it says so
    Unreachable           no connection, no answer in time, or a server error: counts for the service's breaker
    Throttled             the service wants fewer calls: calls to it pause, its breaker stays as it is
  NeedsAuthorization 403  somebody has to connect an account, or sign in to it again
  PermanentFailure 422    trying again changes nothing
  OutcomeUnknown 502      it may have taken effect, or not: a person has to look
  InputRequired 409       the service asks people something before it goes on
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import Field

from connectors.manifest import ConnectorManifest
from core.errors import AssentError
from core.ids import Id
from core.values import Value
from core.views import ChangeView as Change
from core.views import PreviewView as Preview

__all__ = [
    "Answered",
    "CallContext",
    "Change",
    "Checkable",
    "Connector",
    "ConnectorError",
    "InputRequired",
    "NeedsAuthorization",
    "OutcomeUnknown",
    "PermanentFailure",
    "Preview",
    "Question",
    "Reaching",
    "TemporaryFailure",
    "Throttled",
    "Unreachable",
]


class Question(Value):
    """What a service asks people before it goes on. All of it is the service's word, and none of it is checked.

    `key` is its name for the question, `message` its words, `schema_` what an answer has to fit: flat, and safe to
    check. `refused`: why nobody is asked this, so that the answer is no.
    """

    key: str = Field(max_length=200)
    message: str = Field(max_length=4_000)
    schema_: dict[str, Any]
    server: str = Field(max_length=200)
    refused: str | None = None


class Answered(Value):
    """What people said to the questions of a call that now goes on: `content` for what they accept, by key.

    `actions` is accept, decline or cancel for each; `state` is what the service gave us to bring back.
    """

    actions: dict[str, Literal["accept", "decline", "cancel"]]
    content: dict[str, dict[str, Any]]
    state: str | None


class CallContext(Value):
    """What a connector knows of a call. `user_id` is on whose behalf; the key is the same for every attempt.

    `answer`: the call was made before, and goes on with what people said to what its service asked.
    """

    workspace_id: Id
    user_id: Id
    conversation_id: Id
    turn_id: Id
    tool_call_id: Id
    idempotency_key: str
    deadline: datetime
    answer: Answered | None = None


class Connector(Protocol):
    """A service. Arguments have passed the action's schema before they get here.

    Both methods raise a ConnectorError and nothing else of their own. Only the gate calls `execute`.
    """

    @property
    def manifest(self) -> ConnectorManifest:
        """What it can do."""
        ...

    async def preview(self, action: str, arguments: dict[str, Any], context: CallContext) -> Preview:
        """Say what the action would do, changing nothing."""
        ...

    async def execute(self, action: str, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        """Do it, and give the result as JSON."""
        ...


@runtime_checkable
class Reaching(Protocol):
    """A connector that calls a service elsewhere: its calls have a breaker, and what became of them is noted."""

    def host_of(self, action: str, arguments: dict[str, Any]) -> str:
        """Name the service that a call goes to; see core/store/service_health.py for those that people choose."""
        ...


@runtime_checkable
class Checkable(Protocol):
    """A connector that can ask its service whether it is there."""

    @property
    def service(self) -> str:
        """The service's name, as `host_of` gives it."""
        ...

    async def probe(self) -> None:
        """Ask, changing nothing; raises a ConnectorError when it is not well."""
        ...


class ConnectorError(AssentError):
    """A call that did not work."""


class TemporaryFailure(ConnectorError):
    """Try again; `retry_after` in seconds, None when the service did not say."""

    code, status, title = "temporary_failure", 503, "Did not work this time"

    def __init__(self, detail: str, retry_after: float | None = None, **more: Any) -> None:
        """Keep the seconds after which to try again."""
        super().__init__(detail, retry_after=retry_after, **more)
        self.retry_after = retry_after


class Unreachable(TemporaryFailure):
    """No connection, no answer in time, or a server error (5xx): the breaker counts it.

    As every TemporaryFailure, of an at_most_once action it says that nothing took effect; else raise OutcomeUnknown.
    """


class Throttled(TemporaryFailure):
    """The service wants fewer calls (429): calls to it pause for `retry_after` seconds."""


class NeedsAuthorization(ConnectorError):
    """Somebody has to connect an account, or sign in to it again."""

    code, status, title = "needs_authorization", 403, "Needs to be connected"


class PermanentFailure(ConnectorError):
    """Trying again changes nothing; the sentence says what would."""

    code, status, title = "permanent_failure", 422, "Cannot be done"


class OutcomeUnknown(ConnectorError):
    """It may have taken effect, or not: a person has to look."""

    code, status, title = "outcome_unknown", 502, "Nobody knows what became of it"


class InputRequired(ConnectorError):
    """The service asks people something before it goes on; `state` is what it wants back with the answers."""

    code, status, title = "input_required", 409, "The service asks something"

    def __init__(self, questions: Sequence[Question], state: str | None) -> None:
        """Keep what is asked."""
        super().__init__("The service asks something before it goes on.")
        self.questions = tuple(questions)
        self.state = state
