"""An OpenAI-compatible model that answers at once: fixed words, a tool call or silence, as the message asks.

The product's time is measured, not a model's, so this one takes none.
"""

import asyncio
import json
import time
from typing import Any

TOOL = "bench:write"
HANG = "bench:hang"
WORDS = ("Measured ", "in ", "one ", "breath.")
_NAME = "instant"
_SUMMARY_SENTENCES = 60


class InstantModel:
    """The ASGI application. `asked` counts calls.

    `asked_at` is when the last one came, `spoke_at` when it got its first words, on the clock of `perf_counter`.
    `told_bytes` is the size of the last talk that it was told with tools to choose from: not of questions aside.
    """

    def __init__(self) -> None:
        """Begin unasked, holding nobody."""
        self.asked = 0
        self.told_bytes = 0
        self.asked_at = 0.0
        self.spoke_at = 0.0
        self._news = asyncio.Event()
        self.release = asyncio.Event()

    async def wait_for_call(self, number: int) -> float:
        """Wait until it was asked `number` times; gives when the last call came."""
        while self.asked < number:
            self._news.clear()
            await self._news.wait()
        return self.asked_at

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body = await _body(receive)
        if not scope["path"].endswith("/chat/completions"):
            await _send_json(send, {"object": "list", "data": [{"id": _NAME, "object": "model"}]})
            return
        self.asked += 1
        request = json.loads(body)
        if request.get("tools"):
            self.told_bytes = len(json.dumps(request["messages"], ensure_ascii=False).encode())
        self.asked_at = time.perf_counter()
        self._news.set()
        await self._stream(request, send)

    async def _stream(self, request: dict[str, Any], send: Any) -> None:
        await _begin(send, b"text/event-stream")
        text, answered = _last_words(request["messages"])
        if TOOL in text and not answered:
            await _send_pieces(send, [_call(request, text)], "tool_calls")
            return
        pieces: list[dict[str, Any]] = [{"content": word} for word in WORDS]
        if "running summary" in str(request["messages"][0].get("content")):
            pieces = [{"content": "A sentence of a summary, as long as most are. " * _SUMMARY_SENTENCES}]
        self.spoke_at = time.perf_counter()
        if HANG in text and not self.release.is_set():
            await _send_piece(send, pieces[0])
            await self.release.wait()
            pieces = pieces[1:]
        await _send_pieces(send, pieces, "stop")


def _last_words(messages: list[dict[str, Any]]) -> tuple[str, bool]:
    """Give the last message of a person, and whether a tool answered after it."""
    answered = False
    for message in reversed(messages):
        if message["role"] == "tool":
            answered = True
        if message["role"] == "user":
            return _text(message["content"]), answered
    return "", answered


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content)


def _call(request: dict[str, Any], text: str) -> dict[str, Any]:
    """Ask for the file to be written, under whatever name the tool was offered."""
    names = [tool["function"]["name"] for tool in request.get("tools", ())]
    name = next((one for one in names if "files" in one and "write" in one), "files.write")
    file = text.partition(TOOL)[2].split()[0]
    arguments = json.dumps({"path": f"{file}.txt", "content": "measured"})
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"tool_calls": [call]}


async def _send_pieces(send: Any, pieces: list[dict[str, Any]], reason: str) -> None:
    for piece in pieces:
        await _send_piece(send, piece)
    end = _chunk({}, reason)
    usage = _chunk(None, None) | {"usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}}
    await _send_event(send, end)
    await _send_event(send, usage)
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def _send_piece(send: Any, piece: dict[str, Any]) -> None:
    await _send_event(send, _chunk({"role": "assistant", **piece}, None))


def _chunk(delta: dict[str, Any] | None, reason: str | None) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": _NAME, "choices": choices}


async def _send_event(send: Any, event: dict[str, Any]) -> None:
    line = f"data: {json.dumps(event)}\n\n".encode()
    await send({"type": "http.response.body", "body": line, "more_body": True})


async def _begin(send: Any, kind: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})


async def _send_json(send: Any, value: dict[str, Any]) -> None:
    await _begin(send, b"application/json")
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


async def _body(receive: Any) -> bytes:
    whole = bytearray()
    while True:
        message = await receive()
        whole += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(whole)
