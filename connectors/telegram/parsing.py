"""What Telegram tells, read: one update gives at most one event (https://core.telegram.org/bots/api#update)."""

import json
from typing import Any

from connectors.channel import (
    Blocked,
    ButtonPressed,
    CommandGiven,
    InboundEvent,
    NotUnderstood,
    Sender,
    TextSaid,
    Unblocked,
)
from core.text import check_json

_NOT_READ = {
    "photo": "pictures",
    "voice": "voice messages",
    "video_note": "video messages",
    "video": "videos",
    "audio": "audio files",
    "document": "files",
    "sticker": "stickers",
    "location": "locations",
    "contact": "contacts",
    "poll": "polls",
    "animation": "animations",
}
_GONE = {"kicked", "left"}


def parse_body(body: bytes) -> list[InboundEvent]:
    """Read a webhook's body; raises ValueError when it is no update."""
    try:
        update = json.loads(body)
    except (UnicodeDecodeError, RecursionError) as error:
        message = "the body is no JSON"
        raise ValueError(message) from error
    return parse_update(update)


def parse_update(update: Any) -> list[InboundEvent]:
    """Read one update; kinds that nobody here needs give nothing. Raises ValueError."""
    check_json(update)
    if not isinstance(update, dict) or type(update.get("update_id")) is not int:
        message = "this is no update"
        raise ValueError(message)
    try:
        return _parse(update)
    except (KeyError, TypeError, AttributeError) as error:
        message = "the update is not as documented"
        raise ValueError(message) from error


def _parse(update: dict[str, Any]) -> list[InboundEvent]:
    number = str(update["update_id"])
    if "callback_query" in update:
        return _pressed(update["callback_query"])
    if "my_chat_member" in update:
        return _membership(number, update["my_chat_member"])
    edits = "edited_message" in update
    message = update.get("edited_message") if edits else update.get("message")
    if message is None or "from" not in message or message["from"].get("is_bot"):
        return []
    return _said(number, message, edits=edits)


def _common(event_id: str, who: dict[str, Any], chat: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    thread = str(int(chat["id"]))
    if message.get("is_topic_message") and "message_thread_id" in message:
        thread = f"{thread}:{int(message['message_thread_id'])}"
    return {
        "event_id": event_id,
        "sender": Sender(external_id=str(int(who["id"])), shown_as=_name(who)),
        "thread": thread,
        "private": chat["type"] == "private",
    }


def _name(who: dict[str, Any]) -> str:
    name = " ".join(str(who[part]) for part in ("first_name", "last_name") if who.get(part))
    return f"{name} (@{who['username']})" if who.get("username") else name


def _said(number: str, message: dict[str, Any], *, edits: bool) -> list[InboundEvent]:
    common = _common(number, message["from"], message["chat"], message)
    message_id = str(int(message["message_id"]))
    text = message.get("text")
    if text is None:
        what = next((name for kind, name in _NOT_READ.items() if kind in message), None)
        return [NotUnderstood(what=what, **common)] if what else []
    command = None if edits else _command(text, message)
    if command is not None:
        return [CommandGiven(name=command[0], rest=command[1], message_id=message_id, **common)]
    return [TextSaid(text=text, message_id=message_id, edits=edits, **common)]


def _command(text: str, message: dict[str, Any]) -> tuple[str, str] | None:
    """Give the command that a message begins with, and the rest: `/start@our_bot abc` is `start` and `abc`."""
    for entity in message.get("entities", ()):
        if entity["type"] == "bot_command" and entity["offset"] == 0:
            word, *rest = text.split(maxsplit=1)
            return word[1:].partition("@")[0].lower(), rest[0].strip() if rest else ""
    return None


def _pressed(query: dict[str, Any]) -> list[InboundEvent]:
    message = query.get("message") or {}
    if "data" not in query or "chat" not in message:
        return []
    callback_id = str(query["id"])
    return [
        ButtonPressed(
            data=query["data"],
            callback_id=callback_id,
            message_id=str(int(message["message_id"])),
            **_common(f"cb-{callback_id}", query["from"], message["chat"], message),
        )
    ]


def _membership(number: str, change: dict[str, Any]) -> list[InboundEvent]:
    common = _common(number, change["from"], change["chat"], {})
    if not common["private"]:
        return []
    gone = change["new_chat_member"]["status"] in _GONE
    return [Blocked(**common)] if gone else [Unblocked(**common)]
