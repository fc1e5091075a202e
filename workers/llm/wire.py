"""Between our values and pydantic-ai's: tool names without dots, history, schemas without our own hints."""

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from workers.llm import port
from workers.llm.marks import mark

MOST_NAME = 64
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")

_EDITED = "[the server] A person changed the arguments of this call; it is shown as they made it. Say so."


def wire_name(name: str) -> str:
    """Give a tool name that every provider accepts: [A-Za-z0-9_-]{1,64}; names that would clash get a hash."""
    plain = name.replace(".", "__")
    if len(plain) <= MOST_NAME and not _FOREIGN.search(plain) and "__" not in name:
        return plain
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{_FOREIGN.sub('_', plain)[: MOST_NAME - 10]}__{digest}"


def names_of(request: port.ModelRequest) -> dict[str, str]:
    """Give our name by the name on the wire, of all tools that the request mentions."""
    return {wire_name(tool.name): tool.name for tool in request.tools}


def parameters_of(request: port.ModelRequest) -> ModelRequestParameters:
    """Give the tools as pydantic-ai takes them."""
    return ModelRequestParameters(
        function_tools=[
            ToolDefinition(
                name=wire_name(tool.name),
                description=tool.description,
                parameters_json_schema=without_hints(tool.schema),
                strict=False,
            )
            for tool in request.tools
        ]
    )


def has_calls(request: port.ModelRequest) -> bool:
    """Whether tools were asked for in the talk."""
    return any(isinstance(one, port.AssistantSaid) and one.calls for one in request.entries)


def used_tools(request: port.ModelRequest) -> ModelRequestParameters:
    """Give the tools that the talk has calls of, by name alone: some providers want them named, though not offered."""
    asked = (call.name for one in request.entries if isinstance(one, port.AssistantSaid) for call in one.calls)
    names = dict.fromkeys(wire_name(name) for name in asked)
    return ModelRequestParameters(
        function_tools=[
            ToolDefinition(name=name, description="Not to be used now.", parameters_json_schema={"type": "object"})
            for name in names
        ]
    )


def without_hints(schema: Any) -> Any:
    """Leave out members that begin with `x-`: some providers refuse schemas with members that they do not know."""
    if isinstance(schema, dict):
        return {key: without_hints(value) for key, value in schema.items() if not key.startswith("x-")}
    if isinstance(schema, list):
        return [without_hints(one) for one in schema]
    return schema


def history_of(request: port.ModelRequest, call_id: Callable[[str], str] = str) -> list[ModelMessage]:
    """Give the talk as pydantic-ai takes it: what is said to the model in one message until it answers.

    `call_id` makes ids of calls that the provider takes.
    """
    history: list[ModelMessage] = []
    for entry in request.entries:
        if isinstance(entry, port.AssistantSaid):
            if parts := _response_parts(entry, call_id):
                history.append(ModelResponse(parts=parts))
        else:
            _append(history, _request_part(entry, call_id), request.system)
    return history


def _append(history: list[ModelMessage], part: UserPromptPart | ToolReturnPart, system: str) -> None:
    if history and isinstance(history[-1], ModelRequest):
        history[-1] = ModelRequest(parts=[*history[-1].parts, part], instructions=system)
    else:
        history.append(ModelRequest(parts=[part], instructions=system))


def _response_parts(entry: port.AssistantSaid, call_id: Callable[[str], str]) -> list[ModelResponsePart]:
    texts: Sequence[ModelResponsePart] = [TextPart(entry.text)] if entry.text else []
    return [*texts, *(ToolCallPart(wire_name(one.name), one.arguments, call_id(one.call_id)) for one in entry.calls)]


def _request_part(
    entry: port.UserSaid | port.ToolAnswered, call_id: Callable[[str], str]
) -> UserPromptPart | ToolReturnPart:
    if isinstance(entry, port.UserSaid):
        return UserPromptPart("\n\n".join(one for one in (entry.aside, entry.text) if one))
    content = mark(entry.mark, "result", entry.content) if entry.mark else entry.content
    content = content if entry.status == "done" else f"[{entry.status}] {content}"
    content = f"{_EDITED}\n{content}" if entry.edited else content
    return ToolReturnPart(wire_name(entry.name), content, call_id(entry.call_id))
