"""`@requires_approval`: a function that runs only with people's consent, exactly with what they agreed to."""

import functools
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, to_jsonable_python

from assent_client.asynchronous import AsyncAssent
from assent_client.client import Assent
from assent_client.errors import AssentError
from assent_client.schemas import hints_of, parameters_of, schema_of, secrets_of
from assent_client.values import Approvers, Outcome

_log = logging.getLogger("assent_client")
Function = TypeVar("Function", bound=Callable[..., Any])
_ASIDE = ("self", "cls")


def requires_approval(
    client: Assent | AsyncAssent,
    *,
    action: str,
    risk: str = "write",
    title: str | None = None,
    reason: str | None = None,
    approvers: Approvers | None = None,
    expires_in: float | None = None,
    timeout: float | None = None,
    key: Callable[..., str] | None = None,
) -> Callable[[Function], Function]:
    """Let a function run only once people agreed to its arguments; they may change them where types allow a form.

    `title` may name arguments: `"Refund {amount} to {customer}"`. `key` makes a client key of the arguments: a call
    that is repeated after a crash then waits on, and runs at most once. `timeout` in seconds. An `AsyncAssent` is for
    `async def`, an `Assent` for `def`. Calls raise Rejected, Expired, Withdrawn, StillPending, AlreadyUsed,
    ServerError, Unreachable; what came of them is told to the server.
    """

    def guard(function: Function) -> Function:
        asked = _Asked(function, action, risk, title, reason, approvers, expires_in, key)
        is_async = inspect.iscoroutinefunction(function)
        if is_async is not isinstance(client, AsyncAssent):
            message = f"{function.__name__}: an `async def` needs an AsyncAssent, a `def` an Assent."
            raise TypeError(message)
        if isinstance(client, AsyncAssent):
            return cast("Function", _guarded_async(client, asked, timeout))
        return cast("Function", _guarded(client, asked, timeout))

    return guard


class _Asked:
    """What a guarded function asks for, and how its call is made of what was approved."""

    def __init__(
        self,
        function: Callable[..., Any],
        action: str,
        risk: str,
        title: str | None,
        reason: str | None,
        approvers: Approvers | None,
        expires_in: float | None,
        key: Callable[..., str] | None,
    ) -> None:
        self.function = function
        self._signature = inspect.signature(function)
        self._names = [one.name for one in parameters_of(function)]
        self._schema = schema_of(function)
        self._hints = hints_of(function)
        self._secrets = secrets_of(function)
        self._title = title or function.__name__.replace("_", " ").strip().capitalize()
        self._key = key
        self._known: dict[str, Any] = {
            "action": action,
            "risk": risk,
            "reason": reason,
            "approvers": approvers,
            "expires_in": expires_in,
            "schema": self._schema,
        }
        if self._secrets and self._schema is None:
            message = f"{function.__name__} has a secret, so all of its arguments need types that a form knows."
            raise TypeError(message)

    def request(self, bound: inspect.BoundArguments) -> dict[str, Any]:
        """Give what to ask for a call. Raises TypeError for arguments that JSON cannot carry."""
        given = {name: bound.arguments[name] for name in self._names}
        try:
            arguments = to_jsonable_python(given)
        except PydanticSerializationError as error:
            message = f"{self.function.__name__}: people cannot be shown these arguments: {error}"
            raise TypeError(message) from error
        shown = {name: "…" if name in self._secrets else value for name, value in given.items()}
        request = self._known | {"title": self._title.format_map(shown)[:200], "arguments": arguments}
        return request | ({"client_key": self._key(**given)} if self._key else {})

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        """Give a call as it was made, with the defaults."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound

    def approved(self, bound: inspect.BoundArguments, arguments: Mapping[str, Any]) -> inspect.BoundArguments:
        """Give the call with exactly what was approved, and nothing of what was given; types as annotated."""
        aside = {name: value for name, value in bound.arguments.items() if name in _ASIDE}
        typed = {name: self._typed(name, value) for name, value in arguments.items()}
        ordered = {name: {**aside, **typed}[name] for name in self._signature.parameters if name in {**aside, **typed}}
        whole = inspect.BoundArguments(self._signature, ordered)
        whole.apply_defaults()
        return whole

    def _typed(self, name: str, value: Any) -> Any:
        return TypeAdapter(self._hints[name]).validate_python(value) if name in self._hints else value


def _guarded(client: Assent, asked: _Asked, timeout: float | None) -> Callable[..., Any]:
    @functools.wraps(asked.function)
    def run(*args: Any, **kwargs: Any) -> Any:
        bound = asked.bind(args, kwargs)
        request = client.ask(**asked.request(bound))
        taken = client.consume(client.wait(request.id, timeout))
        state: Outcome = "failed"
        detail = ""
        try:
            call = asked.approved(bound, taken.arguments)
            result = asked.function(*call.args, **call.kwargs)
            state = "done"
        except BaseException as error:
            detail = type(error).__name__
            raise
        finally:
            _tell(client, request.id, state, detail)
        return result

    return run


def _tell(client: Assent, approval_id: str, state: Outcome, detail: str) -> None:
    try:
        client.report(approval_id, state, detail)
    except AssentError as problem:
        _log.warning("the outcome could not be told: %s", problem)


def _guarded_async(client: AsyncAssent, asked: _Asked, timeout: float | None) -> Callable[..., Any]:
    @functools.wraps(asked.function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        bound = asked.bind(args, kwargs)
        request = await client.ask(**asked.request(bound))
        taken = await client.consume(await client.wait(request.id, timeout))
        state: Outcome = "failed"
        detail = ""
        try:
            call = asked.approved(bound, taken.arguments)
            result = await asked.function(*call.args, **call.kwargs)
            state = "done"
        except BaseException as error:
            detail = type(error).__name__
            raise
        finally:
            await _tell_async(client, request.id, state, detail)
        return result

    return run


async def _tell_async(client: AsyncAssent, approval_id: str, state: Outcome, detail: str) -> None:
    try:
        await client.report(approval_id, state, detail)
    except AssentError as problem:
        _log.warning("the outcome could not be told: %s", problem)
