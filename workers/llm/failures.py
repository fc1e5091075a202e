"""From the errors of the client library to ours; what the provider wrote stays in the cause, never in the sentence."""

import httpx2
from pydantic_ai import exceptions

from workers.llm.errors import (
    ContextTooLong,
    ModelAnswerInvalid,
    ModelError,
    ModelRateLimited,
    ModelRefusedKey,
    ModelRequestRejected,
    ModelTimedOut,
    ModelUnavailable,
)

REQUEST_TIMEOUT, CONFLICT, TOO_EARLY = 408, 409, 425
_OURS: tuple[tuple[type[Exception], type[ModelError]], ...] = (
    # The first that fits counts: special cases before what they derive from.
    (exceptions.ModelRateLimitError, ModelRateLimited),
    (exceptions.ModelQuotaExceededError, ModelRefusedKey),
    (exceptions.ModelAuthenticationError, ModelRefusedKey),
    (exceptions.ModelContextWindowExceededError, ContextTooLong),
    (exceptions.ModelTimeoutError, ModelTimedOut),
    (exceptions.ModelRequestTimeout, ModelTimedOut),
    (exceptions.ModelConnectionError, ModelUnavailable),
    (exceptions.ModelUnavailableError, ModelUnavailable),
    (exceptions.ModelServerError, ModelUnavailable),
    (httpx2.TimeoutException, ModelTimedOut),
    (httpx2.DecodingError, ModelAnswerInvalid),
    (httpx2.TransportError, ModelUnavailable),
)


def our_error(error: Exception) -> ModelError:
    """Give our error for one of pydantic-ai's, or of what is below it."""
    retry_after = getattr(error, "retry_after", None)
    status = getattr(error, "status_code", None)
    if isinstance(error, exceptions.ModelNotFoundError):
        return ModelRequestRejected(
            "The model's server does not know this model. Whoever runs Assent has to check its name and address."
        )
    if status in {REQUEST_TIMEOUT, CONFLICT, TOO_EARLY}:
        return ModelUnavailable(retry_after=retry_after)
    for theirs, ours in _OURS:
        if isinstance(error, theirs):
            return ours(retry_after=retry_after)
    if isinstance(error, exceptions.ModelRequestRejectedError):
        return ModelRequestRejected()
    return ModelAnswerInvalid()
