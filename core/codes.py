"""Short codes that people type: the alphabet that is not misread, and the code that names a prompt in its chat.

A prompt's code is read off the hash of its buttons' token, so it changes whenever they do. It is no secret: it names
one of a person's own prompts, and who they are is known by the account that says it.
"""

import re
from typing import Final

ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""32 characters without 0, O, 1 and I."""
LENGTH: Final = 6
_SPARE_BITS: Final = 2
"""Of the 8 hexadecimal digits from which the 30 bits of a code are read."""
_SAID = re.compile(r"(?P<code>[A-Za-z0-9]{6})(?:-(?P<number>[1-9][0-9]?))?[:.,;]?")


def code_of(token_hash: str) -> str:
    """Give the code of the prompt whose token has this hash (hexadecimal)."""
    number = int(token_hash[:8], 16) >> _SPARE_BITS
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(LENGTH)))


def begins_with(code: str) -> str | None:
    """Give how the hashes of the tokens with this code begin; None for what no prompt's code can be."""
    number = 0
    for one in code:
        if one not in ALPHABET:
            return None
        number = number * len(ALPHABET) + ALPHABET.index(one)
    return f"{number << _SPARE_BITS:08x}"[:7]


def said(word: str) -> tuple[str, str | None] | None:
    """Read `x7k2qp` or `X7K2QP-2` as a code and which of several it means; None for another word."""
    match = _SAID.fullmatch(word)
    return (match["code"].upper(), match["number"]) if match else None
