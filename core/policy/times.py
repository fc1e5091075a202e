"""Spans of time, hours of the week and on-call rotas, as people write them in a policy."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator

from core.profile import TimeZone
from core.values import Value

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SPAN = re.compile(r"(?:\d{1,5}w)?(?:\d{1,5}d)?(?:\d{1,5}h)?(?:\d{1,6}m)?(?:\d{1,7}s)?", re.ASCII)
_PART = re.compile(r"(\d+)([wdhms])", re.ASCII)
_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)", re.ASCII)
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 1_440
_MOST_DAYS = 60


def read_span(given: Any) -> Any:
    """Turn `90m`, `24h`, `2d` or `1d12h` into seconds; ValueError for anything else."""
    if isinstance(given, str) and given and _SPAN.fullmatch(given):
        return float(sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(given)))
    message = "a span of time is wanted, such as 90m, 24h or 2d"
    raise ValueError(message)


def write_span(seconds: float) -> str:
    """Write seconds as `read_span` reads them, in as few units as fit."""
    left, parts = round(seconds), []
    if left and left % _UNITS["d"] and not left % _UNITS["h"]:
        return f"{left // _UNITS['h']}h"
    for unit, size in _UNITS.items():
        if unit != "w" and left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts) or "0s"


Span = Annotated[float, BeforeValidator(read_span), Field(gt=0), PlainSerializer(write_span)]
"""A span of time: text such as `24h` outside, seconds inside."""


def _read_clock(given: Any) -> Any:
    """Take `09:00`; also the minutes that YAML 1.1 makes of an unquoted 17:00."""
    if type(given) is int and 0 <= given <= _DAY_MINUTES:
        return given
    found = _CLOCK.fullmatch(given) if isinstance(given, str) else None
    minutes = int(found[1]) * 60 + int(found[2]) if found else _DAY_MINUTES + 1
    if minutes > _DAY_MINUTES:
        message = "a time of day is wanted, such as 09:00"
        raise ValueError(message)
    return minutes


def write_clock(minutes: int) -> str:
    """Write minutes since midnight as a time of day."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


Clock = Annotated[int, BeforeValidator(_read_clock), PlainSerializer(write_clock)]
"""A time of day: `09:00` outside, minutes since midnight inside; `24:00` ends a day."""


def _read_days(given: Any) -> Any:
    parts = [given] if isinstance(given, str) else given
    if not isinstance(parts, list | tuple) or not parts or not all(isinstance(one, str) for one in parts):
        message = "days are wanted, such as mon-fri or [mon, wed]"
        raise ValueError(message)
    found = {day for part in parts for one in part.split(",") for day in _days_of(one.strip().lower())}
    return tuple(day for day in WEEK if day in found)


def _days_of(part: str) -> Iterator[str]:
    first, dash, last = part.partition("-")
    if first not in WEEK or (dash and last not in WEEK):
        message = "days are written mon, tue, wed, thu, fri, sat, sun, or as mon-fri"
        raise ValueError(message)
    begin, end = WEEK.index(first), WEEK.index(last or first)
    yield from (WEEK[number % 7] for number in range(begin, end + 1 if end >= begin else end + 8))


Days = Annotated[tuple[str, ...], BeforeValidator(_read_days)]


class Hours(Value):
    """Hours of a week on the clocks of one zone. `to` before `from` ends on the day after."""

    zone: TimeZone
    days: Days = WEEK
    from_: Clock = Field(0, alias="from")
    to: Clock = _DAY_MINUTES

    @model_validator(mode="after")
    def _are_some(self) -> Self:
        if self.from_ in {self.to, _DAY_MINUTES}:
            message = "these hours are none: `from` and `to` are the same"
            raise ValueError(message)
        return self

    def contain(self, at: datetime) -> bool:
        """Whether an instant is in them."""
        return any(begin <= at < end for begin, end in self._spans(at, 2))

    def after(self, at: datetime, seconds: float) -> datetime:
        """Give the instant at which so many seconds of these hours have passed since `at`.

        What would be more than 60 days away is 60 days away.
        """
        left = timedelta(seconds=seconds)
        for begin, end in self._spans(at, _MOST_DAYS):
            start = max(begin, at)
            if end - start >= left:
                return start + left
            left -= max(end - start, timedelta())
        return at + timedelta(days=_MOST_DAYS)

    def _spans(self, at: datetime, days: int) -> Iterator[tuple[datetime, datetime]]:
        """Give what these hours are from the day before `at` on, in order, in UTC."""
        zone = ZoneInfo(self.zone)
        first = at.astimezone(zone).date() - timedelta(days=1)
        for number in range(days + 1):
            day = first + timedelta(days=number)
            if WEEK[day.weekday()] in self.days:
                over = timedelta(days=1) if self.to < self.from_ else timedelta()
                yield _instant(day, self.from_, zone), _instant(day + over, self.to, zone)


def _instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    whole = datetime.combine(day, time()) + timedelta(minutes=minutes)
    return whole.replace(tzinfo=zone).astimezone(UTC)


class Rota(Value):
    """People who are on call one after the other, a shift each, from `starts` on, by the clocks of one zone."""

    zone: TimeZone
    starts: datetime
    shift: Span
    people: tuple[str, ...] = Field(min_length=1, max_length=100)

    @field_validator("starts", mode="before")
    @classmethod
    def _read_starts(cls, given: Any) -> Any:
        if isinstance(given, str):
            return datetime.fromisoformat(given)
        if isinstance(given, date) and not isinstance(given, datetime):
            return datetime.combine(given, time())
        return given

    @field_validator("starts")
    @classmethod
    def _is_local(cls, given: datetime) -> datetime:
        if given.tzinfo is not None:
            message = "`starts` is a time on the clocks of `zone`, without an offset"
            raise ValueError(message)
        return given

    @field_validator("shift")
    @classmethod
    def _is_long_enough(cls, given: float) -> float:
        if given < _UNITS["h"]:
            message = "a shift lasts an hour at least"
            raise ValueError(message)
        return given

    def on_call(self, at: datetime) -> str | None:
        """Give who is on call, by e-mail address or id; None before the first shift."""
        local = at.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)
        shifts = (local - self.starts) // timedelta(seconds=self.shift)
        return None if shifts < 0 else self.people[shifts % len(self.people)]
