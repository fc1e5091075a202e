"""The one place that reads the time: UTC, aware."""

from datetime import UTC, datetime


def now() -> datetime:
    """Tell the time, in UTC, cut to the milliseconds that both databases keep."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
