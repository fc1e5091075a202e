"""Files on their way out: always as an attachment, in a sandbox, so that no browser runs what somebody uploaded."""

from urllib.parse import quote

from core.media import clean_name

_ATTRIBUTE = frozenset("!#$&+-.^_`|~")


def headers_for(name: str) -> dict[str, str]:
    """Give the headers of a file under this name (RFC 6266: plain ASCII for the old, UTF-8 for the others)."""
    kept = clean_name(name)
    plain = "".join(one if one.isascii() and one.isprintable() and one not in '"\\%' else "_" for one in kept)
    encoded = quote(kept, safe="".join(_ATTRIBUTE))
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
