"""What a person says about themselves to the assistant: checked where it comes in."""

import re
import unicodedata
from functools import lru_cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, StringConstraints

from core.text import SafeStr, SpokenStr

MOST_PREFERENCES = 20
_LOCALE = re.compile(
    r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-(?:[A-Za-z]{2}|[0-9]{3}))?(-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)
_CONTROL = frozenset({"Cc", "Zl", "Zp"})
_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_LANGUAGE, _SCRIPT, _REGION = 3, 4, 2


def check_locale(text: str) -> str:
    """Give a language tag as BCP 47 writes it (`de-AT`, `zh-Hant-TW`); ValueError when it is none of that form."""
    if not _LOCALE.fullmatch(text):
        message = "a language tag is wanted, such as en, de-AT or zh-Hant-TW"
        raise ValueError(message)
    first, *rest = text.split("-")
    return "-".join([first.lower(), *map(_cased, rest)])


def _cased(part: str) -> str:
    if len(part) == _REGION:
        return part.upper()
    return part.title() if len(part) == _SCRIPT and part.isalpha() else part.lower()


def check_time_zone(text: str) -> str:
    """Return the name of a time zone of the IANA database; ValueError when there is none of that name."""
    if text not in _zones():
        message = "a time zone of the IANA database is wanted, such as Europe/Vienna"
        raise ValueError(message)
    return text


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) | {"UTC"}


def check_preferences(preferences: dict[str, str]) -> dict[str, str]:
    """Return the preferences; ValueError when there are more than MOST_PREFERENCES."""
    if len(preferences) > MOST_PREFERENCES:
        message = f"at most {MOST_PREFERENCES} preferences are kept"
        raise ValueError(message)
    return preferences


def check_name(name: str) -> str:
    """Return the name; ValueError when it has line breaks, or characters that control how text is shown."""
    if name != clean_name(name):
        message = "a name is one line, without control characters"
        raise ValueError(message)
    return name


def clean_name(name: str) -> str:
    """Give the name without what `check_name` refuses. What joins letters (U+200C, U+200D) is part of names."""
    kept = (one for one in name if unicodedata.category(one) not in _CONTROL)
    return "".join(one for one in kept if unicodedata.bidirectional(one) not in _TURNING)


PersonName = Annotated[
    SpokenStr, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(check_name)
]
"""How others see a person."""
Locale = Annotated[SafeStr, StringConstraints(max_length=35), AfterValidator(check_locale)]
"""A language tag, such as `de-AT`."""
TimeZone = Annotated[SafeStr, StringConstraints(max_length=64), AfterValidator(check_time_zone)]
"""A time zone, such as `Europe/Vienna`."""
_Key = Annotated[SpokenStr, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)]
_Word = Annotated[SpokenStr, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Preferences = Annotated[dict[_Key, _Word], AfterValidator(check_preferences)]
"""How a person wants to be answered, as names with values: `answers: short`."""
