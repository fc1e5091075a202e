"""Marks text that is data: a boundary that nothing inside can know, hidden characters shown."""

import hashlib
import hmac

from core.text import reveal

_LENGTH = 16


def boundary_of(key: bytes, ref: str) -> str:
    """Give the boundary of the piece of data that `ref` names.

    The key is random, so nobody who writes the data can know it; the same piece keeps its boundary as long as the key
    lives, because a provider's prompt cache ends at the first character that differs from the call before.
    """
    return hmac.new(key, ref.encode(), hashlib.sha256).hexdigest()[:_LENGTH]


def mark(boundary: str, kind: str, text: str) -> str:
    """Put a text between its boundaries; what looks like the boundary inside is taken out of it."""
    inside = reveal(text.replace("\r\n", "\n")).replace(boundary, "[removed]")
    return f"<{kind} {boundary}>\n{inside}\n</{kind} {boundary}>"
