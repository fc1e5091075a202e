"""Signing in and out."""

import sys
import time
from collections.abc import Mapping
from getpass import getpass
from typing import Any

import httpx
from pydantic import SecretStr

from cli.talk.credentials import DEFAULT_URL, Credentials, CredentialStore
from cli.talk.ending import ServerError
from cli.talk.screen import Screen
from cli.talk.server import HEADERS, answer, open_client, open_server, send
from core.errors import Invalid


async def login(
    screen: Screen,
    url: str | None,
    email: str | None,
    *,
    password_stdin: bool,
    code: str | None = None,
    provider: str | None = None,
) -> None:
    """Sign in, by a provider when one is named, and keep the tokens."""
    store = CredentialStore()
    address = (url or _last_url(store)).rstrip("/")
    if not address.startswith(("http://", "https://")):
        message = f"{address} is no web address: it must start with http:// or https://"
        raise Invalid(message)
    async with open_client(address) as client:
        try:
            signed = await _first_step(screen, client, email, provider, password_stdin=password_stdin)
        except ServerError as error:
            if error.named != "second_factor_required":
                raise
            signed = await _second_step(client, error.more, code)
    async with store.locked():
        store.write(_credentials(address, signed))
    if screen.json:
        screen.data({"url": address, "user": signed["user"]})
    else:
        screen.show(f"Signed in to {address} as {signed['user']['name']}.")


async def _first_step(
    screen: Screen, client: httpx.AsyncClient, email: str | None, provider: str | None, *, password_stdin: bool
) -> dict[str, Any]:
    if provider is not None:
        from cli.talk.oidc import sign_in

        return await sign_in(screen, client, provider)
    body = {"email": email or _ask_email(), "password": read_password(stdin=password_stdin)}
    return dict(answer(await send(client, "POST", "/auth/sign-in", json=body, headers=HEADERS)))


async def _second_step(client: httpx.AsyncClient, asked: Mapping[str, Any], code: str | None) -> dict[str, Any]:
    """Give the code of the app, which the server asked for besides. Raises Invalid when only a passkey would do."""
    if "totp" not in asked.get("methods", ()):
        message = "Your passkey is asked for, which needs a browser: sign in at the page."
        raise Invalid(message)
    from cli.talk.proving import read_code

    proof = {"method": "totp", "code": code or read_code()}
    body = {"ceremony_id": asked["ceremony_id"], "proof": proof}
    return dict(answer(await send(client, "POST", "/auth/second-factor", json=body, headers=HEADERS)))


async def logout(screen: Screen) -> None:
    """End the sign-in on the server and forget the tokens here, even when the server is away."""
    store = CredentialStore()
    if store.read() is None:
        screen.say("You are not signed in.")
        return
    try:
        async with open_server(store) as server:
            refresh = server.credentials.refresh_token.get_secret_value()
            await server.post("/auth/sign-out", {"refresh_token": refresh})
    finally:
        store.forget()
    screen.say("Signed out.")


def read_password(*, stdin: bool) -> str:
    """Take a password from the first line of stdin, or ask without showing it; raises Invalid when there is none."""
    if not stdin and not sys.stdin.isatty():
        message = "There is nobody to ask for the password: pass it with --password-stdin."
        raise Invalid(message)
    password = sys.stdin.readline().rstrip("\r\n") if stdin else getpass("Password: ")
    if not password:
        message = "The password is empty."
        raise Invalid(message)
    return password


def _ask_email() -> str:
    if not sys.stdin.isatty():
        message = "There is nobody to ask for the e-mail address: pass it with --email."
        raise Invalid(message)
    sys.stderr.write("E-mail: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _last_url(store: CredentialStore) -> str:
    stored = store.read()
    return stored.url if stored else DEFAULT_URL


def _credentials(url: str, signed: dict[str, Any]) -> Credentials:
    user = signed["user"]
    return Credentials(
        url=str(httpx.URL(url)),
        email=user["email"],
        name=user["name"],
        user_id=user["id"],
        access_token=SecretStr(signed["access_token"]),
        refresh_token=SecretStr(signed["refresh_token"]),
        expires_at=time.time() + signed["expires_in"],
    )
