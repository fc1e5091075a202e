"""`assent audit`: reading the audit trail, checking that nobody changed it, taking it elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from cli.talk.choices import Data, Json, Limit, with_server

Kind = Annotated[str | None, typer.Option("--kind", help="Only this kind, or what begins with it: `approval`.")]
Actor = Annotated[str | None, typer.Option("--actor", metavar="ID", help="Only what this user or part of us did.")]
Subject = Annotated[str | None, typer.Option("--subject", metavar="ID", help="Only about this.")]
Against = Annotated[
    Path | None, typer.Option("--against", metavar="FILE", help="Compare with heads that were published to this file.")
]
Output = Annotated[Path, typer.Argument(metavar="FILE", help="Where to.")]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    for name, command in (("list", list_), ("verify", verify), ("export", export)):
        app.command(name)(command)
    return app


def list_(
    kind: Kind = None, actor: Actor = None, subject: Subject = None, limit: Limit = 20, *, as_json: Json = False
) -> None:
    """Show the newest rows. For owners and admins; that you looked is a row too."""
    from cli.talk.audit import list_rows

    with_server(lambda server, screen: list_rows(server, screen, kind, actor, subject, limit), as_json)


def verify(data: Data = None, against: Against = None, *, as_json: Json = False) -> None:
    """Check the chain of the audit trail; exit code 1 when it is broken."""
    if data is None:
        from cli.talk.audit import verify as work

        with_server(lambda server, screen: work(server, screen, against), as_json)
        return
    from cli.serve.people import verify_audit as verify_directly
    from cli.talk.ending import run
    from cli.talk.screen import Screen

    screen = Screen(as_json=as_json)
    run(verify_directly(screen, data, against), screen)


def export(output: Output, *, force: Force = False, as_json: Json = False) -> None:
    """Write the whole trail to a file, one JSON object a line, with all that its chain covers."""
    from cli.talk.audit import export as work

    with_server(lambda server, screen: work(server, screen, output, force=force), as_json)
