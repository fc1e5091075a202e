"""Errors on their way to Temporal: the code as type, our sentence as detail, and whether to try again."""

from datetime import timedelta
from http import HTTPStatus

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from core.errors import AssentError


def as_failure(error: AssentError, *, again: bool, after_seconds: float | None = None) -> ApplicationError:
    """Give the error as Temporal carries it; `after_seconds` overrules the retry policy's wait.

    What a person or a model got wrong is no fault of ours: the SDK then writes no traceback to the log.
    """
    delay = None if after_seconds is None else timedelta(seconds=after_seconds)
    ours = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return ApplicationError(
        error.detail,
        error.detail,
        type=error.code,
        non_retryable=not again,
        next_retry_delay=delay,
        category=ApplicationErrorCategory.UNSPECIFIED if ours else ApplicationErrorCategory.BENIGN,
    )
