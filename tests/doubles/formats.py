"""Other providers' stream formats, for the server of scripted answers: what an answer is in each of them."""

import binascii
import json
import struct
from collections.abc import Iterator
from typing import Any

WORDS = "secret-provider-words"
STOPS = {
    "anthropic": {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens", "content_filter": "refusal"},
    "google": {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"},
    "bedrock": {
        "stop": "end_turn",
        "tool_calls": "tool_use",
        "length": "max_tokens",
        "content_filter": "content_filtered",
    },
}


def words_of(text: str) -> list[str]:
    """The pieces that a text is sent in."""
    words = text.split(" ")
    return [word if place == 0 else f" {word}" for place, word in enumerate(words)] if text else []


def anthropic_events(answer: Any, model: str) -> Iterator[bytes]:
    """Anthropic's messages, as server-sent events with names."""
    sent, got = answer.usage or (0, 0)
    usage = {"input_tokens": sent, "output_tokens": 1, "cache_read_input_tokens": answer.cached}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [], "usage": usage}
    yield _named("message_start", {"message": message | {"stop_reason": None, "stop_sequence": None}})
    place = 0
    if answer.text:
        yield _named("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
        for word in words_of(answer.text):
            yield _named("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": word}})
        yield _named("content_block_stop", {"index": 0})
        place = 1
    for number, call in enumerate(answer.calls, start=place):
        block = {"type": "tool_use", "id": call.get("id", f"toolu_{number}"), "name": call["name"], "input": {}}
        yield _named("content_block_start", {"index": number, "content_block": block})
        delta = {"type": "input_json_delta", "partial_json": _raw(call)}
        yield _named("content_block_delta", {"index": number, "delta": delta})
        yield _named("content_block_stop", {"index": number})
    if answer.fault != "no finish":
        stop = {"stop_reason": STOPS["anthropic"][answer.ending], "stop_sequence": None}
        yield _named("message_delta", {"delta": stop, "usage": {"output_tokens": got}})
        yield _named("message_stop", {})


def google_events(answer: Any, model: str) -> Iterator[bytes]:
    """Gemini's responses, as server-sent events."""
    for word in words_of(answer.text):
        yield _data(_candidate({"parts": [{"text": word}], "role": "model"}, None, model))
    for call in answer.calls:
        part = {"functionCall": {"name": call["name"], "args": call.get("arguments", {})}}
        yield _data(_candidate({"parts": [part], "role": "model"}, None, model))
    if answer.fault != "no finish":
        sent, got = answer.usage or (0, 0)
        counts = {"promptTokenCount": sent, "candidatesTokenCount": got, "totalTokenCount": sent + got}
        counts |= {"cachedContentTokenCount": answer.cached} if answer.cached else {}
        last = _candidate({"parts": [], "role": "model"}, STOPS["google"][answer.ending], model)
        yield _data(last | {"usageMetadata": counts})


def bedrock_events(answer: Any, model: str) -> Iterator[bytes]:
    """Bedrock's converse stream: AWS's binary event frames."""
    del model
    yield _frame("messageStart", {"role": "assistant"})
    for word in words_of(answer.text):
        yield _frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}})
    for number, call in enumerate(answer.calls, start=1):
        named = {"toolUseId": call.get("id", f"tool_{number}"), "name": call["name"]}
        yield _frame("contentBlockStart", {"contentBlockIndex": number, "start": {"toolUse": named}})
        yield _frame("contentBlockDelta", {"contentBlockIndex": number, "delta": {"toolUse": {"input": _raw(call)}}})
        yield _frame("contentBlockStop", {"contentBlockIndex": number})
    if answer.fault != "no finish":
        yield _frame("messageStop", {"stopReason": STOPS["bedrock"][answer.ending]})
        sent, got = answer.usage or (0, 0)
        usage = {"inputTokens": sent, "outputTokens": got, "totalTokens": sent + got}
        yield _frame("metadata", {"usage": usage, "metrics": {"latencyMs": 1}})


BROKEN = {
    "anthropic": b'event: content_block_delta\ndata: {"type": "content_block_delta", "delta": {"text": "bro\n\n',
    "google": b'data: {"candidates": [{"content": {"parts": [{"text": "bro\r\n\r\n',
    "bedrock": b"\x00\x00\x00\x20broken-frame-that-is-none-at-all",
}
FAILED = {
    "anthropic": b"event: error\ndata: "
    + json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": WORDS}}).encode()
    + b"\n\n",
    "google": b"data: "
    + json.dumps({"error": {"code": 503, "message": WORDS, "status": "UNAVAILABLE"}}).encode()
    + b"\r\n\r\n",
}


def error_body(format_name: str, status: int) -> dict[str, Any]:
    """What each provider says with a status that is no success."""
    if format_name == "anthropic":
        kind = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": f"{WORDS} {status}"}}
    if format_name == "google":
        return {"error": {"code": status, "message": f"{WORDS} {status}", "status": "UNKNOWN"}}
    return {"message": f"{WORDS} {status}"}


def _raw(call: dict[str, Any]) -> str:
    arguments = call.get("arguments", {})
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def _named(name: str, body: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name} | body)}\n\n".encode()


def _data(body: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(body)}\r\n\r\n".encode()


def _candidate(content: dict[str, Any], finish: str | None, model: str) -> dict[str, Any]:
    candidate = {"content": content, "index": 0} | ({"finishReason": finish} if finish else {})
    return {"candidates": [candidate], "modelVersion": model, "responseId": "r1"}


def _frame(name: str, body: dict[str, Any]) -> bytes:
    headers = b"".join(
        bytes([len(key)]) + key + b"\x07" + struct.pack(">H", len(value)) + value
        for key, value in (
            (b":event-type", name.encode()),
            (b":content-type", b"application/json"),
            (b":message-type", b"event"),
        )
    )
    payload = json.dumps(body).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    prelude += struct.pack(">I", binascii.crc32(prelude))
    message = prelude + headers + payload
    return message + struct.pack(">I", binascii.crc32(message))
