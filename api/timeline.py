"""A turn's timeline: what happened, when, in whose lane, how often and how long."""

from datetime import datetime, timedelta
from typing import Literal

from core.text import reveal
from core.values import Value
from core.views import TurnView

Lane = Literal["person", "turn", "model", "tool", "approval", "server"]
_SHOWN = 240


class Entry(Value):
    """One thing that happened. `who` is a person's name; `attempt` counts from 1; `failure` says what went wrong."""

    at: datetime
    lane: Lane
    kind: str
    title: str
    detail: str | None = None
    who: str | None = None
    attempt: int | None = None
    duration_ms: int | None = None
    failure: str | None = None


class Timeline(Value):
    """A turn with all its entries, oldest first; `temporal_url` leads to its workflow in Temporal's web UI."""

    turn: TurnView
    entries: tuple[Entry, ...]
    temporal_url: str | None = None


def milliseconds(length: timedelta) -> int:
    """Give a length of time in whole milliseconds, never below zero."""
    return max(0, round(length.total_seconds() * 1000))


def excerpt(text: str) -> str:
    """Give the beginning of a text on one line, hidden characters made visible."""
    line = " ".join(text.split())
    return reveal(line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…")
