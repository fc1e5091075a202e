"""Starts telegram-test-api, a double of the Bot API that others wrote; npm brings it into .assent/telegram once."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.doubles.packages import install

PACKAGE = Path(__file__).resolve().parent / "telegram"
TOKEN = "7000000001:" + "A" * 35


class TelegramDouble:
    """The double's own side: what its people do, and what they see."""

    def __init__(self, url: str) -> None:
        self.url = url

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = httpx.post(f"{self.url}/{path}", json=body, trust_env=False, timeout=10)
        answer.raise_for_status()
        return answer.json()["result"]

    def say(self, who: int, text: str, chat: int | None = None) -> None:
        """Somebody writes; what begins with a slash is a command."""
        message = _from(who, chat) | {"botToken": TOKEN, "date": int(time.time()), "text": text}
        if text.startswith("/"):
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}]
        self._post("sendCommand" if text.startswith("/") else "sendMessage", message)

    def press(self, who: int, data: str, message_id: int, chat: int | None = None) -> None:
        """Somebody presses a button under a message."""
        message = {"message_id": message_id, "chat": _from(who, chat)["chat"], "date": int(time.time())}
        query = {"botToken": TOKEN, "from": _from(who, chat)["from"], "message": message, "data": data}
        self._post("sendCallback", query)

    def seen(self, chat: int) -> list[dict[str, Any]]:
        """What the bot shows in a chat now, oldest first."""
        history = self._post("getUpdatesHistory", {"token": TOKEN})
        return [
            one["message"] | {"message_id": one["messageId"]}
            for one in history
            if str(one.get("message", {}).get("chat_id", "")) == str(chat)
        ]


def _from(who: int, chat: int | None) -> dict[str, Any]:
    place = {"id": chat, "type": "group", "title": "Team"} if chat else {"id": who, "type": "private"}
    return {"from": {"id": who, "is_bot": False, "first_name": f"P{who}"}, "chat": place}


@contextlib.contextmanager
def telegram() -> Iterator[TelegramDouble]:
    """Run the double on a free port."""
    home = install(PACKAGE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(home / "node" / "node"), "server.js", str(port)]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready"
            yield TelegramDouble(f"http://127.0.0.1:{port}")
        finally:
            process.kill()
