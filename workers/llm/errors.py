"""What can go wrong with a model, as sentences for people; `temporary` says whether to try again.

ModelError (AssentError)
  ModelUnavailable      cannot be reached, overloaded, or broke off
    ModelRateLimited    asks us to wait
    ModelTimedOut       said nothing for too long
    ModelBrokeOff       failed in the middle of its answer; another one is asked from the start
  ModelAnswerInvalid    what came cannot be read
    CallUnreadable      a tool call in it cannot be read; the model may be asked for it once more
  ModelRefusedKey       wants another key
  ModelRequestRejected  will not answer this request
    ContextTooLong      the conversation does not fit
  NoModelAnswered       several were asked, and each failed
"""

from core.errors import AssentError
from workers.llm.port import UsageReported

MAX_RETRY_AFTER_SECONDS = 60.0


class ModelError(AssentError):
    """A model call failed. The sentence never carries what the provider wrote, nor the key."""

    code, status, title = "model_failed", 502, "The model failed"
    temporary: bool = False
    sentence: str = "The model could not answer."
    reported: UsageReported | None = None
    """What the provider counted all the same: it is paid, though the answer was of no use."""

    def __init__(self, detail: str | None = None, *, retry_after: float | None = None) -> None:
        """Keep the sentence and the seconds to wait that the provider asked for, at most MAX_RETRY_AFTER_SECONDS."""
        super().__init__(detail or self.sentence)
        self.retry_after = None if retry_after is None else min(max(retry_after, 0.0), MAX_RETRY_AFTER_SECONDS)


class ModelUnavailable(ModelError):
    """The model's server cannot be reached, is overloaded, or broke off."""

    code, status, title = "model_unavailable", 503, "The model is unavailable"
    temporary = True
    sentence = "The model's server cannot be reached or is overloaded right now."


class ModelRateLimited(ModelUnavailable):
    """The model's server asks us to wait."""

    code, status, title = "model_rate_limited", 503, "The model is busy"
    sentence = "The model's server says that there were too many requests, and asks us to wait."


class ModelTimedOut(ModelUnavailable):
    """The model said nothing for too long."""

    code, status, title = "model_timed_out", 504, "The model took too long"
    sentence = "The model took too long to answer."


class ModelBrokeOff(ModelUnavailable):
    """The model failed in the middle of its answer, in a way that asking it again will not help; another one may."""

    code, status, title = "model_broke_off", 502, "The model broke off"
    sentence = "The model failed in the middle of its answer."


class ModelAnswerInvalid(ModelError):
    """What the model sent cannot be read; another try may give something else."""

    code, status, title = "model_answer_invalid", 502, "The model's answer cannot be read"
    temporary = True
    sentence = "The model sent an answer that cannot be read."


class CallUnreadable(ModelAnswerInvalid):
    """A tool call's arguments cannot be read. The thinker tells the model once; then the answer has failed."""

    code, status, title = "model_call_unreadable", 502, "The model's tool call cannot be read"
    temporary = False
    sentence = "The model's tool call cannot be read."


class ModelRefusedKey(ModelError):
    """The model's server wants another key."""

    code, status, title = "model_refused_key", 502, "The model refused the key"
    sentence = (
        "The model's server refused the API key, or the account behind it. Whoever runs Assent has to check the "
        "model's key (ASSENT_MODEL_API_KEY, or api_key in [[models]]) and the account."
    )


class ModelRequestRejected(ModelError):
    """The model's server will not answer this request, however often it is sent."""

    code, status, title = "model_request_rejected", 502, "The model rejected the request"
    sentence = "The model's server rejected the request. Sending it again will not help."


class ContextTooLong(ModelRequestRejected):
    """The conversation does not fit into the model."""

    code, title = "context_too_long", "The conversation is too long"
    sentence = "This conversation is too long for the model. Start a new one to go on."


class NoModelAnswered(ModelError):
    """Each of several models failed at the same call; temporary when one of the failures was."""

    code, status, title = "no_model_answered", 502, "No model answered"

    def __init__(self, count: int, last: ModelError, *, temporary: bool, retry_after: float | None) -> None:
        """Say how many failed, and how the last one did."""
        super().__init__(
            f"None of the {count} models could answer. The last one: {last.detail}", retry_after=retry_after
        )
        self.temporary = temporary
