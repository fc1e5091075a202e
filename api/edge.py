"""What surrounds every request: headers, the access log, errors nobody foresaw, refused secrets in addresses."""

import time
from typing import Any
from urllib.parse import parse_qsl

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from core.ids import new_id

_log = structlog.get_logger()
_SECRETS = frozenset({"token", "access_token", "refresh_token", "password", "authorization", "jwt"})
_POLICY = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Edge:
    """Wraps the whole application; looks at HTTP only."""

    def __init__(self, app: ASGIApp) -> None:
        """Take what it surrounds."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        try:
            if _has_secret(scope):
                await _refuse_secret()(scope, receive, answer)
            else:
                await self._app(scope, receive, answer)
        except Exception:  # noqa: BLE001  # the last place that can tell anybody
            await self._fail(scope, receive, answer)
        finally:
            answer.log()

    async def _fail(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        incident = new_id("bug")
        _log.exception("a request failed", incident=incident, method=scope["method"], path=scope["path"])
        if answer.status:
            raise  # noqa: PLE0704  # half an answer is out: only closing the connection tells that it is not whole
        detail = f"Something went wrong here. Whoever runs this server finds it in the log as {incident}."
        await problem(500, "internal", "Internal error", detail, incident=incident)(scope, receive, answer)


class _Answer:
    """Adds the headers on the way out, and remembers what to log."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _headers_for(self._scope).items():
                headers.setdefault(name, value)
        await self._send(message)

    def log(self) -> None:
        """Write the access log: without the query, which may hold what nobody should keep."""
        milliseconds = round((time.perf_counter() - self._began) * 1000, 1)
        path = self._scope["path"]
        _log.info("request", method=self._scope["method"], path=path, status=self.status, ms=milliseconds)


def _headers_for(scope: Scope) -> dict[str, str]:
    return _HEADERS | ({"Cache-Control": "no-store"} if scope["path"].startswith("/api/") else {})


def _has_secret(scope: Scope) -> bool:
    names: list[tuple[str, Any]] = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return any(name.lower() in _SECRETS for name, _ in names)


def _refuse_secret() -> ASGIApp:
    detail = "Never put a token, code or password into an address: logs keep those. Send it in a header or the body."
    return problem(400, "secret_in_address", "Secret in the address", detail)
