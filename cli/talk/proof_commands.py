"""`assent prove`: say afresh who you are, where a decision asks for it."""

from typing import Annotated

import typer

from cli.talk.choices import Json, PasswordStdin, with_server

Code = Annotated[str | None, typer.Option("--code", help="The code of your authenticator app, or a recovery code.")]


def prove(code: Code = None, *, password_stdin: PasswordStdin = False, as_json: Json = False) -> None:
    """Prove who you are, which some decisions ask for: by your password, or by your authenticator app."""
    from cli.talk.proving import prove as work

    with_server(lambda server, screen: work(server, screen, code, password_stdin=password_stdin), as_json)
