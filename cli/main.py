"""The `assent` command: puts the groups of commands together, and ends the process."""

from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, NoReturn

import typer

from cli.exit import run_to_end

# Each has `register(app)` in its module `commands`, which imports the rest only when a command runs.
_GROUPS = ("cli.serve", "cli.talk", "cli.bench")
_EPILOG = (
    "Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 not signed in, 4 refused, 5 the server cannot be reached; of "
    "commands that serve: 69 what they need cannot be reached, 75 the data directory or the port is in use, 78 a "
    "setting has to be changed; 130 interrupted."
)


def main() -> NoReturn:
    """Run the command line to its end."""
    run_to_end(_run)


def _run() -> None:
    build()()


def build() -> typer.Typer:
    """Return the whole command line."""
    app = typer.Typer(
        name="assent",
        help="Durable conversations, human assent, on any channel.",
        epilog=_EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    for group in _GROUPS:
        if find_spec(group) and find_spec(f"{group}.commands"):
            import_module(f"{group}.commands").register(app)
    return app


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(version("assent"))
        raise typer.Exit


def _root(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Durable conversations, human assent, on any channel."""
