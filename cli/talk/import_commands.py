"""`assent connectors`, what is imported: made of a document or a server, looked at, and only then used."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.talk.choices import Json, Yes, with_server

Source = Annotated[str, typer.Argument(metavar="FILE_OR_URL", help="A document, `-` for stdin, or an address.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="An imported connector, by name or id.")]
NewName = Annotated[str, typer.Option("--name", help="What it is called here: small letters, digits, `_`.")]
Kind = Annotated[
    str, typer.Option("--kind", help="openapi, or mcp: an MCP server, by address or by its name in the settings.")
]
BaseUrl = Annotated[str | None, typer.Option("--base-url", help="Where its calls go, if the document does not say.")]
Actions = Annotated[list[str], typer.Argument(metavar="ACTION...", help="Without the connector's name.")]
SomeActions = Annotated[
    list[str] | None, typer.Argument(metavar="[ACTION]...", help="Without the connector's name.", show_default="all")
]
Reading = Annotated[bool, typer.Option("--reading", help="All that only read, too.")]
Risks = Annotated[list[str], typer.Argument(metavar="ACTION=RISK...", help="As `create_pet=external_comms`.")]
How = Annotated[str, typer.Option("--kind", help="api_key, bearer or basic.")]
Key = Annotated[str, typer.Option("--key", metavar="NAME", help="What the key's header or parameter is called.")]
Place = Annotated[str, typer.Option("--place", help="Where the key goes: header or query.")]
User = Annotated[str, typer.Option("--user", help="The user's name, for basic.")]
SecretStdin = Annotated[bool, typer.Option("--secret-stdin", help="Take the secret from stdin's first line.")]
Forget = Annotated[bool, typer.Option("--forget", help="Sign in with nothing any more.")]
File = Annotated[Path | None, typer.Argument(metavar="[FILE]", exists=True, dir_okay=False, help="A newer document.")]


def add_to(app: typer.Typer) -> None:
    """Put the commands into the group."""
    app.command("import")(import_)
    for command in (imported, show, enable, disable, risk, credential, refresh, remove):
        app.command()(command)


def import_(
    source: Source, name: NewName, kind: Kind = "openapi", base_url: BaseUrl = None, *, as_json: Json = False
) -> None:
    """Import a connector. Nothing of it may be used until you look at it and enable actions. For owners and admins."""
    from cli.talk.imports import import_connector

    body: dict[str, Any] = {"name": name, "kind": kind, "base_url": base_url}
    if source.startswith(("http://", "https://")):
        body["url"] = source
    elif kind == "mcp":
        body["options"] = {"server": source}
    else:
        body["document"] = _text(source)
    with_server(lambda server, screen: import_connector(server, screen, body), as_json)


def imported(*, as_json: Json = False) -> None:
    """List what was imported."""
    from cli.talk.imports import list_imported

    with_server(list_imported, as_json)


def show(name: Name, *, as_json: Json = False) -> None:
    """Show every action with its risk and effect, what was left out and why, and what to be wary of."""
    from cli.talk.imports import show_imported

    with_server(lambda server, screen: show_imported(server, screen, name), as_json)


def enable(name: Name, actions: SomeActions = None, *, reading: Reading = False, as_json: Json = False) -> None:
    """Let actions be used. After a change of the document this is the review: what was enabled before stays so."""
    from cli.talk.imports import review

    with_server(lambda server, screen: review(server, screen, name, add=actions or (), reading=reading), as_json)


def disable(name: Name, actions: SomeActions = None, *, as_json: Json = False) -> None:
    """Let actions, or all of them, be used no more."""
    from cli.talk.imports import review

    with_server(lambda server, screen: review(server, screen, name, drop=actions or None), as_json)


def risk(name: Name, risks: Risks, *, as_json: Json = False) -> None:
    """Say what risk actions are: read, write, external_comms, money, destructive or admin. Consent to them is void."""
    from cli.talk.imports import review

    pairs = dict(one.partition("=")[::2] for one in risks)
    with_server(lambda server, screen: review(server, screen, name, add=(), risks=pairs), as_json)


def credential(
    name: Name,
    how: How = "bearer",
    key: Key = "X-Api-Key",
    place: Place = "header",
    user: User = "",
    *,
    secret_stdin: SecretStdin = False,
    forget: Forget = False,
    as_json: Json = False,
) -> None:
    """Set what its calls sign in with; the secret is kept sealed and shown to nobody."""
    from cli.talk.imports import set_credential

    body = {"kind": how, "name": key, "place": place, "user": user}
    with_server(
        lambda server, screen: set_credential(server, screen, name, None if forget else body, stdin=secret_stdin),
        as_json,
    )


def refresh(name: Name, file: File = None, *, as_json: Json = False) -> None:
    """Read it again. When it is another than before, nothing of it may be used until you enable actions again."""
    from cli.talk.imports import refresh_imported

    document = _text(str(file)) if file is not None else None
    with_server(lambda server, screen: refresh_imported(server, screen, name, document), as_json)


def remove(name: Name, *, yes: Yes = False, as_json: Json = False) -> None:
    """Take it away, with its credential."""
    from cli.talk.imports import remove_imported

    if not yes:
        typer.confirm(f"Remove {name}?", abort=True, err=True)
    with_server(lambda server, screen: remove_imported(server, screen, name), as_json)


def _text(source: str) -> str:
    try:
        return typer.get_text_stream("stdin").read() if source == "-" else Path(source).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{source} cannot be read as text: {error}"
        raise typer.BadParameter(message) from None
