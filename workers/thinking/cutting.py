"""Shortens what is too long for its share of a model call, and says so where it is cut."""

import json
from typing import Any

_LEAST = 40
_HEAD = 0.75


def shorten(text: str, most: int) -> str:
    """Give a text in at most about `most` bytes: its beginning and its end, and between them how much is left out."""
    raw = text.encode()
    if len(raw) <= most:
        return text
    head = raw[: int(most * _HEAD)].decode(errors="ignore")
    tail = raw[len(raw) - int(most * (1 - _HEAD)) :].decode(errors="ignore")
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[... {left_out} characters are left out here: too long to be told whole ...]\n{tail}"


def shorten_json(value: Any, most: int) -> Any:
    """Give a JSON value that takes at most about `most` bytes: long texts and lists are cut; the shape stays."""
    if (size := _size(value)) <= most:
        return value
    texts, items = most, max(1, size)
    while texts > _LEAST:
        texts, items = texts // 2, max(1, items // 4)
        cut = _cut(value, texts, items)
        if _size(cut) <= most:
            return cut
    return {"left_out": f"{size} bytes: too long to be told"}


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str).encode())


def _cut(value: Any, texts: int, items: int) -> Any:
    if isinstance(value, str):
        return shorten(value, texts)
    if isinstance(value, list):
        kept = [_cut(one, texts, items) for one in value[:items]]
        more = len(value) - len(kept)
        return [*kept, f"[... {more} more are left out here ...]"] if more > 0 else kept
    if isinstance(value, dict):
        return {key: _cut(one, texts, items) for key, one in value.items()}
    return value
