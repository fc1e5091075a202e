"""Usage and budgets on the command line."""

import sys
from collections.abc import Mapping
from typing import Any

from cli.talk.people import find_person
from cli.talk.screen import Screen, clean
from cli.talk.server import Server
from core.prices import dollars


async def show_usage(server: Server, screen: Screen, by: str, since: str | None, to: str | None, limit: int) -> None:
    """Show usage added up, then today, this month, and the budgets."""
    query = {"group": by, "from": since, "to": to, "limit": limit}
    page = await server.get("/usage", **query)
    summary = await server.get("/usage/summary")
    if screen.json:
        screen.data({"usage": page, "summary": summary})
        return
    heads = (by.upper(), "CALLS", "TOKENS IN", "CACHED", "OUT", "US DOLLARS")
    screen.table(heads, [(one.get("name") or one["key"], *_figures(one["totals"])) for one in page["items"]])
    if page["next"]:
        screen.say(f"{page['total']} in all; --limit, --from and --to show others.")
    _show_summary(screen, summary)


def _figures(totals: Mapping[str, Any]) -> tuple[object, ...]:
    return totals["calls"], totals["input_tokens"], totals["cached_tokens"], totals["output_tokens"], _cost(totals)


def _cost(totals: Mapping[str, Any]) -> str:
    """Write what is known, and how many calls have no known price."""
    unknown, calls = totals["unpriced"], totals["calls"]
    if unknown and unknown == calls:
        return "unknown"
    return dollars(totals["cost_micros"]) + (f" and {unknown} of {calls} unknown" if unknown else "")


def _show_summary(screen: Screen, summary: Mapping[str, Any]) -> None:
    names = {
        "mine_today": "You, today",
        "mine_this_month": "You, this month",
        "workspace_today": "Workspace, today",
        "workspace_this_month": "Workspace, this month",
    }
    screen.show()
    rows = [(words, *_figures(summary[name]["totals"])) for name, words in names.items() if summary[name]]
    screen.table(("UP TO NOW", "CALLS", "TOKENS IN", "CACHED", "OUT", "US DOLLARS"), rows)
    if summary["budgets"]:
        screen.show()
        _show_budgets(screen, summary["budgets"])


async def write_csv(server: Server, _screen: Screen, since: str | None, to: str | None) -> None:
    """Write every call, as the server streams it."""
    async with server.streamed("/usage.csv", {"from": since, "to": to}) as response:
        async for text in response.aiter_text():
            sys.stdout.write(clean(text.replace("\r\n", "\n")))
    sys.stdout.flush()


async def show_suggestions(server: Server, screen: Screen) -> None:
    """Show what could cost less."""
    page = await server.get("/usage/suggestions")
    if screen.json:
        screen.data(page)
        return
    if not page["items"]:
        screen.show("The records of the last 30 days suggest nothing, or there are too few of them.")
    for one in page["items"]:
        saving = one["saving_micros"]
        screen.show(f"* {one['text']}" + (f" Less by {dollars(saving)} US dollars." if saving is not None else ""))


async def list_budgets(server: Server, screen: Screen) -> None:
    """Show the budgets."""
    page = await server.get("/budgets", limit=100)
    if screen.json:
        screen.data(page)
        return
    _show_budgets(screen, page["items"])


def _show_budgets(screen: Screen, items: list[Mapping[str, Any]]) -> None:
    rows = []
    for one in items:
        money = (
            "" if one["money_micros"] is None else f"{dollars(one['left_micros'])} of {dollars(one['money_micros'])}"
        )
        tokens = "" if one["tokens"] is None else f"{one['left_tokens']} of {one['tokens']}"
        rows.append((one["id"], one["user_id"] or "workspace", one["period"], money, tokens, one["renews_at"][:10]))
    screen.table(("BUDGET", "WHOSE", "PERIOD", "US DOLLARS LEFT", "TOKENS LEFT", "RENEWS"), rows)


async def set_budget(
    server: Server, screen: Screen, period: str, money: int | None, tokens: int | None, user: str | None
) -> None:
    """Set a budget and show it."""
    user_id = await find_person(server, user) if user else None
    body = {"user_id": user_id, "period": period, "money_micros": money, "tokens": tokens}
    made = await server.post("/budgets", body)
    if screen.json:
        screen.data(made)
        return
    _show_budgets(screen, [made])


async def remove_budget(server: Server, screen: Screen, budget_id: str) -> None:
    """Take a budget away."""
    await server.ask("DELETE", f"/budgets/{budget_id}")
    if screen.json:
        screen.data({"removed": budget_id})
        return
    screen.show(f"Removed {budget_id}.")
