"""Sends one request and takes its answer: whether any of it left is known, and so what a failure means."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from connectors.base import (
    NeedsAuthorization,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
    Throttled,
    Unreachable,
)
from connectors.guarded import AddressRefused, AnswerRefused, Resolve, open_guarded
from connectors.openapi.request import Request
from connectors.openapi.words import said
from core.values import Value

_LONGEST_WAIT = 3_600.0
_MAX_SECONDS_DIGITS = 9
_SENDING = ("http11.send_request_headers.started", "http2.send_request_headers.started")
_WORDS = {404: "is not there", 409: "does not fit what is there", 410: "is gone", 422: "was not accepted"}
_REDIRECT, _REFUSED, _BROKEN = 300, 400, 500
_DONE_ELSEWHERE = frozenset({302, 303})
_NEVER = frozenset({501, 505})


class Answer(Value):
    """What a service answered."""

    status: int
    content_type: str
    location: str
    retry_after: str
    body: bytes


class Sender:
    """Sends to one service. `once`: a call that must not be made twice, and whose fate may so be unknown."""

    def __init__(self, private_hosts: tuple[str, ...], resolve: Resolve) -> None:
        """Take what may be reached besides the internet."""
        self._private_hosts = private_hosts
        self._resolve = resolve

    async def send(
        self, request: Request, headers: Mapping[str, str], url: str, seconds: float, *, once: bool
    ) -> Answer:
        """Send it within `seconds`, following nothing; raises a ConnectorError for whatever is no success."""
        sent = _Sent()
        try:
            async with (
                asyncio.timeout(seconds),
                open_guarded(
                    self._private_hosts, resolve=self._resolve, seconds=seconds, headers={**request.headers, **headers}
                ) as client,
            ):
                answer = await _exchange(client, request, url, sent)
        except AddressRefused:
            raise
        except AnswerRefused as refused:
            if once:
                raise OutcomeUnknown(f"It was sent, and its answer could not be taken: {refused.detail}") from refused
            raise
        except (TimeoutError, httpx.HTTPError) as error:
            raise _lost(error, once=once and sent.begun) from error
        _check(answer, once=once)
        return answer


class _Sent:
    def __init__(self) -> None:
        self.begun = False

    async def note(self, event: str, _info: Mapping[str, Any]) -> None:
        self.begun = self.begun or event in _SENDING


async def _exchange(client: httpx.AsyncClient, request: Request, url: str, sent: _Sent) -> Answer:
    made = client.build_request(request.method, url, content=request.body)
    made.extensions["trace"] = sent.note
    response = await client.send(made, stream=True)
    try:
        body = b"" if request.method == "HEAD" else b"".join([part async for part in response.aiter_raw()])
    finally:
        await response.aclose()
    headers = response.headers
    return Answer(
        status=response.status_code,
        content_type=headers.get("content-type", ""),
        location=headers.get("location", ""),
        retry_after=headers.get("retry-after", ""),
        body=body,
    )


def _lost(error: Exception, *, once: bool) -> Exception:
    if once:
        return OutcomeUnknown("The service fell silent after this was sent: it may have taken effect, or not.")
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return Unreachable("The service took too long.")
    return Unreachable("The service cannot be reached.")


def _check(answer: Answer, *, once: bool) -> None:
    status = answer.status
    if status < _REDIRECT:
        return
    if status < _REFUSED:
        if once and status in _DONE_ELSEWHERE:
            raise OutcomeUnknown(f"The service answers {status} and leads elsewhere: look whether it took effect.")
        raise PermanentFailure(f"The service answers {status} and leads elsewhere, which is not followed.")
    if status in {401, 407}:
        raise NeedsAuthorization(f"The service wants a valid credential (it answers {status}).")
    if status == 403:  # noqa: PLR2004 - as HTTP says
        raise NeedsAuthorization("The credential of this service may not do this (it answers 403).")
    if status == 429:  # noqa: PLR2004 - as HTTP says
        raise Throttled("The service wants fewer calls for a while.", retry_after=_seconds(answer))
    if status >= _BROKEN or status == 408:  # noqa: PLR2004 - as HTTP says
        raise _broken(answer, once=once)
    words = said(answer.body[:2_000].decode("utf-8", "replace"), 300)
    told = f' It says: "{words}"' if words else ""
    raise PermanentFailure(
        f"What was asked for {_WORDS.get(status, 'was refused')} (the service answers {status}).{told}"
    )


def _broken(answer: Answer, *, once: bool) -> Exception:
    if answer.status in _NEVER:
        return PermanentFailure(f"The service does not do such a thing (it answers {answer.status}).")
    if once:
        return OutcomeUnknown(f"The service had trouble of its own over this (it answers {answer.status}).")
    if answer.status == 408:  # noqa: PLR2004 - as HTTP says
        return TemporaryFailure("The service took too long to hear this.", retry_after=_seconds(answer))
    return Unreachable(f"The service has trouble of its own (it answers {answer.status}).", _seconds(answer))


def _seconds(answer: Answer) -> float | None:
    text = answer.retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) <= _MAX_SECONDS_DIGITS:
        return min(float(text), _LONGEST_WAIT)
    return None
