"""Answers that cannot call home: remote images do not load, links lead only where a person meant them to lead.

A model that read something hostile can be talked into an image whose address carries what it knows; showing it is
enough to send it. So no image survives as one, and an address whose host nobody here named is defanged (`hxxps://`),
as security people write addresses that must not be clicked. The text stays readable, also inside code.
"""

import re
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

_LONGEST = 2048
_LOADS = (
    "img|image|picture|source|video|audio|track|iframe|frame|embed|object|svg|link|script|style|meta|base|form|input"
)
_SCHEME = r"(?:https?|ftp|wss?)"
_TOKEN = re.compile(
    r"(?P<image>!(?=\[))"
    rf"|(?P<tag><(?=/?(?:{_LOADS})\b))"
    r"|(?P<auto><)(?P<address>[a-z][a-z0-9+.-]{1,31}:[^\s<>]*)(?=>)"
    r"|(?P<link>\](?=\(|:))(?P<between>\(\s*<?|:\s*<?)(?P<target>[^\s)>]*)"
    rf"|(?P<scheme>\b{_SCHEME})(?P<slashes>:[/\\]{{2}})(?P<authority>[^\s/\\?#)>\]\"'`]*)",
    re.IGNORECASE,
)
_UNFINISHED = re.compile(
    r"(?:!|</?[a-z0-9+.-]{0,32}|<[a-z][a-z0-9+.-]{1,31}:[^\s<>]*|\]|\](?:\(|:)\s*<?[^\s)>]*"
    r"|\b(?:h|ht|htt|https?|f|ft|ftp|w|ws|wss)(?::|:[/\\])?"
    rf"|\b{_SCHEME}:[/\\]{{2}}[^\s/\\?#)>\]\"'`]*)$",
    re.IGNORECASE,
)
_PLAIN = re.compile(rf"{_SCHEME}://(?P<authority>[^\s/\\?#)>\]\"'`]*)[^\s)>&\\]*", re.IGNORECASE)
_NEARBY = re.compile(r"(?:/(?![/\\])|#|[^\s/\\&:])[^&\\:]*")


class Neutralizer:
    """Takes text piece by piece and gives what is safe to show; holds back what may yet become something else."""

    def __init__(self, hosts: Collection[str] = ()) -> None:
        """Take the hosts, in lower case, that links may lead to."""
        self._hosts = frozenset(hosts)
        self._held = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held back."""
        return not self._held

    def push(self, text: str) -> str:
        """Give what can be shown now."""
        whole = self._held + text
        found = _UNFINISHED.search(whole, max(0, len(whole) - _LONGEST))
        at = len(whole) if found is None else found.start()
        self._held = whole[at:]
        return self._clean(whole[:at])

    def rest(self) -> str:
        """Give what was held back: nothing more comes."""
        held, self._held = self._held, ""
        return self._clean(held)

    def _clean(self, text: str) -> str:
        return _TOKEN.sub(self._replace, text)

    def _replace(self, found: re.Match[str]) -> str:
        if found["image"] or found["tag"]:
            return f"{found[0]} "
        if found["link"]:
            return self._link(found)
        if found["auto"]:
            return self._autolink(found["auto"], found["address"])
        if self._is_known(found["authority"]):
            return found[0]
        return f"{_defanged(found['scheme'])}{found['slashes']}{found['authority']}"

    def _link(self, found: re.Match[str]) -> str:
        """Keep a link to a known host or within this page; part any other from its text, and defang it."""
        target = found["target"]
        if found["between"].startswith(":") and not _is_address(target):
            return f"{found['link']}{found['between'].replace('<', '< ')}{self._clean(target)}"
        plain = _PLAIN.fullmatch(target)
        if _NEARBY.fullmatch(target) or (plain is not None and self._is_known(plain["authority"])):
            return found[0]
        return f"{found['link']} {found['between'].replace('<', '< ')}{self._clean(target)}"

    def _autolink(self, opening: str, address: str) -> str:
        plain = _PLAIN.fullmatch(address)
        known = plain is not None and self._is_known(plain["authority"])
        return f"{opening}{address}" if known else f"{opening} {self._clean(address)}"

    def _is_known(self, authority: str) -> bool:
        """Whether the host is one of ours. A name before an `@` is how an address pretends to be another."""
        host, _, port = authority.lower().rpartition(":") if ":" in authority else (authority.lower(), "", "")
        return host in self._hosts and (not port or port.isdecimal())


def _is_address(target: str) -> bool:
    """Whether what follows `]:` may be an address at all, and not the rest of a sentence."""
    return bool(re.match(r"[a-z][a-z0-9+.-]*:|[/\\]{2}|/[\\/]|&", target, re.IGNORECASE))


def _defanged(scheme: str) -> str:
    return {"http": "hxxp", "https": "hxxps"}.get(scheme.lower(), f"x-{scheme}")


def hosts_in(texts: Iterable[str]) -> frozenset[str]:
    """Give the hosts of the addresses that people wrote."""
    return frozenset(
        found["authority"].lower().partition(":")[0]
        for text in texts
        for found in _PLAIN.finditer(text)
        if found["authority"] and "@" not in found["authority"]
    )


def host_of(address: str | None) -> str | None:
    """Give the host of one address of ours, in lower case."""
    return urlsplit(address).hostname if address else None
