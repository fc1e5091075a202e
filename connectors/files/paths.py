"""A path as people write it becomes the names of folders and a file; whatever could mean something else is refused."""

import re
import unicodedata

from connectors.base import PermanentFailure
from core.text import is_hidden

MAX_DEPTH = 12
MAX_NAME_BYTES = 200
_MAX_PATH = 1024
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE)
_PUNCTUATION = frozenset('\\:<>"|?*')
# Characters that look like a slash, a backslash or a colon and stay themselves under NFKC.
_LOOKALIKES = frozenset(
    "\u2044\u2215\u29f8\u2571\u27cb\u29fb\u2afd"  # slashes
    "\u2216\u29f5\u2572\u27cd"  # backslashes
    "\u2236\u02d0\u02f8\u0589\u05c3\ua789"  # colons
)
# Blank to the eye although their category says otherwise.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(code) for start, end in ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF)) for code in range(start, end + 1)
}


class BadPath(PermanentFailure):
    """A path that could lead elsewhere, or that another system or a person would read differently."""

    code, title = "bad_path", "Path not accepted"


def parse_path(path: str) -> tuple[str, ...]:
    """Give the names along a path relative to the workspace's folder; raises BadPath."""
    if not path or len(path) > _MAX_PATH:
        raise BadPath(f"A path has 1 to {_MAX_PATH} characters.")
    if path.startswith(("/", "~")):
        raise BadPath("A path starts in the workspace's folder: without / or ~ at its beginning.")
    names = tuple(path.split("/"))
    if len(names) > MAX_DEPTH:
        raise BadPath(f"A path has at most {MAX_DEPTH} parts.")
    for name in names:
        why = _wrong_with(name)
        if why is not None:
            raise BadPath(f"This path is not accepted: a part of it {why}.")
    return names


def is_plain(name: str) -> bool:
    """Tell whether a name found in a folder is one that a path may hold."""
    return _wrong_with(name) is None


def _wrong_with(name: str) -> str | None:
    """Say what is wrong with one part of a path; None when nothing is."""
    if name in {"", ".", ".."}:
        return "is empty, . or .."
    if any(_is_hard_to_see(one) for one in name):
        return "has a character that cannot be seen or is not in use"
    if set(name) & (_PUNCTUATION | _LOOKALIKES) or _ESCAPED.search(name):
        return "has a character that could be taken for a separator, or that other systems do not allow"
    if unicodedata.normalize("NFKC", name) != name:
        return "has characters that can be written in another way"
    if name != name.strip() or name.endswith("."):
        return "begins or ends with a space, or ends with a dot"
    if _DEVICES.fullmatch(name):
        return "is the name of a device on other systems"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"has more than {MAX_NAME_BYTES} bytes"
    return None


def _is_hard_to_see(character: str) -> bool:
    if character in "\n\t" or character in _BLANK or is_hidden(character):
        return True
    category = unicodedata.category(character)
    return category == "Cn" or (category == "Zs" and character != " ")
