"""What thinking needs of any model: a request in, a stream of text, tool calls and the provider's usage out."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class ToolSpec:
    """One action that a model may ask for.

    `name` is `connector.action`; `schema` is the JSON Schema of the arguments; `examples` are sentences that ask for
    it, and may hold `{argument}` placeholders.
    """

    name: str
    description: str
    schema: dict[str, Any]
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class CallAsked:
    """A tool call that a model asks for."""

    call_id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class UserSaid:
    """A person's message. `aside`: what the server adds for a language model: the time, recalled text marked as data.

    With an empty `text` only the aside is said.
    """

    text: str
    aside: str = ""


@dataclass(frozen=True)
class AssistantSaid:
    """One model reply: its text, and the calls that it asked for."""

    text: str
    calls: tuple[CallAsked, ...] = ()


@dataclass(frozen=True)
class ToolAnswered:
    """What became of a call: `content` is JSON or text, `status` a `core.values.CallState`.

    `mark`: the boundary that shows a language model where the content, which is data, begins and ends. `edited`: a
    person changed the arguments that the model gave; the call is told with those that count.
    """

    call_id: str
    name: str
    content: str
    status: str
    mark: str = ""
    edited: bool = False


ChatEntry = UserSaid | AssistantSaid | ToolAnswered


Origin = Literal["own", "other", "assistant", "fact", "document"]


@dataclass(frozen=True)
class Recalled:
    """Something from memory. `origin`: own (the asker said it), other, assistant, fact or document; `id` is its id.

    `here`: said in this conversation. Language models read it in an aside; the offline assistant reads this.
    """

    id: str
    origin: Origin
    text: str
    at: datetime
    here: bool = False
    name: str | None = None
    page: int | None = None


@dataclass(frozen=True)
class DoneBefore:
    """A call that a replaced version of this very message made, and its `core.values.CallState`: it stays made."""

    call: CallAsked
    status: str


@dataclass(frozen=True)
class ModelRequest:
    """One model call. `first_reply`: no assistant reply in this conversation yet; `max_tokens`: of the answer.

    `done_before`: what the message that is answered replaces. `facts_full`: no more facts can be kept of the
    person. Language models read both in an aside.
    """

    system: str
    entries: tuple[ChatEntry, ...]
    tools: tuple[ToolSpec, ...]
    first_reply: bool
    recalled: tuple[Recalled, ...] = ()
    max_tokens: int | None = None
    done_before: tuple[DoneBefore, ...] = ()
    facts_full: bool = False


@dataclass(frozen=True)
class TextDelta:
    """More text of the reply."""

    text: str


@dataclass(frozen=True)
class UsageReported:
    """Tokens by the provider's own count; once, at the end. None of it comes when the provider reports none.

    `cached_tokens`: those of the input that the provider had kept from before; None when it does not tell.
    """

    input_tokens: int
    output_tokens: int
    model: str
    cached_tokens: int | None = None


ModelItem = TextDelta | CallAsked | UsageReported


class ChatModel(Protocol):
    """A model. `stream` raises `workers.llm.errors.ModelError` and nothing else of its own."""

    @property
    def name(self) -> str:
        """The name that people see."""
        ...

    @property
    def offline(self) -> bool:
        """Whether this is the built-in assistant without a language model."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem]:
        """Ask once; close the generator (`aclosing`) to stop the provider as well."""
        ...

    async def ping(self) -> str:
        """Ask the model's server whether it is there; give a sentence, or raise a ModelError."""
        ...

    async def aclose(self) -> None:
        """Give back what this holds."""
        ...
