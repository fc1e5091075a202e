"""What we say, in Telegram's HTML: 4096 UTF-16 units and 100 entities a message (https://core.telegram.org/bots/api)."""

from html import escape
from typing import Any

from connectors.channel import Button, OutMessage
from connectors.dialect import Run, runs_of, split

MAX_TEXT = 4096
MAX_ENTITIES = 90
"""Of the 100 that Telegram allows; it finds some of its own."""
MAX_CALLBACK = 64
_TAGS = {"bold": "b", "italic": "i", "code": "code", "block": "pre", "quote": "blockquote"}


def units(text: str) -> int:
    """Measure as Telegram does: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def render(message: OutMessage) -> list[dict[str, Any]]:
    """Give the payloads of sendMessage, without the chat; the buttons are under the last."""
    pages = split(runs_of(message), MAX_TEXT, units, MAX_ENTITIES) or [[Run(text="…")]]
    payloads = [_payload(page, silent=message.silent) for page in pages]
    if message.reply_to is not None:
        payloads[0]["reply_parameters"] = {"message_id": int(message.reply_to), "allow_sending_without_reply": True}
    payloads[-1]["reply_markup"] = {"inline_keyboard": [[_button(one) for one in row] for row in message.buttons]}
    return payloads


def _payload(page: list[Run], *, silent: bool) -> dict[str, Any]:
    return {
        "text": "".join(map(_marked, page)),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
        "disable_notification": silent,
    }


def _marked(run: Run) -> str:
    text = escape(run.text, quote=False)
    if run.url is not None:
        return f'<a href="{escape(run.url)}">{text}</a>'
    tag = _TAGS.get(run.style)
    return f"<{tag}>{text}</{tag}>" if tag else text


def _button(button: Button) -> dict[str, str]:
    if button.url is not None:
        return {"text": button.label, "url": button.url}
    data = button.data or ""
    if not 0 < len(data.encode()) <= MAX_CALLBACK:
        message = f"a button carries 1 to {MAX_CALLBACK} bytes"
        raise ValueError(message)
    mark = {"approve": "✅ ", "reject": "❌ "}.get(button.tone, "")
    return {"text": f"{mark}{button.label}", "callback_data": data}
