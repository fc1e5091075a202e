"""`assent profile`: what the assistant is told about the person who asks."""

from typing import Annotated

import typer

from cli.talk.choices import Json, with_server

Name = Annotated[str | None, typer.Option("--name", help="How others see you.")]
Locale = Annotated[str | None, typer.Option("--locale", help="Your language, such as de-AT.")]
Zone = Annotated[str | None, typer.Option("--time-zone", help="Your time zone, such as Europe/Vienna.")]
Preference = Annotated[
    list[str] | None,
    typer.Option("--preference", metavar="NAME=VALUE", help="How you want to be answered; NAME= drops one."),
]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("show")(show)
    app.command("set")(set_)
    return app


def show(*, as_json: Json = False) -> None:
    """Show what the assistant is told about you in every model call."""
    from cli.talk.profile import show as work

    with_server(work, as_json)


def set_(
    name: Name = None,
    locale: Locale = None,
    time_zone: Zone = None,
    preference: Preference = None,
    *,
    as_json: Json = False,
) -> None:
    """Change it; an empty value empties it."""
    wrong = [one for one in preference or [] if not one.partition("=")[0].strip() or "=" not in one]
    if wrong:
        message = f"--preference wants NAME=VALUE, not {wrong[0]!r}."
        raise typer.BadParameter(message)
    if name is None and locale is None and time_zone is None and not preference:
        message = "Say what to change: --name, --locale, --time-zone or --preference."
        raise typer.BadParameter(message)
    from cli.talk.profile import change as work

    given = {"name": name, "locale": locale, "time_zone": time_zone}
    chosen = dict(_split(one) for one in preference or [])
    with_server(lambda server, screen: work(server, screen, given, chosen), as_json)


def _split(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key.strip(), value.strip()
