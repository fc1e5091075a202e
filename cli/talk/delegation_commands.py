"""`assent delegate` and `assent delegations`: who decides while you are away."""

from typing import Annotated

import typer

from cli.talk.choices import Json, an_id, with_server
from connectors.manifest import Risk

Whom = Annotated[str, typer.Argument(metavar="WHOM", help="Their name, id or e-mail address.")]
Until = Annotated[
    str, typer.Option("--until", help="friday, tomorrow, 2026-03-06, 2026-03-06T18:00, 36h, 3d or 2w; 30 days at most.")
]
Risks = Annotated[list[Risk] | None, typer.Option("--risk", help="Only these risks; several times for several.")]
Actions = Annotated[list[str] | None, typer.Option("--action", help="Only these actions, such as email.send.")]
Note = Annotated[str | None, typer.Option("--note", help="Why; both of you see it.")]
InsteadOf = Annotated[str | None, typer.Option("--for", help="In whose place; for owners and admins.")]
Delegation = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="A delegation's id.")]
Everybody = Annotated[bool, typer.Option("--all", help="Everybody's in the workspace; for owners and admins.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    app.command()(revoke)
    return app


def delegate(
    whom: Whom,
    until: Until,
    risk: Risks = None,
    action: Actions = None,
    note: Note = None,
    instead_of: InsteadOf = None,
    *,
    as_json: Json = False,
) -> None:
    """Let somebody decide in your place for a time. They cannot pass it on, and you still decide, too."""
    from cli.talk.delegations import delegate as work

    risks = [one.value for one in risk or []]
    with_server(
        lambda server, screen: work(
            server, screen, whom, until, risks=risks, actions=action or [], note=note, instead_of=instead_of
        ),
        as_json,
    )


def list_(*, everybody: Everybody = False, as_json: Json = False) -> None:
    """List what you handed over and what was handed to you."""
    from cli.talk.delegations import list_delegations

    with_server(lambda server, screen: list_delegations(server, screen, everybody=everybody), as_json)


def revoke(delegation: Delegation, *, as_json: Json = False) -> None:
    """End a delegation at once."""
    from cli.talk.delegations import revoke_delegation

    with_server(lambda server, screen: revoke_delegation(server, screen, delegation), as_json)
