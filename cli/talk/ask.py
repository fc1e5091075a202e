"""Asks for consent from a script, waits for the verdict over restarts of the server, and takes it once."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import httpx
import typer

from cli.talk.approvals import deciders, outcome, span
from cli.talk.ending import INTERRUPTED, explain
from cli.talk.screen import Screen
from cli.talk.server import HEADERS, Backoff, answer, named_by_environment, open_client, open_server
from core.errors import AssentError, Invalid, Unavailable
from core.values import ApprovalState
from core.views import ApprovalView

_HOLD = 20.0
_TRIES = 5
_AWAY = frozenset({429, 502, 503, 504})


class Verdict(IntEnum):
    """What the exit code says; everything but APPROVED stops `&&`."""

    APPROVED = 0
    REJECTED = 1
    ERROR = 2
    EXPIRED = 3
    PENDING = 4
    UNREACHABLE = 5
    GONE = 6


_VERDICTS = {
    ApprovalState.APPROVED: Verdict.APPROVED,
    ApprovalState.REJECTED: Verdict.REJECTED,
    ApprovalState.EXPIRED: Verdict.EXPIRED,
    ApprovalState.REQUESTED: Verdict.PENDING,
    ApprovalState.PENDING: Verdict.PENDING,
}


@dataclass(frozen=True)
class Asker:
    """What is asked, and whether an approved request is taken, so that nobody is told so twice."""

    body: dict[str, Any]
    consume: bool


@dataclass(frozen=True)
class Door:
    """The server, with whatever proves who asks."""

    client: httpx.AsyncClient
    token: Callable[[], Awaitable[str]]


def run_ask(asker: Asker, *, wait: bool, patience: float | None, as_json: bool) -> None:
    """Run the command; its verdict is the exit code. An error is never 0, 1, 3 or 4."""
    screen = Screen(as_json=as_json)
    try:
        code = asyncio.run(_run(asker, screen, wait=wait, patience=patience))
    except AssentError as error:
        explain(error, screen)
        code = Verdict.UNREACHABLE if isinstance(error, Unavailable) else Verdict.ERROR
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if code:
        raise typer.Exit(int(code))


async def _run(asker: Asker, screen: Screen, *, wait: bool, patience: float | None) -> Verdict:
    async with AsyncExitStack() as keep:
        door = await _open(keep)
        return await Waiter(door, screen, asker, wait=wait, patience=patience).run()


async def _open(keep: AsyncExitStack) -> Door:
    """Use the token of the environment, else who signed in. Raises NotSignedIn, Invalid."""
    named = named_by_environment()
    if named is None:
        server = await keep.enter_async_context(open_server())
        return Door(server.client, server.token)
    url, secret = named

    async def token() -> str:
        return secret

    return Door(await keep.enter_async_context(open_client(url)), token)


class Waiter:
    """Asks and waits; what is lost on the way is asked again under the same key."""

    def __init__(self, door: Door, screen: Screen, asker: Asker, *, wait: bool, patience: float | None) -> None:
        """Take what is asked, and how long to wait: None is until it is decided."""
        self._door = door
        self._screen = screen
        self._asker = asker
        self._body = {"client_key": f"cli-{uuid.uuid4()}"} | asker.body
        self._wait = wait
        self._until = time.monotonic() + patience if patience is not None else None
        self._lost = False

    async def run(self) -> Verdict:
        """Ask, wait if that is wanted, and say what became of it."""
        view = await self._send("POST", "/approvals", self._body)
        if view is None:
            return Verdict.UNREACHABLE
        self._say_asked(view)
        while self._wait and _is_open(view) and self._left() > 0:
            hold = min(_HOLD, self._left())
            view = await self._send("GET", f"/approvals/{view.id}?wait={hold:.2f}") or view
        return await self._end(view)

    def _left(self) -> float:
        return _HOLD if self._until is None else max(0.0, self._until - time.monotonic())

    async def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> ApprovalView | None:
        """Send one request until there is an answer; None when patience ends first. Raises Unavailable, ServerError."""
        pauses, tries = Backoff(), 0
        while True:
            tries += 1
            try:
                response = await self._once(method, path, body)
            except (httpx.TransportError, Unavailable) as error:
                problem = str(error) or type(error).__name__
                pause = pauses.next()
            else:
                if response.status_code not in _AWAY:
                    self._back()
                    return ApprovalView.model_validate(answer(response))
                problem = f"it answered {response.status_code}"
                pause = max(pauses.next(), _retry_after(response))
            if not self._wait and tries >= _TRIES:
                message = f"The server cannot be reached: {problem}"
                raise Unavailable(message)
            if self._until is not None and self._left() <= 0:
                return None
            self._say_away(problem)
            await asyncio.sleep(min(pause, self._left()))

    async def _once(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        headers = HEADERS | {"Authorization": f"Bearer {await self._door.token()}"}
        try:
            return await self._door.client.request(method, path, json=body, headers=headers)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as error:
            message = "Something in this, or in ASSENT_URL, cannot be sent."
            raise Invalid(message) from error

    def _say_away(self, problem: str) -> None:
        if not self._lost:
            self._screen.say(f"The server cannot be reached ({problem}); still waiting.")
        self._lost = True

    def _back(self) -> None:
        if self._lost:
            self._screen.say("The server is back.")
        self._lost = False

    def _say_asked(self, view: ApprovalView) -> None:
        if _is_open(view):
            who = f"; {deciders(view)} may decide" if view.deciders else ""
            self._screen.say(f"Asked as {view.id}{who}, {span(view.expires_at)} left.")

    async def _end(self, view: ApprovalView) -> Verdict:
        verdict = _VERDICTS.get(ApprovalState(view.state), Verdict.GONE)
        if verdict is Verdict.APPROVED and self._asker.consume:
            verdict = await self._take(view)
        if self._screen.json:
            self._screen.data({"verdict": verdict.name.lower(), "approval": view.model_dump(mode="json")})
        elif verdict is Verdict.PENDING:
            self._screen.show(f"Nobody has decided yet: {view.id}")
        elif verdict is Verdict.GONE and view.state == ApprovalState.APPROVED:
            self._screen.show(f"The consent was used before: {view.id}")
        else:
            self._screen.show(outcome(view) if view.decided_by else f"{view.state.capitalize()}: {view.rule}")
        return verdict

    async def _take(self, view: ApprovalView) -> Verdict:
        """Use up the consent: under the same claim as often as it takes, so that a lost answer is no other's use."""
        pauses, claim = Backoff(), {"digest": view.digest, "claim": f"cli-{uuid.uuid4()}"}
        for left in reversed(range(_TRIES)):
            try:
                response = await self._once("POST", f"/approvals/{view.id}/consume", claim)
            except (httpx.TransportError, Unavailable):
                response = None
            if response is not None and response.status_code == httpx.codes.CONFLICT:
                return Verdict.GONE
            if response is not None and response.status_code not in _AWAY:
                answer(response)
                return Verdict.APPROVED
            if left:
                await asyncio.sleep(pauses.next())
        message = "It is approved, but the server cannot be reached to take it."
        raise Unavailable(message)


def _is_open(view: ApprovalView) -> bool:
    return ApprovalState(view.state).is_open


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return min(float(text), 60.0) if text.replace(".", "", 1).isdigit() else 0.0
