"""`assent usage` and `assent budget`: what models used, what they cost, and the most that they may."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import typer

from cli.talk.choices import Json, Limit, an_id, with_server

_MILLION = 1_000_000


class By(StrEnum):
    """What usage is added up by."""

    DAY = "day"
    MODEL = "model"
    USER = "user"
    PURPOSE = "purpose"
    TURN = "turn"
    MESSAGE = "message"


class Period(StrEnum):
    """How long a budget lasts, in UTC."""

    DAY = "day"
    MONTH = "month"


def _moment(given: str | None) -> str | None:
    """Take a day or a moment; a day begins at midnight UTC. Raises BadParameter."""
    if given is None:
        return None
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        message = "Write a day, as 2026-03-01, or a moment, as 2026-03-01T09:30+01:00."
        raise typer.BadParameter(message) from None
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).isoformat()


def _money(given: str | None) -> int | None:
    """Take US dollars, give millionths of one. Raises BadParameter."""
    if given is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", given):
        message = "Write an amount of US dollars, as 20 or 0.50."
        raise typer.BadParameter(message)
    return int(Decimal(given) * _MILLION)


_ByOption = Annotated[By, typer.Option("--by", help="What to add up by.")]
_From = Annotated[str | None, typer.Option("--from", metavar="TIME", callback=_moment, help="From this day on.")]
_To = Annotated[str | None, typer.Option("--to", metavar="TIME", callback=_moment, help="Before this day.")]
_Csv = Annotated[bool, typer.Option("--csv", help="Write every call as CSV to stdout.")]
_Suggest = Annotated[bool, typer.Option("--suggest", help="Say what could cost less, by the records of 30 days.")]
_For = Annotated[
    str | None, typer.Option("--user", metavar="USER", help="Whose, by id or e-mail.", show_default="the workspace")
]
_PeriodOption = Annotated[Period, typer.Option("--period", help="A UTC day or month.")]
_MoneyOption = Annotated[str | None, typer.Option("--money", metavar="USD", callback=_money, help="Most US dollars.")]
_Tokens = Annotated[int | None, typer.Option("--tokens", min=0, max=10**15, help="Most tokens.")]
_Budget = Annotated[str, typer.Argument(metavar="BUDGET", callback=an_id, help="A budget's id.")]


def usage(
    by: _ByOption = By.DAY,
    since: _From = None,
    to: _To = None,
    limit: Limit = 50,
    *,
    csv: _Csv = False,
    suggest: _Suggest = False,
    as_json: Json = False,
) -> None:
    """Show what models used and cost, with today, this month and what budgets leave; owners see the workspace's."""
    if csv and (suggest or as_json):
        message = "--csv goes with neither --json nor --suggest."
        raise typer.BadParameter(message)
    from cli.talk import usage as work

    if csv:
        with_server(lambda server, screen: work.write_csv(server, screen, since, to), as_json)
    elif suggest:
        with_server(work.show_suggestions, as_json)
    else:
        with_server(lambda server, screen: work.show_usage(server, screen, by.value, since, to, limit), as_json)


def budget_group() -> typer.Typer:
    """Return the group of commands about budgets."""
    app = typer.Typer()
    app.command("list")(list_)
    app.command("set")(set_)
    app.command()(remove)
    return app


def list_(*, as_json: Json = False) -> None:
    """List the budgets and what is left of them."""
    from cli.talk.usage import list_budgets

    with_server(list_budgets, as_json)


def set_(
    period: _PeriodOption,
    money: _MoneyOption = None,
    tokens: _Tokens = None,
    user: _For = None,
    *,
    as_json: Json = False,
) -> None:
    """Set the most that the workspace, or a person, may use; it takes the place of the budget that was there."""
    if money is None and tokens is None:
        message = "Give --money, --tokens or both."
        raise typer.BadParameter(message)
    from cli.talk.usage import set_budget

    micros = None if money is None else int(money)
    with_server(lambda server, screen: set_budget(server, screen, period.value, micros, tokens, user), as_json)


def remove(budget: _Budget, *, as_json: Json = False) -> None:
    """Take a budget away."""
    from cli.talk.usage import remove_budget

    with_server(lambda server, screen: remove_budget(server, screen, budget), as_json)
