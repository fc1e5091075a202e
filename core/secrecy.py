"""What looks like a secret: passwords, keys, card numbers. Such text is never kept as a fact, whoever wrote it."""

import re

_NAMED = re.compile(
    r"\b(?:pass ?(?:word|phrase|code)s?|passwd|pwd|pin(?: code| number)?|cvv|cvc|secret(?: key)?|"
    r"(?:api|access|private|recovery|licen[cs]e)[ _-]?(?:key|token|code)s?|token|credentials?)\b"
    r"[^\n]{0,40}?(?:\bis\b|\bare\b|[:=])\s*\S",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:sk|pk|rk|ghp|gho|xox[abpr]|AKIA|AIza|eyJ)[-_A-Za-z0-9.]{12,}", re.ASCII
)
_LONG = re.compile(r"[A-Za-z0-9+/_=-]{24,}", re.ASCII)
_DIGITS = re.compile(r"\d(?:[ -]?\d){11,18}", re.ASCII)
_SHORTEST_CARD = 13


def looks_secret(text: str) -> bool:
    """Tell whether the text seems to hold a password, a key or a card number; it may err on the side of caution."""
    if _NAMED.search(text) or _KEY.search(text):
        return True
    return any(map(_is_random, _LONG.findall(text))) or any(map(_is_card, _DIGITS.findall(text)))


def _is_random(word: str) -> bool:
    """Whether a long word mixes digits, lower and upper case, or is all hexadecimal: no word of a language does."""
    kinds = (any(map(str.isdigit, word)), any(map(str.islower, word)), any(map(str.isupper, word)))
    return all(kinds) or (kinds[0] and re.fullmatch(r"[0-9a-fA-F-]+", word) is not None)


def _is_card(found: str) -> bool:
    """Check the Luhn digit that every card number ends with."""
    digits = [int(one) for one in found if one.isdigit()]
    if len(digits) < _SHORTEST_CARD:
        return False
    doubled = (2 * one - 9 * (one > 4) for one in digits[-2::-2])  # noqa: PLR2004  the digits' sum of 2 x 5 to 2 x 9
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
