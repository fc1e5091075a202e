"""`assent approvals`: see and decide what waits for consent."""

from typing import Annotated

import typer

from cli.talk.choices import Comment, Json, Limit, Which, Yes, an_id, with_server

Approval = Annotated[str, typer.Argument(metavar="ID", callback=an_id, help="An approval's id.")]
State = Annotated[Which, typer.Option(help="Which of them.")]
Always = Annotated[bool, typer.Option("--always", help="Always allow the like: you are shown what that is.")]
Written = Annotated[bool, typer.Option("--edit", help="Write other arguments in your editor, as JSON.")]
Changes = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Approve with this instead.")]
Refuse = Annotated[bool, typer.Option("--reject", help="Refuse them all instead.")]
Days = Annotated[int, typer.Option("--days", min=1, max=90, help="How long --always lasts.")]
Uses = Annotated[int | None, typer.Option("--uses", min=1, max=10_000, help="How often --always lets it pass.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    for command in (show, approve, reject, batch):
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
    edit: Written = False,
    changes: Changes = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Consent to exactly what is shown; with --always also to the like from now on, which is shown, too.

    With --edit or --set, other arguments are approved: they are checked, and people who agreed before are asked again.
    """
    from cli.talk.approvals import Edit, Lasting, decide_approval
    from core.values import DecisionVerdict

    lasting = Lasting(days, uses) if always else None
    other = Edit(tuple(changes or ()), edit) if edit or changes else None
    with_server(
        lambda server, screen: decide_approval(
            server, screen, approval, DecisionVerdict.APPROVE, comment, sure=yes, lasting=lasting, edit=other
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


def batch(
    approval: Approval, comment: Comment = None, *, refuse: Refuse = False, yes: Yes = False, as_json: Json = False
) -> None:
    """Answer at once all that came together with this one and wait for you; each is judged by itself."""
    from cli.talk.batches import decide_batch
    from core.values import DecisionVerdict

    verdict = DecisionVerdict.REJECT if refuse else DecisionVerdict.APPROVE
    with_server(lambda server, screen: decide_batch(server, screen, approval, verdict, comment, sure=yes), as_json)
