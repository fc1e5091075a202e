"""Bytes of an answer as text, by what it says of itself; a wrong or unknown name does not matter."""

import codecs
import re
from email.message import Message

# Codecs of Python besides, as idna or unicode_escape, are no charsets of the web.
_KNOWN = re.compile(
    r"utf[-_]?8|utf[-_]?16([-_]?[lb]e)?|us-ascii|ascii|latin-?1|iso-?8859-\d{1,2}|windows-\d{3,4}|cp\d{3,4}"
    r"|koi8-[ru]|gb2312|gbk|gb18030|big5|euc-(jp|kr)|shift[-_]jis|iso-2022-jp|macintosh"
)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def media_type_of(content_type: str) -> tuple[str, str | None]:
    """Give the media type in small letters, and the charset when one is named that text may have."""
    message = Message()
    message["content-type"] = content_type[:500]
    named = message.get_param("charset")
    charset = named.strip().lower() if isinstance(named, str) else ""
    return content_type.partition(";")[0].strip().lower(), charset if _KNOWN.fullmatch(charset) else None


def as_text(body: bytes, charset: str | None) -> str:
    """Decode: by a byte order mark, else as named, else as UTF-8; what does not fit becomes U+FFFD."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    try:
        return body.decode(charset or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")
