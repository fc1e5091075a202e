"""Any OpenAI-compatible endpoint, through pydantic-ai's direct streaming."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx2
import openai
from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.messages import (
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
)
from pydantic_ai.models import StreamedResponse
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from core.text import check_json, clean_text
from workers.llm.errors import ModelAnswerInvalid, ModelError, ModelRefusedKey, ModelUnavailable
from workers.llm.failures import our_error
from workers.llm.port import CallAsked, ModelItem, ModelRequest, TextDelta, UsageReported
from workers.llm.timing import Patience, Timeouts
from workers.llm.wire import history_of, names_of, parameters_of

MOST_CHARACTERS = 400_000
MOST_CALLS = 64
PING_SECONDS = 5.0
CONNECTIONS = httpx2.Limits(max_connections=200, max_keepalive_connections=20)
_NO_KEY = "none"
_SETTINGS = OpenAIChatModelSettings(max_retries=0)
_REFUSED = frozenset({401, 403})
_SERVER_ERROR = 500


class OpenAICompatible:
    """A model behind an endpoint. The key is sent to this endpoint only; nothing is read from the environment."""

    offline = False

    def __init__(self, base_url: str, name: str, api_key: str | None, timeouts: Timeouts | None = None) -> None:
        """Prepare the client; nothing is sent yet."""
        self.name = name
        self._timeouts = timeouts or Timeouts()
        # Environment proxies and .netrc are not followed, and no compressed answers: one could unpack to gigabytes.
        self._http = httpx2.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(self._timeouts.total, connect=min(10.0, self._timeouts.first_token)),
            limits=CONNECTIONS,
            headers={"Accept-Encoding": "identity"},
            event_hooks={"request": [_leave_out if api_key else _leave_out_with_key]},
        )
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or _NO_KEY,
            http_client=self._http,
            max_retries=0,
        )
        self._model = OpenAIChatModel(
            name,
            provider=OpenAICompatibleProvider("openai-compatible", openai_client=self._client),
            profile=OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True),
        )

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem]:
        """Ask once. Text comes as it is said; calls and usage when the answer is whole and valid."""
        patience = Patience(self._timeouts)
        opening = model_request_stream(
            self._model,
            history_of(request),
            model_settings=_SETTINGS,
            model_request_parameters=parameters_of(request),
            instrument=False,
        )
        try:
            async with aclosing(patience.opened(opening)) as responses:
                async for response in responses:
                    async with aclosing(self._items(response, request, patience)) as items:
                        async for item in items:
                            yield item
        except ModelError:
            raise
        except (AgentRunError, UserError, openai.OpenAIError, httpx2.HTTPError, ValueError, TypeError) as error:
            raise our_error(error) from error

    async def _items(
        self, response: StreamedResponse, request: ModelRequest, patience: Patience
    ) -> AsyncGenerator[ModelItem]:
        said, joiner = 0, _Joiner()
        async with aclosing(patience.each(aiter(response))) as events:
            async for event in events:
                text = joiner.push(_text_of(event))
                said += len(text)
                if said > MOST_CHARACTERS:
                    raise ModelAnswerInvalid("The model's answer is too long.")
                if text:
                    yield TextDelta(text)
        if rest := joiner.rest():
            yield TextDelta(rest)
        calls = calls_of(response, names_of(request))
        if not said and not calls:
            raise ModelAnswerInvalid("The model sent an empty answer.")
        for call in calls:
            yield call
        usage = response.usage
        if not usage.unmeasured_requests:
            yield UsageReported(usage.input_tokens, usage.output_tokens, clean_text(response.model_name))

    async def ping(self) -> str:
        """Ask the endpoint for its models: it has to answer, and to take the key."""
        try:
            answer = await self._http.get(
                f"{str(self._client.base_url).rstrip('/')}/models",
                headers=self._client.auth_headers if self._client.api_key != _NO_KEY else {},
                timeout=PING_SECONDS,
            )
        except httpx2.HTTPError as error:
            raise ModelUnavailable from error
        if answer.status_code in _REFUSED:
            raise ModelRefusedKey
        if answer.status_code >= _SERVER_ERROR:
            raise ModelUnavailable
        return f"The server of the model {self.name} answers."

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


async def _leave_out(request: httpx2.Request) -> None:
    """Send nothing that the client library adds by itself: other accounts' names, facts about this machine."""
    for name in list(request.headers):
        if name.lower().startswith(("x-stainless-", "openai-")):
            del request.headers[name]


async def _leave_out_with_key(request: httpx2.Request) -> None:
    await _leave_out(request)
    request.headers.pop("authorization", None)


class _Joiner:
    """Holds back half of a surrogate pair until the other half comes; makes the rest safe to store."""

    def __init__(self) -> None:
        self._held = ""

    def push(self, text: str) -> str:
        """Give what can be said now."""
        whole = self._held + text
        self._held = ""
        if whole and "\ud800" <= whole[-1] <= "\udbff":
            whole, self._held = whole[:-1], whole[-1]
        return clean_text(whole)

    def rest(self) -> str:
        """Give what was held back."""
        return clean_text(self._held)


def _text_of(event: ModelResponseStreamEvent) -> str:
    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return event.delta.content_delta
    return ""


def calls_of(response: StreamedResponse, names: dict[str, str]) -> list[CallAsked]:
    """Give the calls of a whole answer. A name that is not offered stays as it is: the gate refuses it."""
    parts = [part for part in response.get().parts if isinstance(part, ToolCallPart)]
    if len(parts) > MOST_CALLS:
        raise ModelAnswerInvalid("The model asked for too many things at once.")
    if len({part.tool_call_id for part in parts}) < len(parts):
        raise ModelAnswerInvalid("The model gave two calls the same id.")
    return [CallAsked(clean_text(one.tool_call_id), clean_text(_name(one, names)), arguments_of(one)) for one in parts]


def _name(part: ToolCallPart, names: dict[str, str]) -> str:
    return names.get(part.tool_name, part.tool_name)


def arguments_of(part: ToolCallPart) -> dict[str, Any]:
    """Give a call's arguments; ModelAnswerInvalid unless they are one JSON object of safe text."""
    given: Any = part.args
    if given is None or given == "":
        return {}
    try:
        value = json.loads(given) if isinstance(given, str) else given
        check_json(value)
    except (ValueError, RecursionError) as error:
        raise ModelAnswerInvalid("The model's tool call cannot be read.") from error
    if not isinstance(value, dict):
        raise ModelAnswerInvalid("The model's tool call has no arguments by name.")
    return value
