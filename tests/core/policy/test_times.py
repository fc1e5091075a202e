"""Spans, hours and rotas: on the clocks of a zone, over changes of the clock, never off by a shift."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from core.policy.times import Clock, Days, Hours, Rota, Span

OFFICE = Hours.model_validate({"zone": "Europe/Berlin", "days": "mon-fri", "from": "09:00", "to": "17:00"})
NIGHT = Hours.model_validate({"zone": "UTC", "days": "fri", "from": "22:00", "to": "06:00"})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestSpan:
    @pytest.mark.parametrize(
        ("text", "seconds", "again"),
        [
            ("90m", 5_400, "1h30m"),
            ("24h", 86_400, "1d"),
            ("36h", 129_600, "36h"),
            ("2d", 172_800, "2d"),
            ("1w", 604_800, "7d"),
            ("1d12h30m5s", 131_405, "1d12h30m5s"),
        ],
    )
    def test_reads_what_people_write(self, text, seconds, again):
        adapter = TypeAdapter(Span)

        assert (adapter.validate_python(text), adapter.dump_python(seconds)) == (seconds, again)

    @pytest.mark.parametrize("text", ["", "0h", "h", "2 d", "-1h", "1.5h", "2y", "24", 24, None, True, "1h1d"])
    def test_refuses_the_rest(self, text):
        with pytest.raises(ValidationError):
            TypeAdapter(Span).validate_python(text)


class TestClockAndDays:
    @pytest.mark.parametrize(("given", "minutes"), [("09:00", 540), ("9:05", 545), ("24:00", 1440), (1020, 1020)])
    def test_clock(self, given, minutes):
        assert TypeAdapter(Clock).validate_python(given) == minutes

    @pytest.mark.parametrize("given", ["24:01", "25:00", "9", "09:60", 1441, -1, True, 9.5, None])
    def test_no_clock(self, given):
        with pytest.raises(ValidationError):
            TypeAdapter(Clock).validate_python(given)

    @pytest.mark.parametrize(
        ("given", "days"),
        [
            ("mon-fri", ("mon", "tue", "wed", "thu", "fri")),
            (["sun", "mon"], ("mon", "sun")),
            ("fri-mon", ("mon", "fri", "sat", "sun")),
            ("Mon, wed", ("mon", "wed")),
        ],
    )
    def test_days(self, given, days):
        assert TypeAdapter(Days).validate_python(given) == days

    @pytest.mark.parametrize("given", ["", [], "monday", "mon-", 1, [1], "mon--fri"])
    def test_no_days(self, given):
        with pytest.raises(ValidationError):
            TypeAdapter(Days).validate_python(given)


class TestHours:
    @pytest.mark.parametrize(
        ("instant", "inside"),
        [
            ("2026-01-05T08:00", True),
            ("2026-01-05T07:59", False),
            ("2026-01-05T16:00", False),
            ("2026-01-03T10:00", False),
            ("2026-07-06T07:00", True),
        ],
    )
    def test_are_on_the_clocks_of_their_zone(self, instant, inside):
        assert OFFICE.contain(at(instant)) is inside

    @pytest.mark.parametrize(
        ("instant", "inside"),
        [
            ("2026-01-02T23:00", True),
            ("2026-01-03T05:59", True),
            ("2026-01-03T06:00", False),
            ("2026-01-03T23:00", False),
            ("2026-01-02T05:00", False),
        ],
    )
    def test_may_pass_midnight(self, instant, inside):
        assert NIGHT.contain(at(instant)) is inside

    @pytest.mark.parametrize(
        ("begin", "hours", "end"),
        [
            ("2026-01-05T08:00", 4, "2026-01-05T12:00"),
            ("2026-01-05T15:00", 2, "2026-01-06T09:00"),
            ("2026-01-09T15:30", 1, "2026-01-12T08:30"),
            ("2026-01-10T12:00", 8, "2026-01-12T16:00"),
            ("2026-03-27T15:00", 2, "2026-03-30T08:00"),
        ],
    )
    def test_time_passes_only_in_them(self, begin, hours, end):
        assert OFFICE.after(at(begin), hours * 3600) == at(end)

    @pytest.mark.parametrize(
        "given",
        [
            {},
            {"zone": "Mars/Olympus"},
            {"zone": "UTC", "from": "09:00", "to": "09:00"},
            {"zone": "UTC", "from": "24:00"},
            {"zone": "UTC", "until": "09:00"},
        ],
    )
    def test_are_some(self, given):
        with pytest.raises(ValidationError):
            Hours.model_validate(given)


class TestRota:
    ROTA = Rota.model_validate(
        {"zone": "Europe/Berlin", "starts": "2026-03-23T09:00", "shift": "7d", "people": ["ana@x.test", "ben@x.test"]}
    )

    @pytest.mark.parametrize(
        ("instant", "who"),
        [
            ("2026-03-23T07:59", None),
            ("2026-03-23T08:00", "ana@x.test"),
            ("2026-03-30T06:59", "ana@x.test"),
            ("2026-03-30T07:00", "ben@x.test"),
            ("2026-04-06T07:00", "ana@x.test"),
        ],
    )
    def test_says_who_is_on_call_over_a_change_of_the_clock(self, instant, who):
        assert self.ROTA.on_call(at(instant)) == who

    @pytest.mark.parametrize(
        "change",
        [
            {"people": []},
            {"shift": "5m"},
            {"starts": "2026-03-23T09:00+01:00"},
            {"starts": "soon"},
            {"zone": "Nowhere"},
        ],
    )
    def test_is_strict(self, change):
        with pytest.raises(ValidationError):
            Rota.model_validate({"zone": "UTC", "starts": "2026-01-01", "shift": "1d", "people": ["a@x.test"]} | change)
