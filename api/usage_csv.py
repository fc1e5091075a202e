"""Usage as CSV, line by line: a long export holds neither memory nor a database session while its reader is slow."""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from core.permissions import Principal
from core.prices import dollars
from core.store import spending
from core.store.database import Database
from core.store.spending import Span
from core.tables.cost import Usage

_HEADS = (
    "time",
    "id",
    "user_id",
    "conversation_id",
    "turn_id",
    "round",
    "purpose",
    "provider",
    "model",
    "complexity",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "estimated_tokens",
    "cost_usd",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


async def csv_lines(database: Database, who: Principal, span: Span) -> AsyncIterator[str]:
    """Give a heading, then one line a call, oldest first. `cost_usd` is `unknown` where the price is."""
    yield _lines([_HEADS])
    last = ""
    while True:
        async with database.reading() as session:
            rows = await spending.calls_after(session, who, span, last)
        if not rows:
            return
        yield _lines(_cells(row) for row in rows)
        last = rows[-1].id


def _cells(row: Usage) -> tuple[object, ...]:
    return (
        row.created_at,
        row.id,
        row.user_id,
        row.conversation_id,
        row.turn_id,
        row.round,
        row.purpose,
        row.provider,
        row.model,
        row.complexity,
        row.input_tokens,
        row.output_tokens,
        row.cached_tokens,
        row.reserved_tokens if row.estimated else None,
        dollars(row.cost_micros),
    )


def _lines(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([_cell(one) for one in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """Make a text that a spreadsheet would run harmless: an apostrophe in front makes it text."""
    if isinstance(value, datetime):
        return value.isoformat()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
