"""`assent approvals`: see and decide what waits for consent."""

from typing import Annotated

import typer

from cli.talk.choices import Comment, Json, Limit, Which, Yes, an_id, with_server

Approval = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="An approval's id.")]
State = Annotated[Which, typer.Option(help="Which of them.")]


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


def approve(approval: Approval, comment: Comment = None, *, yes: Yes = False, as_json: Json = False) -> None:
    """Consent to exactly what is shown."""
    _decide(approval, "approve", comment, yes=yes, as_json=as_json)


def reject(approval: Approval, comment: Comment = None, *, yes: Yes = False, as_json: Json = False) -> None:
    """Refuse it; the assistant is told your reason."""
    _decide(approval, "reject", comment, yes=yes, as_json=as_json)


def _decide(approval: str, verdict: str, comment: str | None, *, yes: bool, as_json: bool) -> None:
    from cli.talk.approvals import decide_approval
    from core.values import DecisionVerdict

    chosen = DecisionVerdict(verdict)
    with_server(lambda server, screen: decide_approval(server, screen, approval, chosen, comment, sure=yes), as_json)
