"""Hosts that may look like others: letters of other scripts in web and e-mail addresses, said plainly."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from core.text import reveal

_AFTER = re.compile(r"(?:://(?:[^\s/?#@]*@)?|(?<=[\w.+-])@)([^\s/?#:@\"'<>,;()\[\]]{1,253})")
MOST, MOST_LOOKED = 5, 10_000
TOO_MANY = f"There are more than {MOST_LOOKED} addresses in this: not all of their hosts were looked at."


def warnings_of(value: Any) -> tuple[str, ...]:
    """Give a sentence for each host, anywhere in a JSON value, that is not in plain letters; at most MOST."""
    hosts = (match[1] for text in _texts(value) for match in _AFTER.finditer(text))
    odd = dict.fromkeys(host for host in islice(hosts, MOST_LOOKED) if _is_odd(host))
    said = tuple(_sentence(host) for host in islice(odd, MOST))
    return said if next(hosts, None) is None else (*said, TOO_MANY)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if not value.isascii() or "xn--" in value.lower():
            yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _is_odd(host: str) -> bool:
    return not host.isascii() or any(label.startswith("xn--") for label in host.lower().split("."))


def _sentence(host: str) -> str:
    plain = host.encode("ascii", "backslashreplace").decode()
    return f"The host {reveal(host)} ({plain}) is not written in plain letters: it may only look like one you know."
