"""Pages of the public web as text, by the one guarded way out."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connectors.addresses import plain_host
from connectors.base import CallContext, Change, PermanentFailure, Preview, Throttled, Unreachable
from connectors.fetching import Fetched, fetch, parse_url
from connectors.guarded import Resolve, open_guarded, resolve_by_system
from connectors.manifest import load_manifest
from connectors.web.charsets import as_text, media_type_of
from connectors.web.page import take_out
from core.clock import now
from core.store.service_health import CHOSEN

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = frozenset({"application/json", "application/ld+json", "application/xml", "application/rss+xml"})
_DEFAULT_CHARACTERS = 20_000
_SECONDS = 20.0
_READING_SECONDS = 2.0
"""What is kept of the time for a call, to read what was fetched."""
_LONGEST_WAIT = 3_600.0
_ACCEPT = {"accept": "text/html, application/xhtml+xml, text/plain, application/json, text/*;q=0.8"}
_OK, _TOO_MANY, _BROKEN, _REFUSED = 200, 429, 500, 400
_WORDS = {401: "wants somebody to sign in", 403: "is not for everybody", 404: "is not there", 410: "is gone for good"}


class WebConnector:
    """Fetches a page, and gives its text, never its code."""

    manifest = load_manifest(Path(__file__).parent)

    def __init__(self, private_hosts: Sequence[str] = (), resolve: Resolve = resolve_by_system) -> None:
        """Take what may be reached besides the internet (`HOST:PORT`, `NETWORK/BITS`), and who resolves names."""
        self._private_hosts = tuple(private_hosts)
        self._resolve = resolve

    def host_of(self, _action: str, arguments: dict[str, Any]) -> str:
        """Stand for the host that a call would go to by a hash: which pages people read is shown to nobody."""
        host = plain_host(parse_url(arguments["url"]).host)
        return CHOSEN + hashlib.sha256(host.encode()).hexdigest()[:24]

    async def preview(self, action: str, arguments: dict[str, Any], context: CallContext) -> Preview:
        """Say which page would be read; PermanentFailure when the address is none."""
        del action, context
        url = parse_url(arguments["url"])
        change = Change(label="Address", after=arguments["url"])
        return Preview(summary=f"Read a page of {url.host}", changes=(change,), reversible=True)

    async def execute(self, action: str, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        """Fetch it; raises PermanentFailure, Unreachable or Throttled, each with a sentence for people."""
        del action
        left = (context.deadline - now()).total_seconds() - _READING_SECONDS
        async with open_guarded(self._private_hosts, resolve=self._resolve) as client:
            answer = await fetch(client, arguments["url"], headers=_ACCEPT, seconds=max(1.0, min(left, _SECONDS)))
        _check_status(answer)
        shown = await _shown(answer)
        limit = int(arguments.get("max_characters", _DEFAULT_CHARACTERS))
        text = shown["text"]
        cut = shown["cut"] or len(text) > limit
        return {**shown, "text": text[:limit], "cut": cut, "url": answer.url, "status": answer.status}


def _check_status(answer: Fetched) -> None:
    if answer.status == _TOO_MANY:
        raise Throttled("The site wants fewer requests for a while.", retry_after=_retry_after(answer))
    if answer.status >= _BROKEN:
        raise Unreachable(f"The site has trouble of its own (it answers {answer.status}).", _retry_after(answer))
    if answer.status >= _REFUSED:
        word = _WORDS.get(answer.status, "cannot be had")
        raise PermanentFailure(f"The page {word} (the site answers {answer.status}).")
    if answer.status != _OK:
        raise PermanentFailure(f"There is no page at this address (the site answers {answer.status}).")


def _retry_after(answer: Fetched) -> float | None:
    said = answer.headers.get("retry-after", "").strip()
    return min(float(said), _LONGEST_WAIT) if said.isascii() and said.isdigit() and len(said) < 10 else None  # noqa: PLR2004 - digits


async def _shown(answer: Fetched) -> dict[str, Any]:
    """Give what a page says, by its type; what is no text is refused by name."""
    media_type, charset = media_type_of(answer.headers.get("content-type", ""))
    if not media_type:
        media_type = _guessed(answer.body)
    if media_type in _HTML:
        return {**await take_out(answer.body, charset, answer.url), "type": media_type}
    if media_type.startswith("text/") or media_type in _TEXT or media_type.endswith(("+json", "+xml")):
        text = as_text(answer.body, charset)
        if "\x00" in text:
            raise PermanentFailure("What is at this address says that it is text, and is not.")
        return {"title": "", "text": text, "links": [], "cut": False, "type": media_type}
    raise PermanentFailure(f"What is at this address is no text that can be read ({media_type[:80] or 'no type'}).")


def _guessed(body: bytes) -> str:
    try:
        start = body[:4096].decode("utf-8", "strict" if len(body) <= 4096 else "ignore")  # noqa: PLR2004 - a first look
    except UnicodeDecodeError:
        return ""
    if "\x00" in start:
        return ""
    return "text/html" if start.lstrip().startswith("<") else "text/plain"
