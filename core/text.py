"""Text from anyone: refused where no store could keep it, hidden characters made visible."""

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator

HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
_KEPT = frozenset("\n\t")
MAX_DEPTH = 32


def check_text(text: str) -> str:
    """Return the text, or raise ValueError when it has NUL or a lone surrogate (no store keeps those)."""
    if "\x00" in text:
        message = "text must not contain the NUL character"
        raise ValueError(message)
    try:
        text.encode()
    except UnicodeEncodeError:
        message = "text must not contain lone surrogates"
        raise ValueError(message) from None
    return text


def check_not_blank(text: str) -> str:
    """Return the text, or raise ValueError when nothing in it can be seen."""
    if not text.strip():
        message = "text must not be blank"
        raise ValueError(message)
    return text


def check_json(value: Any, depth: int = 0) -> Any:
    """Return the JSON value, or raise ValueError when a string in it is unsafe or it is deeper than MAX_DEPTH."""
    if depth > MAX_DEPTH:
        message = f"JSON must not be nested deeper than {MAX_DEPTH}"
        raise ValueError(message)
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            check_text(key)
            check_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            check_json(item, depth + 1)
    return value


def clean_text(text: str) -> str:
    """Make any text safe to store: NUL and lone surrogates become U+FFFD. For what models and services say."""
    return text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def is_hidden(character: str) -> bool:
    """Tell whether a person would not see this character (control, bidirectional, zero width)."""
    if character in _KEPT:
        return False
    return unicodedata.category(character) in HIDDEN_CATEGORIES


def reveal(text: str) -> str:
    """Write each hidden character as `[U+202E]`, so that a prompt shows all there is."""
    return "".join(f"[U+{ord(one):04X}]" if is_hidden(one) else one for one in text)


SafeStr = Annotated[str, AfterValidator(check_text)]
"""Text without NUL and lone surrogates."""
SpokenStr = Annotated[str, AfterValidator(check_text), AfterValidator(check_not_blank)]
"""SafeStr with something to see in it."""
