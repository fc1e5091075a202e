"""The commands of a client; what they run is imported only when they run."""

from typing import Annotated

import typer

from cli.talk import (
    approval_commands,
    ask_commands,
    audit_commands,
    call_commands,
    connector_commands,
    conversation_commands,
    delegation_commands,
    document_commands,
    fact_commands,
    grant_commands,
    group_commands,
    identity_commands,
    keeping_commands,
    memory_commands,
    mode_commands,
    model_commands,
    people_commands,
    policy_commands,
    profile_commands,
    proof_commands,
    service_commands,
    token_commands,
    usage_commands,
    webhook_commands,
)
from cli.talk.choices import Json, PasswordStdin, an_id, with_server

_PANEL = "Talk"
_EXITS = "Exit codes: 0 fine, 1 an error, 2 wrong usage, 3 not signed in, 4 refused, 5 the server cannot be reached."
Url = Annotated[str | None, typer.Option(help="The server's address.", show_default="the last one")]
Email = Annotated[str | None, typer.Option(help="Your e-mail address; asked when not given.")]
Provider = Annotated[
    str | None,
    typer.Option("--oidc", metavar="NAME", callback=an_id, help="Sign in by this provider, in your browser."),
]
Words = Annotated[str | None, typer.Argument(metavar="TEXT", help="What to say; without it, talk until you leave.")]
Conversation = Annotated[
    str | None, typer.Option(metavar="ID", callback=an_id, help="Talk in this conversation, not in the latest.")
]
New = Annotated[bool, typer.Option("--new", help="Begin a new conversation.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Stay until others have decided, though nobody is here to be asked.")
]
Turn = Annotated[str, typer.Argument(metavar="TURN", callback=an_id, help="A turn's id.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (login, logout, proof_commands.prove, chat, stop, history, health, mcp):
        app.command(rich_help_panel=_PANEL, epilog=_EXITS)(command)
    app.command(rich_help_panel=_PANEL, epilog=_EXITS)(usage_commands.usage)
    app.command(rich_help_panel=_PANEL, epilog=_EXITS)(policy_commands.operation)
    app.command(rich_help_panel=_PANEL, epilog=_EXITS)(keeping_commands.search)
    app.command(rich_help_panel=_PANEL, epilog=_EXITS)(keeping_commands.export)
    app.command("import", rich_help_panel=_PANEL, epilog=_EXITS)(keeping_commands.import_)
    app.command(rich_help_panel=_PANEL, epilog=_EXITS)(identity_commands.link)
    app.command(rich_help_panel=_PANEL, epilog=_EXITS)(delegation_commands.delegate)
    app.command(rich_help_panel=_PANEL, epilog=ask_commands.ENDS)(ask_commands.ask)
    groups = {
        "approvals": (approval_commands.group(), "See and decide what waits for consent."),
        "grants": (grant_commands.group(), "What is always allowed, and passes without asking."),
        "delegations": (delegation_commands.group(), "Who decides in whose place."),
        "calls": (call_commands.group(), "What was called, and what became of it."),
        "conversations": (conversation_commands.group(), "List, show and change conversations."),
        "documents": (document_commands.group(), "What the assistant reads besides what is said."),
        "tokens": (token_commands.group(), "Tokens for your programs."),
        "profile": (profile_commands.group(), "What the assistant is told about you."),
        "modes": (mode_commands.group(), "The ways of answering."),
        "users": (people_commands.group(), "The people of the workspace."),
        "groups": (group_commands.group(), "People under a name that rules use."),
        "identities": (identity_commands.group(), "Your accounts on channels."),
        "services": (service_commands.group(), "Programs with a place of their own; they never decide."),
        "webhooks": (webhook_commands.group(), "Addresses that are told of what happens."),
        "budget": (usage_commands.budget_group(), "The most that models may cost in a day or month."),
        "facts": (fact_commands.group(), "What is remembered of you: see, write, edit, forget."),
        "memory": (memory_commands.group(), "What is remembered: how it is, building it anew, checking it."),
        "policy": (policy_commands.group(), "The rules: what is done, what is asked and of whom, what is refused."),
        "connectors": (connector_commands.group(), "What the assistant can do, and how the services behind are."),
        "models": (model_commands.group(), "What answers, and whether it does."),
        "audit": (audit_commands.group(), "The audit trail: read, check, export."),
    }
    for name, (group, words) in groups.items():
        app.add_typer(group, name=name, help=words, rich_help_panel=_PANEL, no_args_is_help=True, epilog=_EXITS)


def login(
    url: Url = None,
    email: Email = None,
    oidc: Provider = None,
    code: proof_commands.Code = None,
    *,
    password_stdin: PasswordStdin = False,
    as_json: Json = False,
) -> None:
    """Sign in to a server; later commands go there."""
    from cli.talk.ending import run
    from cli.talk.screen import Screen
    from cli.talk.signing import login as work

    screen = Screen(as_json=as_json)
    run(work(screen, url, email, password_stdin=password_stdin, code=code, provider=oidc), screen)


def logout(*, as_json: Json = False) -> None:
    """Sign out, here and on the server."""
    from cli.talk.ending import run
    from cli.talk.screen import Screen
    from cli.talk.signing import logout as work

    screen = Screen(as_json=as_json)
    run(work(screen), screen)


def chat(
    text: Words = None,
    conversation: Conversation = None,
    *,
    new: New = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Talk to the assistant: the answer appears as it is written, with its tools and requests for consent.

    `/edit TEXT` says your last message otherwise, `/regenerate` asks for another answer to it.

    Ctrl-C stops the answer; again, it leaves. Where nobody can be asked, the command ends when the answer waits for
    consent, and says how to give it. Exit code 130 when the answer was stopped.
    """
    if as_json and text is None:
        message = "--json needs TEXT."
        raise typer.BadParameter(message)
    if text is not None and not text.strip():
        message = "TEXT is blank."
        raise typer.BadParameter(message)
    from cli.talk.chat import chat as work

    with_server(lambda server, screen: work(server, screen, text, conversation, new=new, wait=wait), as_json)


def stop(
    conversation: Annotated[
        str | None, typer.Argument(metavar="ID", callback=an_id, help="A conversation's id.", show_default="the latest")
    ] = None,
    *,
    queued: Annotated[bool, typer.Option("--queued", help="What waits in the queue, too.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="What waits for consent, too.")] = False,
    as_json: Json = False,
) -> None:
    """Stop the answer that is being written; what was sent already is not undone."""
    from cli.talk.conversations import stop_conversation

    with_server(
        lambda server, screen: stop_conversation(server, screen, conversation, queued=queued, waiting=waiting), as_json
    )


def history(turn: Turn, *, as_json: Json = False) -> None:
    """Show all that happened in a turn, in order: who, what, when, how often, how long."""
    from cli.talk.history import show_history

    with_server(lambda server, screen: show_history(server, screen, turn), as_json)


def health(url: Url = None, *, as_json: Json = False) -> None:
    """Ask a server how it is; exit code 1 when it is not well."""
    from cli.talk.ending import run
    from cli.talk.health import show_health
    from cli.talk.screen import Screen

    screen = Screen(as_json=as_json)
    run(show_health(screen, url), screen)


def mcp() -> None:
    """Serve MCP on stdin and stdout, for agents: consent, questions to people, and the connectors' actions.

    Uses ASSENT_TOKEN and ASSENT_URL from the environment, else who signed in.
    """
    from cli.talk.ending import run
    from cli.talk.mcp import serve
    from cli.talk.screen import Screen

    run(serve(), Screen(as_json=False))
