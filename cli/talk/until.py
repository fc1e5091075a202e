"""Reads until when something lasts, as people write it: a weekday, a day, a span."""

import re
from datetime import UTC, datetime, time, timedelta

from core.errors import Invalid

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPAN = re.compile(r"(\d{1,4}) ?(h|d|w)")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_END = time(23, 59, 59)


def parse_until(text: str, at: datetime) -> datetime:
    """Return the instant in UTC: the end of a day as the clock here has it, or a span from `at`, which is aware.

    `friday` is the next one, today if it is Friday; `tomorrow`, `2026-03-06`, `2026-03-06T18:00`, `36h`, `3d`, `2w`.
    Raises Invalid.
    """
    word = text.strip().lower()
    found = _SPAN.fullmatch(word)
    if found is not None:
        return at.astimezone(UTC) + int(found[1]) * _UNITS[found[2]]
    if word in {"today", "tomorrow"}:
        return _end_of(at + timedelta(days=word == "tomorrow"))
    short = [place for place, day in enumerate(_DAYS) if len(word) > 1 and day.startswith(word)]
    if len(short) == 1:
        return _end_of(at + timedelta(days=(short[0] - at.weekday()) % 7))
    try:
        given = datetime.fromisoformat(word.upper())
    except ValueError:
        message = f"Not a time: {text}. Say friday, tomorrow, 2026-03-06, 2026-03-06T18:00, 36h, 3d or 2w."
        raise Invalid(message) from None
    if "t" in word:
        return (given if given.tzinfo else given.replace(tzinfo=at.tzinfo)).astimezone(UTC)
    return _end_of(given.replace(tzinfo=at.tzinfo))


def _end_of(day: datetime) -> datetime:
    return datetime.combine(day.date(), _END, day.tzinfo).astimezone(UTC)
