"""`assent memory`: how it is, building its index anew, comparing it with what was said."""

import typer

from cli.talk.choices import Json, with_server


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    for command in (status, rebuild, verify):
        app.command()(command)
    return app


def status(*, as_json: Json = False) -> None:
    """Show how memory is; exit code 1 when it does not work."""
    from cli.talk.memory import show_memory

    with_server(show_memory, as_json)


def rebuild(*, as_json: Json = False) -> None:
    """Build memory's index anew from what was said, and show how far it is. For owners and admins."""
    from cli.talk.memory import rebuild_memory

    with_server(rebuild_memory, as_json)


def verify(*, as_json: Json = False) -> None:
    """Compare memory's index with what was said; exit code 1 when they differ. For owners and admins."""
    from cli.talk.memory import verify_memory

    with_server(verify_memory, as_json)
