"""The client for asyncio."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httpx

from assent_client import wire
from assent_client.values import Approval, Approvers, Outcome, Preview, Taken


class AsyncAssent:
    """One server, one token; use with `async with`, or `aclose` it. Safe to share between tasks.

    Every request is tried again while the server is away, for `retry_seconds`; `wait` for as long as it waits.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        retry_seconds: float = 60,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """Connect lazily; `url` and `token` come from ASSENT_URL and ASSENT_TOKEN where not given.

        `http`: a client of yours, for proxies, certificates or tests; its base URL is not used.
        """
        self._base, self._headers = wire.settings(url, token)
        self._http = http or httpx.AsyncClient(timeout=httpx.Timeout(10, read=wire.HOLD + 15))
        self._retry_seconds = retry_seconds

    async def __aenter__(self) -> "AsyncAssent":  # noqa: PYI034 - Self is not in Python 3.10
        """Use until the end of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def ask(
        self,
        title: str,
        *,
        action: str,
        arguments: Mapping[str, Any] | None = None,
        schema: Mapping[str, Any] | None = None,
        risk: str = "write",
        effect: str | None = None,
        reason: str | None = None,
        preview: Preview | None = None,
        approvers: Approvers | None = None,
        expires_in: float | None = None,
        callback_url: str | None = None,
        client_key: str | None = None,
    ) -> Approval:
        """Ask for consent; returns at once, decided only where policy decides. `expires_in` in seconds.

        Under the same `client_key` it is the same request. Raises ServerError, Unreachable.
        """
        request = wire.asking(
            title,
            action,
            arguments=arguments,
            schema=schema,
            risk=risk,
            effect=effect,
            reason=reason,
            preview=preview,
            approvers=approvers,
            expires_in=expires_in,
            callback_url=callback_url,
            client_key=client_key,
        )
        return wire.approval_in(await self._send(request))

    async def get(self, approval_id: str) -> Approval:
        """Look at a request as it stands. Raises ServerError, Unreachable."""
        return wire.approval_in(await self._send(wire.looking(approval_id)))

    async def wait(self, approval_id: str, timeout: float | None = None) -> Approval:
        """Wait until it is approved, through restarts of the server; `timeout` in seconds, None: until it is decided.

        Raises Rejected, Expired, Withdrawn, StillPending, ServerError, Unreachable.
        """
        patience = wire.Patience(timeout)
        while True:
            found = wire.approval_in(await self._send(wire.looking(approval_id, patience.left), patience))
            if not found.is_open or patience.is_over:
                return wire.approved(found)

    async def withdraw(self, approval_id: str) -> Approval:
        """Take a request back. Raises ServerError when it was decided, Unreachable."""
        return wire.approval_in(await self._send(wire.withdrawing(approval_id)))

    async def consume(self, approval: Approval) -> Taken:
        """Take what was approved to run it now: once. Raises AlreadyUsed, ServerError, Unreachable."""
        return wire.taken_in(await self._send(wire.consuming(approval)))

    async def report(self, approval_id: str, state: Outcome, detail: str = "") -> Approval:
        """Tell what came of what you took. Raises ServerError, Unreachable."""
        return wire.approval_in(await self._send(wire.reporting(approval_id, state, detail)))

    async def _send(self, request: wire.Request, patience: wire.Patience | None = None) -> httpx.Response:
        """Send until there is an answer. Raises Unreachable when patience ends first."""
        patience = patience or wire.Patience(self._retry_seconds)
        while True:
            problem: httpx.Response | httpx.TransportError
            try:
                problem = await self._once(request)
            except httpx.TransportError as error:
                problem = error
            if isinstance(problem, httpx.Response) and problem.status_code not in wire.AGAIN:
                return problem
            await asyncio.sleep(patience.pause(problem))

    async def _once(self, request: wire.Request) -> httpx.Response:
        return await self._http.request(
            request.method,
            self._base + request.path,
            json=request.body,
            params=dict(request.query),
            headers=self._headers,
            follow_redirects=False,
        )
