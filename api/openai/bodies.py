"""The bodies of requests in OpenAI's formats: what is read of them; members that are not named here are ignored."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.openai.asked import Asked, Refused, check_format, check_no_tools, read, unsupported
from core.text import SafeStr

Name = Annotated[SafeStr, Field(min_length=1, max_length=200)]
Metadata = Annotated[dict[str, Any], Field(max_length=64)]


class _Body(BaseModel):
    """Keeps members that it does not name, for the checks of what is refused."""

    model_config = ConfigDict(frozen=True, extra="allow")

    model: Name
    stream: bool | None = None
    metadata: Metadata | None = None

    @property
    def rest(self) -> Mapping[str, Any]:
        """The members that are not named."""
        return self.model_extra or {}


class StreamOptions(BaseModel):
    """How a stream is wanted."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool | None = None


class ChatBody(_Body):
    """The body of /v1/chat/completions."""

    messages: list[Any] = Field(min_length=1)
    n: int | None = None
    stream_options: StreamOptions | None = None

    def asked(self) -> Asked:
        """Read what is asked. Raises Refused."""
        if self.n not in {None, 1}:
            unsupported("There is one answer to one message: `n` is 1.", "n")
        if "audio" in (self.rest.get("modalities") or []):
            unsupported("Answers are text.", "modalities")
        check_no_tools(self.rest)
        check_format(self.rest.get("response_format"), "response_format")
        return read(self.messages, "messages")

    @property
    def include_usage(self) -> bool:
        """Whether the last chunk is to tell the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)


class ResponsesBody(_Body):
    """The body of /v1/responses."""

    input: Any
    instructions: SafeStr | None = None
    previous_response_id: Annotated[SafeStr, Field(max_length=200)] | None = None
    conversation: Any = None
    background: bool | None = None

    def asked(self) -> Asked:
        """Read what is asked. Raises Refused."""
        if self.rest.get("prompt") is not None:
            unsupported("There are no stored prompts: send the words.", "prompt")
        check_no_tools(self.rest)
        text = self.rest.get("text")
        check_format(text.get("format") if isinstance(text, Mapping) else None, "text.format")
        given = [{"role": "user", "content": self.input}] if isinstance(self.input, str) else self.input
        if not isinstance(given, list):
            message = "`input` is a text, or a list of messages."
            raise Refused(message, "input")
        return read(given, "input", self.instructions)

    @property
    def conversation_id(self) -> Any:
        """The conversation that the body names, as text or as an object with an id."""
        if self.conversation is not None and self.previous_response_id is not None:
            message = "`conversation` and `previous_response_id` exclude each other."
            raise Refused(message, "previous_response_id")
        return self.conversation.get("id", "") if isinstance(self.conversation, Mapping) else self.conversation
