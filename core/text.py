"""Text from anyone: refused where no store could keep it, hidden characters made visible."""

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator

HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
_KEPT = frozenset("\n\t")
_BLANK = frozenset({0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, 0x2800, 0x3164, 0xFFA0})
"""Letters, marks and a symbol that show nothing."""
_IGNORED = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF))
"""With _BLANK and the categories: all that Unicode calls Default_Ignorable, variation selectors among it."""
_SELECTORS = frozenset("\ufe0e\ufe0f")
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
    """Tell whether a person would not see this character (control, bidirectional, zero width, blank)."""
    if character in _KEPT:
        return False
    code = ord(character)
    return (
        unicodedata.category(character) in HIDDEN_CATEGORIES
        or code in _BLANK
        or any(first <= code <= last for first, last in _IGNORED)
    )


def reveal(text: str) -> str:
    """Write each hidden character as `[U+202E]`, so that a prompt shows all there is.

    What makes a symbol colourful or plain (U+FE0F, U+FE0E) stays where it follows one: people see it.
    """
    return "".join(map(_shown, "\n" + text, text))


def _shown(before: str, one: str) -> str:
    if not is_hidden(one):
        return one
    if one in _SELECTORS and unicodedata.category(before) == "So" and not is_hidden(before):
        return one
    return f"[U+{ord(one):04X}]"


def on_a_line(text: str) -> str:
    """Reveal a text, with line ends and tabs as marks: somebody's words cannot pass for lines of ours."""
    return reveal(text).replace("\n", "⏎").replace("\t", "⇥")


def has_hidden(text: str) -> bool:
    """Whether there is something in a text that `reveal` writes out."""
    return reveal(text) != text


SafeStr = Annotated[str, AfterValidator(check_text)]
"""Text without NUL and lone surrogates."""
SpokenStr = Annotated[str, AfterValidator(check_text), AfterValidator(check_not_blank)]
"""SafeStr with something to see in it."""
