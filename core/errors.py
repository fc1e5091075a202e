"""One error tree: each error has a code for programs, a status for HTTP, and a sentence for people.

AssentError
  Invalid 422          what was sent cannot be accepted as it is
  NotSignedIn 401      nobody is behind this request
  NotAllowed 403       somebody is, who may not do this
    StepUpRequired       they have to prove afresh who they are
    SecondFactorRequired the password alone is not enough
    ProofFailed          what they gave proves nothing
  NotFound 404         not there, or not for this person: the answer is the same
  Conflict 409         the state of things does not allow it any more
    AlreadyDecided       somebody's decision stands
    Expired              the time to decide is over
    DigestMismatch       what was shown is not what would run
    Busy                 a turn runs, and the conversation takes no message meanwhile
  TooLarge 413         over a size limit
  TooMany 429          over a rate limit; says when to come again
  Unavailable 503      a part of the server is down for now
  Misconfigured 500    whoever runs this has to change something first
  LeaseLost 409        a newer attempt or turn holds the conversation
"""

from typing import Any, ClassVar


class AssentError(Exception):
    """Any failure that Assent explains; `detail` is a sentence for the person who reads it."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str, **more: Any) -> None:
        """Keep the sentence and any further members of the problem document."""
        super().__init__(detail)
        self.detail = detail
        self.more = more


class Invalid(AssentError):
    """What was sent cannot be accepted as it is."""

    code, status, title = "invalid", 422, "Not valid"


class NotSignedIn(AssentError):
    """Nobody is behind this request."""

    code, status, title = "not_signed_in", 401, "Not signed in"


class NotAllowed(AssentError):
    """Somebody is signed in who may not do this."""

    code, status, title = "not_allowed", 403, "Not allowed"


class StepUpRequired(NotAllowed):
    """The person has to prove afresh who they are, and may then do it."""

    code, title = "step_up_required", "Prove who you are"


class SecondFactorRequired(NotAllowed):
    """The password alone is not enough: `methods` says what else; at sign-in `ceremony_id` lets the person go on."""

    code, title = "second_factor_required", "One more step"


class ProofFailed(NotAllowed):
    """What somebody gave does not prove who they are."""

    code, title = "proof_failed", "Not proved"


class NotFound(AssentError):
    """Not there, or not for this person."""

    code, status, title = "not_found", 404, "Not found"


class Conflict(AssentError):
    """The state of things does not allow it any more."""

    code, status, title = "conflict", 409, "Conflict"


class AlreadyDecided(Conflict):
    """Somebody's decision stands; `decided_by` and `state` say whose."""

    code, title = "already_decided", "Already decided"


class Expired(Conflict):
    """The time to decide is over; that is a refusal."""

    code, title = "expired", "Expired"


class DigestMismatch(Conflict):
    """What was shown is not what would run."""

    code, title = "digest_mismatch", "Not what was shown"


class Busy(Conflict):
    """A turn runs, and the conversation takes no message meanwhile; nothing was written."""

    code, title = "busy", "Busy"


class LeaseLost(Conflict):
    """A newer attempt or another turn holds the conversation."""

    code, title = "lease_lost", "Lease lost"


class TooLarge(AssentError):
    """Over a size limit."""

    code, status, title = "too_large", 413, "Too large"


class TooMany(AssentError):
    """Over a rate limit; `retry_after` is in seconds."""

    code, status, title = "too_many", 429, "Too many requests"

    def __init__(self, detail: str, retry_after: float = 1.0, **more: Any) -> None:
        """Keep the seconds after which to come again."""
        super().__init__(detail, retry_after=retry_after, **more)
        self.retry_after = retry_after


class BudgetExhausted(AssentError):
    """The money or the tokens of the day or the month are used up; nothing was sent to a model."""

    code, status, title = "budget_exhausted", 402, "The budget is used up"


class PriceUnknown(AssentError):
    """A budget in money bounds this, and nobody knows what the model costs; nothing was sent to it."""

    code, status, title = "price_unknown", 402, "The price is not known"


class Unavailable(AssentError):
    """A part of the server is down for now; try again in `retry_after` seconds."""

    code, status, title = "unavailable", 503, "Unavailable"

    def __init__(self, detail: str, retry_after: float = 2.0, **more: Any) -> None:
        """Keep the seconds after which to come again."""
        super().__init__(detail, retry_after=retry_after, **more)
        self.retry_after = retry_after


class Misconfigured(AssentError):
    """Whoever runs this has to change something first; `detail` says what."""

    code, status, title = "misconfigured", 500, "Not set up correctly"
