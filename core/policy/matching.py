"""Whether a rule is about a call: each part of its `when`, with a reason that people can read."""

from collections.abc import Callable, Mapping
from typing import Any

from core.policy.built_in import GRAVE
from core.policy.conditions import matches_glob
from core.policy.document import PolicyDocument, Rule, Times, When
from core.policy.fit import Fit, every, fit_if
from core.policy.ruling import CallFacts
from core.values import CallVerdict, Value


class Looked(Value):
    """How one rule fits a call: `applies` when it decides, and why it does not, or only because something is odd."""

    place: int
    name: str
    verdict: CallVerdict
    fit: Fit
    applies: bool
    reason: str


Check = Callable[[Any, CallFacts, PolicyDocument], Fit]


def _user(wanted: tuple[str, ...], facts: CallFacts, _document: PolicyDocument) -> Fit:
    known = {facts.requester_id, facts.requester_email.lower()} - {""}
    return fit_if(any(one.lower() in known or one in known for one in wanted)) if known else Fit.ODD


def _channel(wanted: tuple[str, ...], facts: CallFacts, _document: PolicyDocument) -> Fit:
    return fit_if(facts.door in wanted) if facts.door else Fit.ODD


def _effect(wanted: tuple[str, ...], facts: CallFacts, _document: PolicyDocument) -> Fit:
    return fit_if(facts.effect in wanted) if facts.effect else Fit.ODD


def _time(wanted: Times, facts: CallFacts, document: PolicyDocument) -> Fit:
    hours = document.hours.get(wanted.hours) if wanted.hours is not None else wanted.own()
    if hours is None or facts.at is None:
        return Fit.ODD
    return fit_if(hours.contain(facts.at) is not wanted.outside)


_CHECKS: Mapping[str, Check] = {
    "connector": lambda wanted, facts, _: fit_if(facts.connector in wanted),
    "action": lambda wanted, facts, _: fit_if(any(matches_glob(facts.action, one) for one in wanted)),
    "risk": lambda wanted, facts, _: fit_if(facts.risk in wanted),
    "effect": _effect,
    "user": _user,
    "role": lambda wanted, facts, _: fit_if(facts.requester_role in wanted),
    "group": lambda wanted, facts, _: fit_if(not set(wanted).isdisjoint(facts.requester_groups)),
    "channel": _channel,
    "conversation": lambda wanted, facts, _: fit_if(facts.conversation_id in wanted),
    "time": _time,
    "mode": lambda wanted, facts, _: fit_if(facts.mode in wanted),
    "untrusted": lambda wanted, facts, _: fit_if(facts.untrusted is wanted),
    "repeated": lambda wanted, facts, _: fit_if(facts.repeats_once_only is wanted),
}


def has_effect(facts: CallFacts) -> bool:
    """Whether a call does more than read; what is not known to be a read has an effect."""
    return facts.risk != "read" or facts.effect not in {"", "read"}


def look(place: int, rule: Rule, facts: CallFacts, document: PolicyDocument) -> Looked:
    """Say how a rule fits a call. What is odd does not help: it makes no rule allow, and every other rule apply."""
    parts = _parts(rule.when, facts, document)
    fit = every(parts.values())
    reason = _reason(parts, fit)
    applies = fit is Fit.YES or (fit is Fit.ODD and rule.verdict is not CallVerdict.ALLOW)
    if applies and rule.verdict is CallVerdict.ALLOW:
        held_back = _held_back(rule.when, facts)
        applies, reason = held_back is None, held_back or reason
    return Looked(place=place, name=rule.name, verdict=rule.verdict, fit=fit, applies=applies, reason=reason)


def _parts(when: When, facts: CallFacts, document: PolicyDocument) -> dict[str, Fit]:
    found = {
        name: check(wanted, facts, document)
        for name, check in _CHECKS.items()
        if (wanted := getattr(when, name)) is not None
    }
    for path, condition in (when.arguments or {}).items():
        found[f"argument {path}"] = condition.fits(facts.arguments, path)
    return found


def _reason(parts: Mapping[str, Fit], fit: Fit) -> str:
    if fit is Fit.YES:
        return "it fits"
    names = ", ".join(name for name, one in parts.items() if one is fit)
    if fit is Fit.NO:
        return f"does not fit: {names}"
    return f"cannot be told, so it does not help: {names}"


def _held_back(when: When, facts: CallFacts) -> str | None:
    """Say why a rule that fits and allows does not allow this: some things have to be named to be allowed."""
    if facts.risk in GRAVE and not _names_it(when, facts):
        return f"allows {facts.risk} only where it names that risk, or this action in full"
    if facts.repeats_once_only:
        return "no rule allows to repeat what was done once"
    if facts.untrusted and has_effect(facts) and when.untrusted is not True:
        return "does not allow effects once outsiders' words were read, unless it says `untrusted: true`"
    return None


def _names_it(when: When, facts: CallFacts) -> bool:
    return facts.risk in (when.risk or ()) or facts.action in (when.action or ())
