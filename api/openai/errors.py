"""Every error of this door in OpenAI's shape, whoever in the application refused: the body, the sign-in, the route."""

import json
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import MEDIA_TYPE
from core.errors import AssentError

PATH = "/v1/"
_BAD, _UNSIGNED, _PAYMENT, _FORBIDDEN, _MISSING, _CONFLICT, _MANY, _OURS = 400, 401, 402, 403, 404, 409, 429, 500
_TYPES = {
    _UNSIGNED: "authentication_error",
    _FORBIDDEN: "permission_error",
    _MISSING: "not_found_error",
    _CONFLICT: "conflict_error",
    _MANY: "rate_limit_error",
}
_CODES = {_UNSIGNED: "invalid_api_key", _MANY: "rate_limit_exceeded"}
_STATUS = {402: _MANY, 422: _BAD}


def shape(status: int, problem: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Give the status and the error object that OpenAI's clients know for a problem document."""
    if status == _PAYMENT:
        return _MANY, _error(problem, "insufficient_quota", "insufficient_quota")
    known = _STATUS.get(status, status)
    type_ = _TYPES.get(known, "server_error" if known >= _OURS else "invalid_request_error")
    code = problem.get("error_code") or _CODES.get(known) or problem.get("code")
    return known, _error(problem, type_, str(code or "error"))


def _error(problem: dict[str, Any], type_: str, code: str) -> dict[str, Any]:
    param = problem.get("param")
    if param is None and problem.get("errors"):
        param = str(problem["errors"][0].get("where", "")).removeprefix("body.") or None
    return {
        "message": str(problem.get("detail") or "The request was refused."),
        "type": type_,
        "param": param,
        "code": code,
    }


def of_error(error: AssentError) -> dict[str, Any]:
    """Give the error object for one of our errors, for the middle of a stream."""
    _, shown = shape(error.status, {"detail": error.detail, "code": error.code, **error.more})
    return shown


class OpenAIErrors:
    """Rewrites problem documents on this door's paths."""

    def __init__(self, app: ASGIApp) -> None:
        """Take what it stands before."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith(PATH):
            await self._app(scope, receive, _Rewriting(send))
        else:
            await self._app(scope, receive, send)


class _Rewriting:
    """Holds a problem document back until it is whole; lets all else pass."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_problem(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        problem = json.loads(self._body or b"{}")
        status, error = shape(start["status"], problem)
        body = json.dumps({"error": error}, ensure_ascii=False).encode()
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["content-type"] = "application/json"
        headers["content-length"] = str(len(body))
        if problem.get("final") or status not in {_MANY, 503} or error["code"] == "insufficient_quota":
            headers["x-should-retry"] = "false"
        await self._send({**start, "status": status, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})


def _is_problem(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type", "").startswith(MEDIA_TYPE)
