"""Answers that cannot call home: remote images do not load, links lead only where a person meant them to lead.

A model that read something hostile can be talked into an image whose address carries what it knows; showing it is
enough to send it. So no image survives as one, no tag keeps its attributes, and an address whose host nobody here
named is defanged (`hxxps://`, `www[.]`), as security people write addresses that must not be clicked: also those that
readers make links of though nobody marked them as such. The text stays readable, also inside code.
"""

import re
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

_LONGEST, _LONGEST_HOST = 2048, 255
_LOADS = (
    "img|image|picture|source|video|audio|track|iframe|frame|embed|object|svg|link|script|style|meta|base|form|input"
)
_SCHEME = r"(?:https?|ftp|wss?)"
# How an address without a scheme ends, where readers make a link of it; two letters may be a country or a file's kind.
_ENDINGS = "biz|com|edu|gov|net|org|pro|web|xxx|aero|asia|coop|info|museum|name|shop|[a-z]{2}"
_PLAIN_ENDINGS = frozenset({"biz", "com", "edu", "gov", "net", "org", "xxx"})
_FILES = frozenset({"cc", "go", "hs", "js", "md", "ml", "mm", "pl", "ps", "py", "rb", "rs", "sh", "so", "ts", "vb"})
_HIDING = "#|(?:colon|sol|bsol|period|commat|excl|lsqb|lbrack|rsqb|rbrack|lpar|rpar|Tab|NewLine);"
_TOKEN = re.compile(
    r"(?P<image>!(?=\[))"
    r"|(?P<auto><)(?P<address>[a-z][a-z0-9+.-]{1,31}:[^\s<>]*)(?=>)"
    rf"|(?P<tag><(?=/?(?:{_LOADS})\b|[a-z][^\s<>/]*(?:\s|/(?!>))|[a-z][^\s<>/]{{40}}))"
    rf"|(?P<entity>&(?={_HIDING}))"
    r"|(?P<mail>\b(?:mailto|xmpp)\\?:)(?=\S)"
    r"|(?P<link>\](?=\(|:))(?P<between>\(\s*<?|:\s*<?)(?P<target>[^\s)>]{0,1024})"
    rf"|(?P<scheme>\b{_SCHEME})(?P<slashes>\\?:[/\\]{{2,4}})(?P<authority>[^\s/\\?#)>\]\"'`]*)"
    r"|(?<![:/\w\\.])(?P<apart>//)(?=[\w-]+\.)"
    r"|(?<![\w./\\-])www(?P<dot>\\?\.)(?P<www>[\w-][\w.-]*)"
    rf"|(?P<bare>(?:(?<![\w-])[\w-]{{1,63}}|(?=\.))(?:\.[\w-]{{1,63}}){{0,10}}\.(?P<ending>{_ENDINGS}))"
    r"(?![\w-]|\.\w)(?P<more>(?=[/?#][\w%=&/?#]|:\d)(?P<by>.))?",
    re.IGNORECASE,
)
_UNFINISHED = re.compile(
    r"(?:!|<[^\s<>]*|\]|\](?:\(|:)\s*<?[^\s)>]*|&[a-z]{0,7}|\b(?:m(?:a(?:i(?:l(?:to?)?)?)?)?|x(?:m(?:pp?)?)?)\\?:?"
    r"|\b(?:h|ht|htt|https?|f|ft|ftp|w|ws|wss)(?:\\?:?[/\\]{0,4})|(?<![\w/:])//?[\w-]*(?:\.[\w-]*)*[/?#:]?"
    rf"|\b{_SCHEME}\\?:[/\\]{{2,4}}[^\s/\\?#)>\]\"'`]*|\bww?w?\\?"
    r"|(?:(?<![\w-])[\w-]{1,63}|(?=\\?\.))(?:\\?\.[\w-]{0,63}){1,12}[/?#:]?)$",
    re.IGNORECASE,
)
_DOTTED = re.compile(r"(?<![\w-])[\w-]{1,63}(?:\.[\w-]{1,63}){1,10}")
_WORD = re.compile(r"[\w-]*$")
_PLAIN = re.compile(rf"{_SCHEME}://(?P<authority>[^\s/\\?#)>\]\"'`]*)[^\s)>&\\]*", re.IGNORECASE)
_NEARBY = re.compile(r"(?:/(?![/\\])|#|[^\s/\\&:])[^&\\:]*")


