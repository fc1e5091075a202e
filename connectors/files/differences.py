"""What writing a file would change, short enough to read before consenting."""

import difflib

MAX_LINES = 60
MAX_COLUMNS = 200
_MAX_COMPARED_LINES = 1_000
_MAX_COMPARED_CHARACTERS = 65_536


def difference(before: str, after: str) -> tuple[str, int]:
    """Give the unified difference (MAX_LINES lines of MAX_COLUMNS characters) and how many lines are left out."""
    old, new = before.splitlines(), after.splitlines()
    if _is_long(before, old) or _is_long(after, new):
        lines = [*(f"-{line}" for line in old[:MAX_LINES]), *(f"+{line}" for line in new[:MAX_LINES])]
        left_out = max(0, len(old) - MAX_LINES) + max(0, len(new) - MAX_LINES)
        return "\n".join(_cut(line) for line in lines), left_out
    lines = list(difflib.unified_diff(old, new, "now", "then", lineterm=""))
    return "\n".join(_cut(line) for line in lines[:MAX_LINES]), max(0, len(lines) - MAX_LINES)


def _is_long(text: str, lines: list[str]) -> bool:
    """Comparing takes time with the square of the lines: long texts are shown by their beginnings instead."""
    return len(lines) > _MAX_COMPARED_LINES or len(text) > _MAX_COMPARED_CHARACTERS


def _cut(line: str) -> str:
    if len(line) <= MAX_COLUMNS:
        return line
    return f"{line[:MAX_COLUMNS]}… ({len(line) - MAX_COLUMNS} more characters)"
