"""`assent approvals`: see and decide what waits for consent."""

from typing import Annotated

import typer

from cli.talk.choices import Comment, Json, Limit, Which, Yes, an_id, with_server

Approval = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="An approval's id.")]
State = Annotated[Which, typer.Option(help="Which of them.")]
Always = Annotated[bool, typer.Option("--always", help="Always allow the like: you are shown what that is.")]
Days = Annotated[int, typer.Option("--days", min=1, max=90, help="How long --always lasts.")]
Uses = Annotated[int | None, typer.Option("--uses", min=1, max=10_000, help="How often --always lets it pass.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    for command in (show, approve, reject):
        app.command()(command)
    return app


def list_(state: State = Which.PENDING, limit: Limit = 50, *, as_json: Json = False) -> None:
    """List approvals, those that wait first."""
    from cli.talk.approvals import list_approvals

    chosen = None if state is Which.ALL else state.value
    with_server(lambda server, screen: list_approvals(server, screen, chosen, limit), as_json)


def show(approval: Approval, *, as_json: Json = False) -> None:
    """Show all that would run: every argument, its effect, who decides, the time left."""
    from cli.talk.approvals import show_approval

    with_server(lambda server, screen: show_approval(server, screen, approval), as_json)


def approve(
    approval: Approval,
    comment: Comment = None,
    days: Days = 30,
    uses: Uses = None,
    *,
    always: Always = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Consent to exactly what is shown; with --always also to the like from now on, which is shown, too."""
    from cli.talk.approvals import Lasting, decide_approval
    from core.values import DecisionVerdict

    lasting = Lasting(days, uses) if always else None
    with_server(
        lambda server, screen: decide_approval(
            server, screen, approval, DecisionVerdict.APPROVE, comment, sure=yes, lasting=lasting
        ),
        as_json,
    )


def reject(approval: Approval, comment: Comment = None, *, yes: Yes = False, as_json: Json = False) -> None:
    """Refuse it; the assistant is told your reason."""
    from cli.talk.approvals import decide_approval
    from core.values import DecisionVerdict

    with_server(
        lambda server, screen: decide_approval(server, screen, approval, DecisionVerdict.REJECT, comment, sure=yes),
        as_json,
    )
