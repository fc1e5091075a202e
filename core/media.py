"""What an uploaded file is, by its content and its name, and what of its name is kept."""

import re
import unicodedata
from pathlib import PurePosixPath

from core.errors import AssentError
from core.text import clean_text, is_hidden

PLAIN, MARKDOWN, PDF, HTML = "text/plain", "text/markdown", "application/pdf", "text/html"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MAX_NAME = 255
HEAD = 65_536
"""So many bytes of a file's beginning and of its end are looked at."""
_BY_SUFFIX = {
    "": PLAIN,
    ".txt": PLAIN,
    ".text": PLAIN,
    ".log": PLAIN,
    ".csv": PLAIN,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".pdf": PDF,
    ".docx": DOCX,
}
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_HTML = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SENTENCE = "Documents are text, Markdown, HTML, PDF or Word (.docx)"


class UnknownMedia(AssentError):
    """A file of a kind that nobody here can read."""

    code, status, title = "unsupported_media_type", 415, "Unsupported media type"


def media_type_of(name: str, head: bytes, tail: bytes) -> str:
    """Tell a file's type. Its content decides, and where that says only "text", the name does.

    `head` and `tail` are up to HEAD bytes of its beginning and its end. Raises UnknownMedia.
    """
    by_name = _BY_SUFFIX.get(PurePosixPath(name.lower()).suffix)
    by_content = _by_content(head, tail)
    if by_content in {PDF, DOCX}:
        return by_content
    if by_content is None:
        message = f"{_SENTENCE}; the content of this file is none of them."
        raise UnknownMedia(message)
    if by_name is None:
        message = f"{_SENTENCE}; the name of this file ends otherwise."
        raise UnknownMedia(message)
    if by_name in {PDF, DOCX}:
        message = f"{_SENTENCE}; this file is named as one of them, and its content is another."
        raise UnknownMedia(message)
    return HTML if by_content == HTML else by_name


def _by_content(head: bytes, tail: bytes) -> str | None:
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.startswith(b"PK\x03\x04"):
        return DOCX if b"word/" in head or b"word/" in tail else None
    if _HTML.match(head):
        return HTML
    if head.startswith(_UTF_16):
        return PLAIN
    return None if _CONTROL.search(head) or _CONTROL.search(tail) else PLAIN


def clean_name(name: str) -> str:
    """Keep of a file's name what can be shown and saved: its last part, nothing hidden, at most MAX_NAME characters."""
    last = re.split(r"[/\\]", clean_text(name))[-1]
    shown = "".join(one for one in unicodedata.normalize("NFC", last) if not is_hidden(one) and one not in "\n\t")
    kept = re.sub(r'[<>:"|?*]', "_", shown).strip(" .\ufffd")
    if not kept:
        return "document"
    suffix = PurePosixPath(kept).suffix[:16]
    return kept if len(kept) <= MAX_NAME else kept[: MAX_NAME - len(suffix)] + suffix
