"""Usage: what model calls used and cost, added up or call by call, and what the records say could cost less."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from api.rest.context import Here, Who
from api.rest.pages import Cursor, Limit, Page
from api.usage_csv import csv_lines
from core.clock import now
from core.store import budgets, savings, spending
from core.store.spending import Group, Span
from core.values import Value
from core.views import BudgetView, SuggestionView, UsageGroupView, UsageTotals

router = APIRouter(tags=["usage"])

By = Annotated[Group, Query(description="What to add up by.")]
From = Annotated[AwareDatetime | None, Query(alias="from", description="Calls from this moment on.")]
To = Annotated[AwareDatetime | None, Query(description="Calls before this moment.")]
_MOST_BUDGETS = 100


class Period(Value):
    """A UTC day or month so far."""

    since: datetime
    totals: UsageTotals


class Summary(Value):
    """What was used up to now: by the person, by the workspace (owners and admins), and what the budgets leave."""

    mine_today: Period
    mine_this_month: Period
    workspace_today: Period | None
    workspace_this_month: Period | None
    budgets: list[BudgetView]


@router.get("/usage")
async def list_usage(
    here: Here,
    who: Who,
    group: By = Group.DAY,
    since: From = None,
    to: To = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[UsageGroupView]:
    """Add usage up by message, turn, person, model, day or purpose: the workspace's for owners and admins, else own."""
    span = Span(since=since, until=to)
    async with here.database.reading() as session:
        items, following, total = await spending.grouped(session, who, group, span, limit=limit, cursor=cursor)
    return Page(items=items, next=following, total=total)


@router.get(
    "/usage.csv",
    response_class=StreamingResponse,
    responses={200: {"description": "One row a call, oldest first.", "content": {"text/csv": {}}}},
)
async def export_usage(here: Here, who: Who, since: From = None, to: To = None) -> StreamingResponse:
    """Give every call as CSV; no cell of it is a formula to a spreadsheet."""
    lines = csv_lines(here.database, who, Span(since=since, until=to))
    headers = {"Content-Disposition": 'attachment; filename="usage.csv"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/usage/summary")
async def get_summary(here: Here, who: Who) -> Summary:
    """Show today and this month, and what is left of each budget."""
    at = now()
    today, month = budgets.begins_at(budgets.DAY, at), budgets.begins_at(budgets.MONTH, at)
    async with here.database.reading() as session:

        async def so_far(since: datetime, *, own: bool) -> Period:
            return Period(since=since, totals=await spending.totals(session, who, Span(since=since), own=own))

        manages = who.role in spending.MANAGERS
        left, _, _ = await budgets.page(session, who, limit=_MOST_BUDGETS, cursor=None)
        return Summary(
            mine_today=await so_far(today, own=True),
            mine_this_month=await so_far(month, own=True),
            workspace_today=await so_far(today, own=False) if manages else None,
            workspace_this_month=await so_far(month, own=False) if manages else None,
            budgets=left,
        )


@router.get("/usage/suggestions")
async def list_suggestions(here: Here, who: Who) -> Page[SuggestionView]:
    """Say what could cost less, by the records of the last 30 days; nothing where there are too few of them."""
    async with here.database.reading() as session:
        items = await savings.suggestions(session, who)
    return Page(items=items, next=None, total=len(items))
