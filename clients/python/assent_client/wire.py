"""Requests and answers without any input or output: the sync and the async client share them."""

import os
import random
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import ValidationError

from assent_client.errors import (
    AlreadyUsed,
    AssentError,
    Expired,
    Rejected,
    ServerError,
    StillPending,
    Unreachable,
    Withdrawn,
)
from assent_client.values import Approval, Approvers, Outcome, Preview, Taken

HOLD = 20.0
"""Seconds for which the server holds an answer back while nothing is decided."""
AGAIN = frozenset({429, 502, 503, 504})
_LONGEST = 10.0


@dataclass(frozen=True)
class Request:
    """One request under /api/v1; all of them may be sent twice."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)


def new_key() -> str:
    """Make a key under which the same is asked only once."""
    return f"py-{uuid.uuid4()}"


def asking(
    title: str,
    action: str,
    *,
    arguments: Mapping[str, Any] | None,
    schema: Mapping[str, Any] | None,
    risk: str,
    effect: str | None,
    reason: str | None,
    preview: Preview | None,
    approvers: Approvers | None,
    expires_in: float | None,
    callback_url: str | None,
    client_key: str | None,
) -> Request:
    """Ask; without a client key of yours one is made, so that a lost answer does no harm."""
    body = {
        "title": title,
        "action": action,
        "arguments": dict(arguments or {}),
        "schema": schema,
        "risk": risk,
        "effect": effect,
        "reason": reason,
        "preview": preview.model_dump(mode="json", exclude={"warnings"}) if preview else None,
        "approvers": approvers.model_dump(mode="json") if approvers else None,
        "expires_in": expires_in,
        "callback_url": callback_url,
        "client_key": client_key or new_key(),
    }
    return Request("POST", "/approvals", {name: one for name, one in body.items() if one is not None})


def looking(approval_id: str, hold: float = 0) -> Request:
    """Look at it, at most `hold` seconds from now or once it is decided."""
    return Request("GET", f"/approvals/{approval_id}", query={"wait": f"{hold:.2f}"} if hold else {})


def withdrawing(approval_id: str) -> Request:
    """Take it back."""
    return Request("POST", f"/approvals/{approval_id}/withdraw", {})


def consuming(approval: Approval) -> Request:
    """Take what was approved."""
    return Request("POST", f"/approvals/{approval.id}/consume", {"digest": approval.digest, "claim": new_key()})


def reporting(approval_id: str, state: Outcome, detail: str) -> Request:
    """Tell what came of it."""
    return Request("POST", f"/approvals/{approval_id}/outcome", {"state": state, "detail": detail[:2000]})


def approval_in(response: httpx.Response) -> Approval:
    """Read an approval; raises ServerError."""
    try:
        return Approval.model_validate(_json(response))
    except ValidationError as error:
        raise _nonsense(response) from error


def taken_in(response: httpx.Response) -> Taken:
    """Read what was taken; raises AlreadyUsed, Withdrawn, ServerError."""
    try:
        return Taken.model_validate(_json(response))
    except ValidationError as error:
        raise _nonsense(response) from error


def _json(response: httpx.Response) -> Any:
    if response.is_success:
        try:
            return response.json()
        except ValueError as error:
            raise _nonsense(response) from error
    problem = _problem(response)
    detail = str(problem.get("detail") or f"The server answered {response.status_code}.")
    kind = AlreadyUsed if problem.get("reason") == "consumed" else ServerError
    raise kind(detail, str(problem.get("code") or f"http_{response.status_code}"), response.status_code)


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _nonsense(response: httpx.Response) -> ServerError:
    return ServerError("The answer is not what an Assent server says.", "not_assent", response.status_code)


def approved(approval: Approval) -> Approval:
    """Give an approval that is approved; raises Rejected, Expired, Withdrawn or StillPending for any other."""
    if approval.is_approved:
        return approval
    if approval.is_open:
        raise StillPending(f"Nobody has decided yet: {approval.id}", approval)
    who = approval.decided_by_name or approval.rule or "nobody"
    said = f"{approval.title}: {approval.state} ({who})" + (f": {approval.comment}" if approval.comment else "")
    kinds: dict[str, type[Rejected | Expired | Withdrawn]] = {"rejected": Rejected, "expired": Expired}
    raise kinds.get(approval.state, Withdrawn)(said, approval)


class Patience:
    """When to try again, and when not any more. `seconds` None: for ever."""

    def __init__(self, seconds: float | None) -> None:
        """Begin now."""
        self._until = None if seconds is None else time.monotonic() + seconds
        self._tries = 0

    @property
    def left(self) -> float:
        """Seconds left, HOLD at most."""
        return HOLD if self._until is None else min(HOLD, max(0.0, self._until - time.monotonic()))

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self._until is not None and time.monotonic() >= self._until

    def pause(self, problem: httpx.Response | httpx.TransportError) -> float:
        """Give the seconds after which to try again; raises Unreachable when there is no time for it."""
        after = _retry_after(problem) if isinstance(problem, httpx.Response) else 0.0
        wait = max(after, min(_LONGEST, 0.2 * 2.0**self._tries) * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load
        self._tries += 1
        if self._until is not None and time.monotonic() + wait >= self._until:
            said = (
                f"it answered {problem.status_code}" if isinstance(problem, httpx.Response) else type(problem).__name__
            )
            raise Unreachable(f"The server cannot be reached: {said}") from (
                problem if isinstance(problem, httpx.TransportError) else None
            )
        return wait


def _retry_after(response: httpx.Response) -> float:
    try:
        return min(60.0, max(0.0, float(response.headers.get("retry-after", "0"))))
    except ValueError:
        return 0.0


def settings(url: str | None, token: str | None) -> tuple[str, dict[str, str]]:
    """Give base URL and headers, from the environment where not given. Raises AssentError without a token."""
    token = token or os.environ.get("ASSENT_TOKEN")
    if not token:
        message = "There is no token: pass one, or set ASSENT_TOKEN."
        raise AssentError(message)
    base = (url or os.environ.get("ASSENT_URL") or "http://127.0.0.1:8080").rstrip("/")
    return f"{base}/api/v1", {"authorization": f"Bearer {token}"}
