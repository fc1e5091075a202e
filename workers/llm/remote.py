"""A model behind a provider, through pydantic-ai's direct streaming: what comes is checked, bounded, made safe."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import ModelRequest as TheirRequest
from pydantic_ai.messages import (
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
)
from pydantic_ai.models import StreamedResponse
from pydantic_ai.settings import ModelSettings, merge_model_settings

from core.text import clean_text
from workers.llm.answers import REFUSED, calls_of, is_refusal, usage_of
from workers.llm.connection import Connection
from workers.llm.errors import ModelAnswerInvalid, ModelError
from workers.llm.failures import our_error
from workers.llm.http import hanging_up
from workers.llm.port import ModelItem, ModelRequest, TextDelta
from workers.llm.sight import Seen
from workers.llm.timing import Patience, Timeouts
from workers.llm.wire import has_calls, history_of, names_of, parameters_of, used_tools

MOST_CHARACTERS = 400_000


class RemoteModel:
    """One configured model. Nothing is sent before it is asked."""

    offline = False

    def __init__(
        self, name: str, connection: Connection, timeouts: Timeouts | None = None, max_tokens: int | None = None
    ) -> None:
        """Take the way to the model; `max_tokens` bounds an answer, None leaves it to the provider."""
        self.name = name
        self._connection = connection
        self._timeouts = timeouts or Timeouts()
        self._max_tokens = max_tokens

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem]:
        """Ask once. Text comes as it is said; calls and usage when the answer is whole and valid."""
        patience = Patience(self._timeouts)
        said: list[TextDelta] = []
        answering: StreamedResponse | None = None
        named = self._connection.declares_used and not request.tools and has_calls(request)
        opening = model_request_stream(
            self._connection.model,
            history_of(request, self._connection.call_id),
            model_settings=self._settings(request.max_tokens, no_calls=named),
            model_request_parameters=used_tools(request) if named else parameters_of(request),
            instrument=False,
        )
        try:
            async with aclosing(patience.opened(hanging_up(opening))) as responses:
                async for response in responses:
                    answering = response
                    async with aclosing(self._items(response, request, patience)) as items:
                        async for item in items:
                            if isinstance(item, TextDelta):
                                said.append(item)
                            yield item
        except ModelError as error:
            raise _paid(error, answering) from error.__cause__
        except Exception as error:  # the libraries' errors have no common base, and a bad stream breaks them anywhere
            if not is_refusal(error):
                raise _paid(our_error(error), answering) from error
            yield TextDelta(f"\n\n{REFUSED}" if said else REFUSED)

    def _settings(self, most: int | None, *, no_calls: bool = False) -> ModelSettings | None:
        limits = [one for one in (self._max_tokens, most) if one is not None]
        bound = ModelSettings(max_tokens=min(limits)) if limits else ModelSettings()
        if no_calls:
            bound["tool_choice"] = "none"
        return merge_model_settings(self._connection.settings, bound)

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
        if response.get().finish_reason == "content_filter":
            yield TextDelta(f"\n\n{REFUSED}" if said else REFUSED)
        else:
            calls = calls_of(response, names_of(request))
            if not said and not calls:
                raise ModelAnswerInvalid("The model sent an empty answer.")
            for call in calls:
                yield call
        usage = usage_of(response)
        if usage is not None:
            yield usage

    async def check(self) -> Seen:
        """Make a cheap request that the key must open: its models, or else one token. Raises ModelError."""
        seen = await self._connection.look() if self._connection.look else None
        if seen is not None:
            return seen
        patience = Patience(self._timeouts)
        try:
            await patience.within(self._one_token())
        except ModelError:
            raise
        except Exception as error:  # as above
            raise our_error(error) from error
        return Seen()

    async def _one_token(self) -> None:
        await model_request(
            self._connection.model,
            [TheirRequest.user_text_prompt("Hi")],
            model_settings=self._settings(1),
            instrument=False,
        )

    async def ping(self) -> str:
        """Ask the endpoint whether it is there, and takes the key."""
        await self.check()
        return f"The server of the model {self.name} answers."

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.close()


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


def _paid(error: ModelError, answering: StreamedResponse | None) -> ModelError:
    """Note what the provider had counted when its answer turned out to be of no use."""
    error.reported = None if answering is None else usage_of(answering)
    return error


def _text_of(event: ModelResponseStreamEvent) -> str:
    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return event.delta.content_delta
    return ""
