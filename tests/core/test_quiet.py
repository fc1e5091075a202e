"""Quiet hours end when their person's clock says so."""

from datetime import UTC, datetime

import pytest

from core.quiet import quiet_until

NIGHT = {"from": "22:00", "to": "07:00"}
NOON = {"from": "12:00", "to": "13:30"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestQuiet:
    @pytest.mark.parametrize(
        ("quiet", "zone", "now", "until"),
        [
            (NIGHT, "UTC", "2026-11-21T23:00", "2026-11-22T07:00"),
            (NIGHT, "UTC", "2026-11-21T06:59", "2026-11-21T07:00"),
            (NIGHT, "UTC", "2026-11-21T07:00", None),
            (NIGHT, "UTC", "2026-11-21T21:59", None),
            (NIGHT, "America/New_York", "2026-11-21T11:00", "2026-11-21T12:00"),
            (NIGHT, "Asia/Tokyo", "2026-11-21T14:00", "2026-11-21T22:00"),
            (NIGHT, None, "2026-11-21T22:00", "2026-11-22T07:00"),
            (NOON, "UTC", "2026-11-21T12:00", "2026-11-21T13:30"),
            (NOON, "UTC", "2026-11-21T13:30", None),
            ({"from": "09:00", "to": "09:00"}, "UTC", "2026-11-21T09:00", None),
            (None, "UTC", "2026-11-21T12:00", None),
            ({"from": "soon"}, "UTC", "2026-11-21T12:00", None),
            (NOON, "Mars/Olympus", "2026-11-21T12:00", None),
        ],
    )
    def test_it_ends_when_the_clock_there_says(self, quiet, zone, now, until):
        assert quiet_until(quiet, zone, at(now)) == (at(until) if until else None)
