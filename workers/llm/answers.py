"""What a whole answer holds: its calls, checked; what it used; whether the model refused."""

import json
from typing import Any

from pydantic_ai.exceptions import ContentFilterError
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models import StreamedResponse

from core.text import check_json, clean_text
from workers.llm.errors import CallUnreadable, ModelAnswerInvalid
from workers.llm.port import CallAsked, UsageReported

MOST_CALLS = 64
REFUSED = "The model declined to answer this. You can ask in another way, or ask another model."


def is_refusal(error: Exception) -> bool:
    """Whether an error says that the provider's filter stopped the answer."""
    return isinstance(error, ContentFilterError)


def usage_of(response: StreamedResponse) -> UsageReported | None:
    """Give what the provider counted; None when it reported nothing."""
    usage = response.usage
    if usage.unmeasured_requests or not (usage.input_tokens or usage.output_tokens):
        return None
    return UsageReported(
        usage.input_tokens, usage.output_tokens, clean_text(response.model_name), usage.cache_read_tokens or None
    )


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
    """Give a call's arguments; CallUnreadable unless they are one JSON object of safe text."""
    given: Any = part.args
    if given is None or given == "":
        return {}
    try:
        value = json.loads(given) if isinstance(given, str) else given
        check_json(value)
    except (ValueError, RecursionError) as error:
        raise CallUnreadable from error
    if not isinstance(value, dict):
        raise CallUnreadable("The model's tool call has no arguments by name.")
    return value
