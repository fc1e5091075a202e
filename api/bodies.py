"""What a request may carry, as pure ASGI: JSON of a bounded size and depth, or nothing; all else is refused unread."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import of_error, problem
from core.errors import AssentError, Invalid, TooLarge
from core.text import check_json

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})


class JsonBodies:
    """Reads the body, checks it, and hands it on; but for `streamed`, whose endpoints read and bound it themselves."""

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int,
        streamed: frozenset[tuple[str, str]] = frozenset(),
        larger: Mapping[str, int] = MappingProxyType({}),
        raw: tuple[str, ...] = (),
    ) -> None:
        """Take what it stands before, the largest body, the (method, path) that stream, other sizes by path prefix.

        What is under a prefix of `raw` streams too: others' webhooks, whose bytes are signed.
        """
        self._raw = raw
        self._app = app
        self._larger = larger
        self._streamed = streamed
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or self._streams(scope):
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(scope, receive)
            refusal = _check(scope, body or b"")
        except AssentError as error:
            body, refusal = b"", of_error(error)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif body is not None:
            await self._app(scope, _replay(body, receive), send)

    def _streams(self, scope: Scope) -> bool:
        return (scope["method"], scope["path"]) in self._streamed or scope["path"].startswith(self._raw)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """Read the whole body; None when the client went away. Raises TooLarge, at the first byte that is too many."""
        most = self._most(scope["path"])
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared[:20]) > most:
            _refuse(most)
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > most:
                _refuse(most)
            if not message.get("more_body", False):
                return b"".join(parts)

    def _most(self, path: str) -> int:
        return next((most for start, most in self._larger.items() if path.startswith(start)), self._max_bytes)


def _refuse(most: int) -> NoReturn:
    message = f"A request carries at most {most} bytes."
    raise TooLarge(message, max_bytes=most)


def _check(scope: Scope, body: bytes) -> ASGIApp | None:
    """Return the refusal of a body that is no JSON by its name; raises Invalid when it is none by its content."""
    if not body:
        return None
    if scope["method"] in _WITHOUT_BODY:
        message = f"{scope['method']} takes no body."
        raise Invalid(message)
    media_type = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return problem(415, "unsupported_media_type", "Unsupported media type", "Send JSON, as application/json.")
    _check_json(body)
    return None


def _check_json(body: bytes) -> None:
    try:
        check_json(json.loads(body.decode("utf-8"), parse_constant=_refuse_constant))
    except UnicodeDecodeError:
        message = "The body is not UTF-8."
        raise Invalid(message) from None
    except RecursionError:
        message = "The JSON is nested too deeply."
        raise Invalid(message) from None
    except json.JSONDecodeError as error:
        message = f"The body is not JSON: {error.msg} at character {error.pos}."
        raise Invalid(message) from None
    except ValueError as error:
        message = f"{error}."
        raise Invalid(message[:1].upper() + message[1:]) from None


def _refuse_constant(name: str) -> Any:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _replay(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
