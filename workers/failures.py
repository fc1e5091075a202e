"""Errors on their way to Temporal: the code as type, our sentence as detail, and whether to try again."""

from datetime import timedelta
from http import HTTPStatus

import structlog
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from core.errors import AssentError

_log = structlog.get_logger()


def as_failure(error: AssentError, *, again: bool, after_seconds: float | None = None) -> ApplicationError:
    """Give the error as Temporal carries it; `after_seconds` overrules the retry policy's wait.

    Raise it `from None`: what a provider said may hold people's words, and a cause would go into logs and histories.
    The SDK writes no traceback for what is foreseen; what is not a person's or a model's doing gets a line of ours.
    """
    delay = None if after_seconds is None else timedelta(seconds=after_seconds)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("a step failed", code=error.code, sentence=error.detail, again=again)
    return ApplicationError(
        error.detail,
        error.detail,
        type=error.code,
        non_retryable=not again,
        next_retry_delay=delay,
        category=ApplicationErrorCategory.BENIGN,
    )
