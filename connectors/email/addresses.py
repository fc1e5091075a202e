"""Addresses of people, checked before anything is sent, and what looks odd about them."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import idna

from connectors.base import PermanentFailure
from core.text import is_hidden, reveal

MOST_RECIPIENTS = 50
MANY = 5
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LONGEST_LOCAL, _LONGEST = 64, 254
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "HEBREW", "ARABIC", "CHEROKEE", "GEORGIAN")
# Letters that people take for those of English, and pairs of these that look like one.
_LOOKS = {
    0x0430: "a",
    0x0435: "e",
    0x043E: "o",
    0x0440: "p",
    0x0441: "c",
    0x0443: "y",
    0x0445: "x",
    0x0456: "i",
    0x0458: "j",
    0x0455: "s",
    0x0501: "d",
    0x04BB: "h",
    0x04CF: "l",
    0x051B: "q",
    0x051D: "w",
    0x043A: "k",
    0x043C: "m",
    0x0442: "t",
    0x0432: "b",
    0x043D: "h",
    0x0433: "r",
    0x03B1: "a",
    0x03BF: "o",
    0x03C1: "p",
    0x03BD: "v",
    0x03B9: "i",
    0x03BA: "k",
    0x03C4: "t",
    0x03C5: "u",
    0x0131: "i",
    0x0142: "l",
    0x0030: "o",
    0x0031: "l",
}
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


@dataclass(frozen=True)
class Mailbox:
    """A checked address: `domain` as it travels (ASCII), `shown` as people read it."""

    local: str
    domain: str
    shown: str

    @property
    def address(self) -> str:
        """The address as it travels."""
        return f"{self.local}@{self.domain}"


def mailboxes(texts: Sequence[str]) -> list[Mailbox]:
    """Check addresses, each kept once; raises PermanentFailure that names the first that is none."""
    return once(mailbox(text) for text in texts)


def once(people: Iterable[Mailbox]) -> list[Mailbox]:
    """Keep the first of each address."""
    found: dict[str, Mailbox] = {}
    for one in people:
        found.setdefault(one.address.lower(), one)
    return list(found.values())


def mailbox(text: str) -> Mailbox:
    """Check one address; PermanentFailure when mail cannot or should not be sent to it."""
    local, at, domain = text.rpartition("@")
    if not at or any(is_hidden(one) or one.isspace() for one in text):
        raise _none(text)
    if len(local) > _LONGEST_LOCAL or not _LOCAL.fullmatch(local):
        raise _none(text)
    try:
        ascii_domain = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii").lower()
        shown = idna.decode(ascii_domain)
    except (idna.IDNAError, UnicodeError) as error:
        raise _none(text) from error
    if "." not in ascii_domain or ascii_domain.rpartition(".")[2].isdigit() or len(text) > _LONGEST:
        raise _none(text)
    return Mailbox(local, ascii_domain, f"{local}@{shown}")


def _none(text: str) -> PermanentFailure:
    return PermanentFailure(f"{reveal(text[:80])!r} is not an address that mail can be sent to.")


def warnings(people: Sequence[Mailbox], home: Collection[str]) -> list[str]:
    """Say what a person should look at twice: outsiders, crowds, names that look like others."""
    found = []
    outside = sorted({one.domain for one in people if one.domain not in home})
    if outside:
        named = ", ".join(outside[:5]) + (f" and {len(outside) - 5} more" if len(outside) > 5 else "")  # noqa: PLR2004 - as shown
        found.append(f"It goes outside: {named}.")
    if len(people) > MANY:
        found.append(f"It goes to {len(people)} people.")
    for domain in outside:
        shown = idna.decode(domain)
        alike = next((one for one in sorted(home) if one != domain and looks(shown) == looks(one)), None)
        if alike is not None:
            found.append(f"{shown} looks like {alike}, and is another ({domain}).")
        elif shown != domain:
            mixed = " of several alphabets" if _is_mixed(shown) else ""
            found.append(f"{shown} has letters{mixed} that can be taken for others; it travels as {domain}.")
    return found


def looks(domain: str) -> str:
    """Give what a domain looks like in a hurry: equal for names that people mistake for each other."""
    seen = unicodedata.normalize("NFKD", domain.lower()).translate(_LOOKS)
    seen = "".join(one for one in seen if not unicodedata.combining(one))
    for pair, one in _PAIRS:
        seen = seen.replace(pair, one)
    return seen.replace("l", "i")


def _is_mixed(domain: str) -> bool:
    names = [unicodedata.name(one, "") for one in domain if one.isalpha()]
    return len({script for script in _SCRIPTS for name in names if name.startswith(script)}) > 1
