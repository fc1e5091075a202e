"""Quiet hours: from when to when, in a person's own zone, chats are left alone."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def quiet_until(quiet: Mapping[str, str] | None, zone: str | None, at: datetime) -> datetime | None:
    """Give when the quiet hours end that `at` lies in; None when it lies in none.

    `quiet` is `{from, to}`, each `HH:MM`; over midnight when `from` is later. Hours that cannot be read are none.
    """
    if not quiet:
        return None
    try:
        begins, ends = time.fromisoformat(quiet["from"]), time.fromisoformat(quiet["to"])
        local = at.astimezone(ZoneInfo(zone or "UTC"))
    except (KeyError, ValueError, ZoneInfoNotFoundError):
        return None
    clock = local.time().replace(tzinfo=None)
    inside = begins <= clock < ends if begins <= ends else clock >= begins or clock < ends
    if not inside:
        return None
    day = local.date() + timedelta(days=1 if clock >= ends else 0)
    return datetime.combine(day, ends, tzinfo=local.tzinfo).astimezone(at.tzinfo)
