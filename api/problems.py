"""Problem documents (RFC 9457): every error answer has the same members, and none tells what only the log may know."""

import math
import re
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import to_jsonable_python
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as SqlTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from core.errors import AssentError, Unavailable
from core.text import clean_text
from core.values import Value

_log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
_MAX_ERRORS = 20
_PLACES = re.compile(r"\A(body|query|path|header)\.")
_OF_PYDANTIC = re.compile(r"\AValue error, (text )?")
_BY_STATUS = {
    400: ("bad_request", "Bad request", "The request cannot be understood."),
    404: ("not_found", "Not found", "There is nothing at this address."),
    405: ("method_not_allowed", "Method not allowed", "This address does not take this method."),
    415: ("unsupported_media_type", "Unsupported media type", "Send JSON, as application/json."),
}


class Problem(Value):
    """An error answer, for the API's description; more members may follow, each named where it is raised."""

    type: str
    title: str
    status: int
    detail: str
    code: str


def problem(
    status: int, code: str, title: str, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """Write a problem document."""
    known = {"type": f"urn:assent:problem:{code}", "title": title, "status": status, "detail": detail, "code": code}
    content = {**to_jsonable_python(more, fallback=str, inf_nan_mode="null"), **known}
    return JSONResponse(content, status, headers, MEDIA_TYPE)


def of_error(error: AssentError) -> JSONResponse:
    """Write the problem that one of our errors is."""
    headers = {}
    if error.status == 401:  # noqa: PLR2004
        headers["WWW-Authenticate"] = "Bearer"
    if error.more.get("retry_after") is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.more["retry_after"])))
    return problem(error.status, error.code, error.title, error.detail, headers, **error.more)


def told(error: AssentError) -> Problem:
    """Give one of our errors as part of a larger answer."""
    kind = f"urn:assent:problem:{error.code}"
    return Problem(type=kind, title=error.title, status=error.status, detail=error.detail, code=error.code)


def add_handlers(app: FastAPI) -> None:
    """Let the application answer every error with a problem document."""
    app.add_exception_handler(AssentError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for away in (OperationalError, InterfaceError, SqlTimeoutError, ConnectionError):
        app.add_exception_handler(away, _no_database)


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AssentError)  # noqa: S101
    return of_error(error)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    errors = [
        {"where": clean_text(".".join(str(part) for part in one["loc"])), "what": one["msg"]}
        for one in error.errors()[:_MAX_ERRORS]
    ]
    detail = "Some of what was sent cannot be accepted as it is."
    if len(errors) == 1:
        detail = in_words(errors[0]["where"], errors[0]["what"])
    return problem(422, "invalid", "Not valid", detail, errors=errors)


def in_words(where: str, what: str) -> str:
    """Say in one sentence what is wrong with one field."""
    name = _PLACES.sub("", where)
    return f"{_OF_PYDANTIC.sub('', what)}." if name.isdecimal() else f"{name[:64]}: {_OF_PYDANTIC.sub('', what)}."


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    known = _BY_STATUS.get(error.status_code, ("error", "Error", "The request was refused."))
    return problem(error.status_code, *known, headers=dict(error.headers or {}))


async def _no_database(_request: Request, error: Exception) -> JSONResponse:
    _log.error("the database does not answer", error=type(error).__name__, exc_info=error)
    return of_error(Unavailable("The database does not answer just now."))