class Neutralizer:
    """Takes text piece by piece and gives what is safe to show; holds back what may yet become something else."""

    def __init__(self, hosts: Collection[str] = ()) -> None:
        """Take the hosts, in lower case, that links may lead to."""
        self._hosts = frozenset(hosts)
        self._held = ""
        self._before = ""

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
        return self._go_on(whole[:at])

    def rest(self) -> str:
        """Give what was held back: nothing more comes."""
        held, self._held = self._held, ""
        return self._go_on(held)

    def _go_on(self, text: str) -> str:
        """Clean what follows on the word that was shown last."""
        before = self._before
        self._before = _before(before + text)
        return self._clean(text, before)

    def _clean(self, text: str, before: str) -> str:
        whole, at, parts = before + text, len(before), []
        while (found := _TOKEN.search(whole, at)) is not None:
            said, end = self._apart(found) or (self._replace(found, before), found.end())
            parts += [whole[at : found.start()], said]
            at = end
        return "".join([*parts, whole[at:]])

    def _replace(self, found: re.Match[str], before: str) -> str:
        """Give what is shown in the place of a piece that is taken whole."""
        if found["image"] or found["tag"] or found["entity"] or found["mail"]:
            return f"{found[0]} "
        if found["apart"]:
            return "/ /"
        if found["www"]:
            return found[0] if self._is_known(f"www.{found['www']}") else _dotted(f"www.{found['www']}")
        if found["bare"]:
            return self._bare(found, before if found.start() == len(before) else "")
        if found["link"] or found["auto"] or self._is_known(found["authority"]):
            return found[0]
        return f"{_defanged(found['scheme'])}{found['slashes']}{found['authority']}"

    def _apart(self, found: re.Match[str]) -> tuple[str, int] | None:
        """Part a link from its text, and an address from its brackets: what is shown, and where to read on.

        None for what is no link, or one to a known host or within this page: that is kept.
        """
        if found["auto"]:
            return None if self._leads_home(found["address"]) else (f"{found['auto']} ", found.start("address"))
        if not found["link"]:
            return None
        target, between = found["target"], found["between"].replace("<", "< ")
        if between.startswith(":") and not _is_address(target):
            return f"{found['link']}{between}", found.start("target")
        if _NEARBY.fullmatch(target) or self._leads_home(target):
            return None
        return f"{found['link']} {between}", found.start("target")

    def _leads_home(self, address: str) -> bool:
        plain = _PLAIN.fullmatch(address)
        return plain is not None and self._is_known(plain["authority"])

    def _bare(self, found: re.Match[str], before: str) -> str:
        """Defang a name that readers take for an address and that says more than where to go: a path, a subdomain."""
        ending, by = found["ending"].lower(), found["by"]
        is_address = by in {"/", "?"} or (by is not None and ending not in _FILES)
        is_address = is_address or (ending in _PLAIN_ENDINGS and found["bare"].count(".") > 1)
        if not is_address or self._is_known(f"{_word(before)}{found['bare']}"):
            return found[0]
        return f"{_dotted(found['bare'])}{by or ''}"

    def _is_known(self, authority: str) -> bool:
        """Whether the host is one of ours. A name before an `@` is how an address pretends to be another."""
        host, _, port = authority.lower().rpartition(":") if ":" in authority else (authority.lower(), "", "")
        return host in self._hosts and (not port or port.isdecimal())


def _is_address(target: str) -> bool:
    """Whether what follows `]:` may be an address at all, and not the rest of a sentence."""
    return bool(re.match(r"[a-z][a-z0-9+.-]*:|[/\\]{2}|/[\\/]|&", target, re.IGNORECASE))


def _before(text: str) -> str:
    """Give what of a text the rest may follow on: its last word, and what stands before that."""
    return text[max(0, len(text) - len(_word(text)) - 1) :]


def _word(text: str) -> str:
    """Give the word at the end of a text."""
    found = _WORD.search(text[-_LONGEST_HOST:])
    return found[0] if found else ""


def _dotted(name: str) -> str:
    return name.replace(".", "[.]")


def _defanged(scheme: str) -> str:
    return {"http": "hxxp", "https": "hxxps"}.get(scheme.lower(), f"x-{scheme}")


def hosts_in(texts: Iterable[str]) -> frozenset[str]:
    """Give the hosts of the addresses that people wrote."""
    texts = tuple(texts)
    plain = (found["authority"] for text in texts for found in _PLAIN.finditer(text))
    named = (found[0] for text in texts for found in _DOTTED.finditer(_PLAIN.sub(" ", text)))
    return frozenset(one.lower().partition(":")[0] for one in (*plain, *named) if one and "@" not in one)


def host_of(address: str | None) -> str | None:
    """Give the host of one address of ours, in lower case."""
    return urlsplit(address).hostname if address else None
