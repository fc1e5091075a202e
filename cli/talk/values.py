"""Writes JSON values as lines for people: all of them, hidden characters made visible."""

import json
from collections.abc import Mapping
from typing import Any

from core.text import reveal


def lines_of(arguments: Mapping[str, Any], *, shown: bool = True) -> list[str]:
    """Return `name: value` lines for every argument; a value of several lines is indented below its name."""
    lines: list[str] = []
    for name, value in arguments.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        parts = f"{name}: {text}".split("\n")
        lines += [parts[0], *(f"  {part}" for part in parts[1:])]
    return [reveal(line) for line in lines] if shown else lines


def brief(arguments: Mapping[str, Any], limit: int = 120) -> str:
    """Return the arguments on one line, cut to `limit` characters with a mark; only for what needs no consent."""
    pairs = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
    text = reveal(pairs)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
