"""What a rule asks of one argument of a call, and whether a value fits: yes, no, or odd."""

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from core.policy.fit import Fit, agreed, every, fit_if
from core.text import SafeStr, is_hidden
from core.values import Value

MISSING = object()
MOST_VALUES = 1_000
MOST_TEXT = 4_096
_STEP = re.compile(r"([A-Za-z0-9_-]{1,100})((?:\[\*\])*)", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,30}(\.\d{1,30})?", re.ASCII)
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,200}@([A-Za-z0-9.-]{1,253})", re.ASCII)
_NAMED = re.compile(r"[^@<>,;]{0,200}<([^<>]{1,500})>")
_ESCAPES = ("%2e", "%2f", "%5c", "%00")
Scalar = bool | int | Annotated[float, Field(allow_inf_nan=False)] | SafeStr | None
Text = Annotated[SafeStr, StringConstraints(min_length=1, max_length=500)]
Number = Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True, allow_inf_nan=False)]
Domain = Annotated[str, StringConstraints(pattern=r"^(\*\.)?[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,8}$", max_length=253)]
Values = Annotated[tuple[Scalar, ...], Field(min_length=1, max_length=500)]
Domains = Annotated[tuple[Domain, ...], Field(min_length=1, max_length=500)]


class Condition(Value):
    """What must hold of one argument, all of it. `[*]` in its path: of each of the values there."""

    equals: Scalar = None
    in_: Values | None = Field(None, alias="in")
    not_in: Values | None = None
    above: Number | None = None
    at_least: Number | None = None
    below: Number | None = None
    at_most: Number | None = None
    matches: Text | None = None
    domain_in: Domains | None = None
    domain_not_in: Domains | None = None
    under: Text | None = None
    exists: Annotated[bool, Field(strict=True)] | None = None
    longer_than: Annotated[int, Field(strict=True, ge=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_short(cls, given: Any) -> Any:
        """Take a bare value for `equals`, a bare list for `in`."""
        if isinstance(given, list | tuple):
            return {"in": given}
        return given if isinstance(given, Mapping | Condition) else {"equals": given}

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.model_fields_set:
            message = "a condition is empty"
            raise ValueError(message)
        if any(getattr(self, name) is None for name in self.model_fields_set - {"equals"}):
            message = "a condition has no value"
            raise ValueError(message)
        if self.under is not None and _parts(self.under) is None:
            message = "`under` is a plain path, without `..`"
            raise ValueError(message)
        return self

    def fits(self, arguments: Mapping[str, Any], path: str) -> Fit:
        """Say whether the value at a path of these arguments fits."""
        values = list(values_at(arguments, path))
        if len(values) > MOST_VALUES:
            return Fit.ODD
        return every(self._fits_all(name, values) for name in self.model_fields_set)

    def _fits_all(self, name: str, values: list[Any]) -> Fit:
        if name == "exists":
            return _exists(values, self.exists)
        wanted = getattr(self, name)
        return agreed(Fit.ODD if value is MISSING else _CHECKS[name](value, wanted) for value in values)


def check_path(path: str) -> str:
    """Return the path of an argument (`amount`, `to.address`, `items[*].price`); ValueError when it is none."""
    steps = path.split(".")
    if len(steps) > 8 or not all(_STEP.fullmatch(one) for one in steps):  # noqa: PLR2004
        message = "an argument is named as in amount, to.address or items[*].price"
        raise ValueError(message)
    return path


def values_at(arguments: Any, path: str) -> Iterator[Any]:
    """Give the values at a path, MISSING for each that is not there."""
    found = [arguments]
    for step in path.split("."):
        matched = _STEP.fullmatch(step)
        name, stars = (matched[1], matched[2].count("*")) if matched else (step, 0)
        found = [one.get(name, MISSING) if isinstance(one, Mapping) else MISSING for one in found]
        for _ in range(stars):
            found = [item for one in found for item in _items(one)][: MOST_VALUES + 1]
    yield from found


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [MISSING]


def _exists(values: list[Any], wanted: bool | None) -> Fit:
    if any(value is None for value in values):
        return Fit.ODD
    there = [fit_if((value is not MISSING) is wanted) for value in values]
    return agreed(there) if there else fit_if(wanted is False)


def _kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, int | float) else type(value).__name__


def _looks(text: str) -> str:
    """Fold what people cannot, or hardly, tell apart: case, width, spaces around, hidden characters."""
    shown = "".join(one for one in text if not is_hidden(one))
    return unicodedata.normalize("NFKC", shown).casefold().strip()


def _equals(value: Any, wanted: Any) -> Fit:
    """Compare exactly; what is only like it, or of another kind, is odd."""
    return _is_in(value, (wanted,))


def _is_in(value: Any, wanted: tuple[Any, ...]) -> Fit:
    same = [one for one in wanted if _kind(one) == _kind(value)]
    if value in same:
        return Fit.YES
    if not same or not isinstance(value, str):
        return Fit.NO if same else Fit.ODD
    if len(value) > MOST_TEXT:
        return Fit.ODD
    looks = _looks(value)
    return Fit.ODD if any(_looks(one) == looks for one in same) else Fit.NO


def _decimal(value: Any) -> Decimal | None:
    """Give a number, or text that is a plain decimal number; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return Decimal(str(value)) if abs(value) < 1e30 else None  # noqa: PLR2004
    return None


def _compared(compare: Callable[[Decimal, Decimal], bool]) -> Callable[[Any, Any], Fit]:
    def check(value: Any, wanted: Any) -> Fit:
        number, bound = _decimal(value), _decimal(wanted)
        return Fit.ODD if number is None or bound is None else fit_if(compare(number, bound))

    return check


def matches_glob(text: str, pattern: str) -> bool:
    """Whether a whole text is a pattern, in which `*` is any run of characters and `?` any one; never backtracks far.

    The time is bounded by the product of both lengths.
    """
    place, star, mark, at = 0, -1, 0, 0
    while at < len(text):
        if place < len(pattern) and pattern[place] == "*":
            star, mark, place = place, at, place + 1
        elif place < len(pattern) and pattern[place] in {"?", text[at]}:
            place, at = place + 1, at + 1
        elif star >= 0:
            mark, place = mark + 1, star + 1
            at = mark
        else:
            return False
    return all(one == "*" for one in pattern[place:])


def _matches(value: Any, pattern: str) -> Fit:
    if not isinstance(value, str) or len(value) > MOST_TEXT or any(is_hidden(one) for one in value):
        return Fit.ODD
    if matches_glob(value, pattern):
        return Fit.YES
    return Fit.ODD if matches_glob(_looks(value), _looks(pattern)) else Fit.NO


def _domain_in(value: Any, wanted: tuple[str, ...]) -> Fit:
    """Say whether every recipient is of these domains: some of them are, some not, is odd."""
    entries = value if isinstance(value, list) else re.split(r"[,;]", value) if isinstance(value, str) else []
    if not entries or len(entries) > MOST_VALUES:
        return Fit.ODD
    domains = [_domain(one) for one in entries]
    if any(one is None for one in domains):
        return Fit.ODD
    return agreed(fit_if(any(_is_of(one, of) for of in wanted)) for one in domains if one)


def _domain_not_in(value: Any, wanted: tuple[str, ...]) -> Fit:
    return _domain_in(value, wanted).opposite()


def _domain(entry: Any) -> str | None:
    """Give the domain of one address (`Ana <ana@x.test>` too) or of an http address; None for anything else."""
    if not isinstance(entry, str) or len(entry) > MOST_TEXT or any(is_hidden(one) for one in entry):
        return None
    entry = entry.strip(" ")
    if entry.lower().startswith(("http://", "https://")):
        return _host(entry)
    named = _NAMED.fullmatch(entry)
    found = _ADDRESS.fullmatch(named[1] if named else entry)
    return found[1].lower().removesuffix(".") if found else None


def _host(address: str) -> str | None:
    """Give the host of an address that every reader takes the same way."""
    if not address.isascii() or any(one in address for one in "\\@\n\t ") or "[" in address:
        return None
    try:
        host = urlsplit(address).hostname
    except ValueError:
        return None
    return host.removesuffix(".") if host and "%" not in host else None


def _is_of(domain: str, wanted: str) -> bool:
    if wanted.startswith("*."):
        return domain.endswith(wanted[1:])
    return domain == wanted


def _parts(path: str) -> tuple[bool, tuple[str, ...]] | None:
    """Give whether a path begins at the root, and its parts; None where readers might take it differently."""
    if "\\" in path or any(is_hidden(one) or one == "\n" for one in path) or path.strip() != path:
        return None
    if any(one in path.lower() for one in _ESCAPES):
        return None
    parts = tuple(one for one in path.split("/") if one not in {"", "."})
    return None if ".." in parts else (path.startswith("/"), parts)


def _under(value: Any, wanted: str) -> Fit:
    found = _parts(value) if isinstance(value, str) and len(value) <= MOST_TEXT else None
    above = _parts(wanted)
    if found is None or above is None or found[0] is not above[0]:
        return Fit.ODD
    head = found[1][: len(above[1])]
    if head == above[1]:
        return Fit.YES
    return Fit.ODD if tuple(map(_looks, head)) == tuple(map(_looks, above[1])) else Fit.NO


def _longer_than(value: Any, wanted: int) -> Fit:
    return fit_if(len(value) > wanted) if isinstance(value, str | list) else Fit.ODD


_CHECKS: Mapping[str, Callable[[Any, Any], Fit]] = {
    "equals": _equals,
    "in_": _is_in,
    "not_in": lambda value, wanted: _is_in(value, wanted).opposite(),
    "above": _compared(lambda value, bound: value > bound),
    "at_least": _compared(lambda value, bound: value >= bound),
    "below": _compared(lambda value, bound: value < bound),
    "at_most": _compared(lambda value, bound: value <= bound),
    "matches": _matches,
    "domain_in": _domain_in,
    "domain_not_in": _domain_not_in,
    "under": _under,
    "longer_than": _longer_than,
}
