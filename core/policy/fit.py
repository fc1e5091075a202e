"""Whether something fits a rule: yes, no, or that it cannot be told, which never helps whoever asks."""

from collections.abc import Iterable
from enum import Enum


class Fit(Enum):
    """ODD: the value is missing, of another kind, or made to look like another one."""

    YES = "yes"
    NO = "no"
    ODD = "odd"

    def opposite(self) -> "Fit":
        """Turn yes and no round; odd stays odd."""
        return {Fit.YES: Fit.NO, Fit.NO: Fit.YES}.get(self, Fit.ODD)


def fit_if(condition: bool) -> Fit:
    """Give YES or NO."""
    return Fit.YES if condition else Fit.NO


def every(fits: Iterable[Fit]) -> Fit:
    """Say whether all fit: one that does not settles it; else one that is odd makes it odd."""
    found = set(fits)
    if Fit.NO in found:
        return Fit.NO
    return Fit.ODD if Fit.ODD in found else Fit.YES


def agreed(fits: Iterable[Fit]) -> Fit:
    """Give what all of several say; ODD when they differ, or when there is none."""
    found = set(fits)
    return found.pop() if len(found) == 1 else Fit.ODD
