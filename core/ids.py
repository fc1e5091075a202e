"""Sortable ids with a prefix, and ids derived from others."""

import base64
import hashlib
import secrets
import threading
import time
from typing import Annotated

from pydantic import StringConstraints

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case: sorts as the number does
_LENGTH = 26
_making = threading.Lock()
_latest = 0

Id = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,4}_[0-9a-z]{26}$")]
"""An id of ours: two to four letters for the noun, `_`, 26 characters (128 bits)."""

ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:\-]{1,64}$")]
"""An id that a client made, to make sending twice the same as sending once."""


def _encode(number: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(_LENGTH)))


def new_id(prefix: str) -> str:
    """Make an id: 48 bits of milliseconds, then 80 random bits.

    Ids sort by their time; those of one process in the order in which they were made, whatever the clock does.
    """
    global _latest  # noqa: PLW0603  one order for the whole process
    with _making:
        number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
        if number <= _latest:
            number = _latest + 1 + secrets.randbits(64)
        _latest = number
    return f"{prefix}_{_encode(number)}"


def derived_id(prefix: str, *parts: str | int) -> str:
    """Make the id that these parts always give (128 bits of their SHA-256)."""
    text = "\x1f".join(str(part) for part in parts)
    digest = hashlib.sha256(text.encode()).digest()
    return f"{prefix}_{_encode(int.from_bytes(digest[:16], 'big'))}"


def new_secret() -> str:
    """Make 256 random bits as URL-safe text, for tokens that are stored only as a hash."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


def secret_hash(secret: str) -> str:
    """Hash a random secret for storage (SHA-256, hex); never for passwords, which need a slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
