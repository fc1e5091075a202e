"""`assent modes`: the ways of answering."""

from typing import Annotated

import typer

from cli.talk.choices import Json, with_server
from core.modes import Tier

Name = Annotated[str, typer.Argument(metavar="NAME", help="A mode's name: small letters, digits, `_`.")]
Title = Annotated[str | None, typer.Option("--title", help="How people see it.", show_default="the name")]
Prompt = Annotated[str, typer.Option("--prompt", help="What the model is told.")]
Model = Annotated[str | None, typer.Option("--model", help="The model to ask first.")]
TierOption = Annotated[Tier | None, typer.Option("--tier", help="Which kind of model to choose.")]
Tool = Annotated[
    list[str] | None,
    typer.Option("--tool", help="A connector or an action that it has; several times.", show_default="all"),
]
NoTools = Annotated[bool, typer.Option("--no-tools", help="It has no tools.")]
Rounds = Annotated[int | None, typer.Option("--rounds", min=1, help="Model calls in a turn, at most.")]
Calls = Annotated[int | None, typer.Option("--tool-calls", min=0, help="Tool calls in a turn, at most.")]
Tokens = Annotated[int | None, typer.Option("--max-tokens", min=16, help="Tokens of an answer, at most.")]


def group() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer()
    app.command("list")(list_)
    for command in (add, remove):
        app.command()(command)
    return app


def list_(*, as_json: Json = False) -> None:
    """List the modes: those built in, then the workspace's own."""
    from cli.talk.modes import list_modes

    with_server(list_modes, as_json)


def add(
    name: Name,
    title: Title = None,
    prompt: Prompt = "",
    model: Model = None,
    tier: TierOption = None,
    tool: Tool = None,
    *,
    no_tools: NoTools = False,
    rounds: Rounds = None,
    tool_calls: Calls = None,
    max_tokens: Tokens = None,
    as_json: Json = False,
) -> None:
    """Make a mode for the workspace; owners and admins may. Limits only lower what is set for the server."""
    if tool and no_tools:
        message = "--tool and --no-tools exclude each other."
        raise typer.BadParameter(message)
    body = {
        "name": name,
        "title": title or name,
        "prompt": prompt,
        "model": model,
        "tier": tier,
        "tools": [] if no_tools else tool or None,
        "rounds": rounds,
        "tool_calls": tool_calls,
        "max_tokens": max_tokens,
    }
    from cli.talk.modes import add_mode

    with_server(lambda server, screen: add_mode(server, screen, body), as_json)


def remove(name: Name, *, as_json: Json = False) -> None:
    """Remove a mode of the workspace's own; conversations in it have to choose another."""
    from cli.talk.modes import remove_mode

    with_server(lambda server, screen: remove_mode(server, screen, name), as_json)
