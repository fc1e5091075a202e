"""What a client asks, whichever of the two formats it came in, and what this door refuses of them."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from core.errors import AssentError
from core.store.prompts import Line
from core.values import Value

MOST_MESSAGES = 4000
MOST_INSTRUCTIONS = 16_384
_ORDERS = frozenset({"system", "developer"})
_TEXTS = frozenset({"text", "input_text", "output_text"})
_IMAGES = frozenset({"image_url", "input_image", "image", "input_audio", "file", "input_file"})


class Refused(AssentError):
    """The request cannot be taken as it is; `param` names what is wrong with it."""

    code, status, title = "invalid_request", 400, "Not valid"

    def __init__(self, detail: str, param: str | None = None, code: str | None = None) -> None:
        """Say what is wrong with which parameter."""
        super().__init__(detail, param=param, error_code=code)


def unsupported(detail: str, param: str) -> NoReturn:
    """Refuse what no answer could be right to."""
    raise Refused(detail, param, "unsupported")


class Asked(Value):
    """The new message, the talk before it as the client tells it, and what its system messages say."""

    text: str
    earlier: tuple[Line, ...] = ()
    instructions: str | None = None

    @property
    def talk(self) -> tuple[Line, ...]:
        """All of it, the new message last."""
        return (*self.earlier, Line(role="user", text=self.text))


def read(messages: Sequence[Any], param: str, orders: str | None = None) -> Asked:
    """Read messages; the last one has to be a person's. `orders`: instructions that stand beside them."""
    if len(messages) > MOST_MESSAGES:
        message = f"At most {MOST_MESSAGES} messages are taken."
        raise Refused(message, param)
    told: list[str] = [orders] if orders else []
    lines: list[Line] = []
    for place, one in enumerate(messages):
        role, text = _read_one(one, f"{param}[{place}]")
        if role in _ORDERS:
            told.append(text)
        elif text or role == "user":
            lines.append(Line(role="user" if role == "user" else "assistant", text=text))
    if not lines or lines[-1].role != "user" or not lines[-1].text.strip():
        message = "The last message has to be the user's, with some text in it: it is what is answered."
        raise Refused(message, param)
    return Asked(text=lines[-1].text, earlier=tuple(lines[:-1]), instructions=_bounded("\n\n".join(told)))


def _bounded(instructions: str) -> str | None:
    if len(instructions) > MOST_INSTRUCTIONS:
        message = f"System messages and instructions have at most {MOST_INSTRUCTIONS} characters together."
        raise Refused(message, "instructions")
    return instructions if instructions.strip() else None


def _read_one(one: Any, where: str) -> tuple[str, str]:
    if not isinstance(one, Mapping):
        message = "A message is an object with `role` and `content`."
        raise Refused(message, where)
    role = one.get("role")
    if one.get("type", "message") != "message" or role in {"tool", "function"} or one.get("tool_calls"):
        unsupported("Calls of the client's own tools are not taken: Assent runs its own tools, behind consent.", where)
    if role not in {*_ORDERS, "user", "assistant"}:
        message = "`role` is system, developer, user or assistant."
        raise Refused(message, f"{where}.role")
    return role, _text_of(one.get("content"), f"{where}.content")


def _text_of(content: Any, where: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        message = "`content` is a text, or a list of parts."
        raise Refused(message, where)
    return "\n".join(_text_of_part(part, f"{where}[{place}]") for place, part in enumerate(content))


def _text_of_part(part: Any, where: str) -> str:
    if isinstance(part, Mapping):
        kind = part.get("type")
        if kind in _TEXTS and isinstance(part.get("text"), str):
            return str(part["text"])
        if kind == "refusal" and isinstance(part.get("refusal"), str):
            return str(part["refusal"])
        if kind in _IMAGES:
            unsupported("Only text is taken so far: no images, sounds and files in a message.", where)
    message = "A part is `{type: text, text}`."
    raise Refused(message, where)


def check_no_tools(body: Mapping[str, Any]) -> None:
    """Refuse a client's own tools, unless it forbids the model to use them."""
    tools = body.get("tools") or body.get("functions")
    choice = body.get("tool_choice") or body.get("function_call")
    if tools and choice != "none":
        unsupported(
            "The client's own tools are not called: Assent runs its own, behind consent. Send no tools, or "
            "`tool_choice: none`.",
            "tools" if body.get("tools") else "functions",
        )


def check_format(format_: Any, param: str) -> None:
    """Refuse any form of answer but text: whoever asks for JSON relies on it."""
    kind = format_.get("type", "text") if isinstance(format_, Mapping) else format_
    if kind not in {None, "text"}:
        unsupported("Answers are text: no JSON mode and no schema.", param)
