"""The check of a policy when it is saved: what would never work is an error, what looks like a mistake a warning."""

from collections.abc import Iterator
from itertools import islice
from typing import Literal

from core.consent import level
from core.permissions import Role
from core.policy.asking import Ask
from core.policy.built_in import GRAVE, LEAST
from core.policy.conditions import matches_glob
from core.policy.covering import covers
from core.policy.deciding import Seats, unfilled
from core.policy.document import PolicyDocument, Rule, When
from core.policy.known import Known, KnownAction, KnownPerson
from core.policy.ruling import AskedParty, AskedStage
from core.values import CallVerdict, Value

MOST_TRIED = 50
_NAMED = 5


class Problem(Value):
    """What is wrong, with which rule (None: the whole), and where in it. An error refuses the save."""

    severity: Literal["error", "warning"]
    rule: str | None
    where: str
    message: str


Found = Iterator[tuple[Literal["error", "warning"], str, str]]


def check(document: PolicyDocument, known: Known) -> tuple[Problem, ...]:
    """Say what is wrong with a document in this workspace, errors first."""
    found = [
        Problem(severity=severity, rule=None, where=where, message=message)
        for severity, where, message in _rotas(document, known)
    ]
    for place, rule in enumerate(document.rules):
        found += [
            Problem(severity=severity, rule=rule.name, where=f"rules[{place}].{where}".rstrip("."), message=message)
            for severity, where, message in _of_rule(document, place, rule, known)
        ]
    return tuple(sorted(found, key=lambda one: one.severity))


def refuses(problems: tuple[Problem, ...]) -> bool:
    """Whether any of them refuses the save."""
    return any(one.severity == "error" for one in problems)


def _rotas(document: PolicyDocument, known: Known) -> Found:
    for name, rota in document.rotas.items():
        for person in sorted({one for one in rota.people if known.called(one) is None}):
            yield "error", f"rotas.{name}", f"there is no {person} here"


def _of_rule(document: PolicyDocument, place: int, rule: Rule, known: Known) -> Found:
    for earlier in document.rules[:place]:
        if covers(earlier, rule):
            yield "error", "", f"never reached: `{earlier.name}` comes first and is about all of this"
            break
    yield from _names(document, rule.when, known)
    yield from _actions(rule, known)
    if rule.verdict is CallVerdict.ASK:
        yield from _asking(document, rule, known)


def _names(document: PolicyDocument, when: When, known: Known) -> Found:
    people = (*known.people, *known.programs)
    for user in when.user or ():
        if not any(one.is_called(user) for one in people):
            yield "error", "when.user", f"there is no {user} here"
    for group in when.group or ():
        if group not in known.groups:
            yield "error", "when.group", f"there is no group `{group}`"
    for channel in when.channel or ():
        if channel not in known.channels:
            yield "error", "when.channel", f"there is no channel `{channel}`; known are {_listed(known.channels)}"
    if when.time is not None and when.time.hours is not None and when.time.hours not in document.hours:
        yield "error", "when.time.hours", f"no hours are called `{when.time.hours}`"
    for role in when.role or ():
        if role is Role.VIEWER:
            yield "warning", "when.role", "viewers never act, whatever a rule says"


def _actions(rule: Rule, known: Known) -> Found:
    """Look at what a rule names. What no connector has may be an outside program's: that is a warning."""
    when = rule.when
    for connector in when.connector or ():
        if connector not in known.connectors:
            yield "warning", "when.connector", f"no connector is called `{connector}`"
    for glob in when.action or ():
        if not any(matches_glob(one.name, glob) for one in known.actions):
            mine = glob.partition(".")[0] in known.connectors
            yield "error" if mine else "warning", "when.action", f"no action fits `{glob}`"
    about = [one for one in known.actions if _is_about(when, one)]
    if rule.verdict is CallVerdict.ALLOW:
        if when.repeated:
            yield "error", "when.repeated", "no rule allows to repeat what was done once: it is always asked"
        yield from _allowed(when, about)
    elif when.arguments and not (when.action or when.connector):
        message = "every action without this argument fits too: name the action or the connector"
        yield "warning", "when.arguments", message
    takes = [one.arguments for one in about]
    for path in when.arguments or {}:
        first = path.partition(".")[0].partition("[")[0]
        if takes and all(one is not None and first not in one for one in takes):
            yield "warning", "when.arguments", f"no action that this is about takes `{first}`"


def _allowed(when: When, about: list[KnownAction]) -> Found:
    left = [one for one in about if one.risk in GRAVE]
    unnamed = sorted(
        one.name for one in left if one.risk not in (when.risk or ()) and one.name not in (when.action or ())
    )
    if unnamed and (when.action or when.connector):
        yield "warning", "when", f"does not allow {_listed(unnamed)}: name the risk, or the action in full"
    named = sorted({one.risk for one in left if one.name not in unnamed})
    if named:
        yield "warning", "verdict", f"lets {_listed(named)} pass with nobody asked"


def _is_about(when: When, action: KnownAction) -> bool:
    return (
        (when.connector is None or action.name.partition(".")[0] in when.connector)
        and (when.action is None or any(matches_glob(action.name, glob) for glob in when.action))
        and (when.risk is None or action.risk in when.risk)
        and (when.effect is None or action.effect in when.effect)
    )


def _asking(document: PolicyDocument, rule: Rule, known: Known) -> Found:
    ask = rule.ask or Ask()
    if ask.business_hours is not None and ask.business_hours not in document.hours:
        yield "error", "ask.business_hours", f"no hours are called `{ask.business_hours}`"
    parties = [need.party for stage in ask.named_stages() for need in stage.needs]
    unknown = False
    for party in [*parties, *([ask.escalate.to] if ask.escalate else [])]:
        for message in _unknown_of(document, party, known):
            unknown = True
            yield "error", "ask", message
    if ask.may_remember and set(rule.when.risk or ()) == {"admin"}:
        yield "warning", "ask.may_remember", "what is admin is never remembered"
    least = [document.least(risk) for risk in rule.when.risk or LEAST]
    if ask.assurance is not None and all(level(ask.assurance) < level(one) for one in least):
        yield "warning", "ask.assurance", f"has no effect: {min(least, key=level)} is needed anyway"
    if ask.named_stages() and not unknown:
        yield from _deciders(document, rule, ask, known)


def _unknown_of(document: PolicyDocument, party: AskedParty, known: Known) -> Iterator[str]:
    yield from (f"there is no role `{one}`" for one in party.roles if one not in set(Role))
    yield from (f"there is no group `{one}`" for one in party.groups if one not in known.groups)
    yield from (f"there is no {one} here" for one in party.users if known.called(one) is None)
    yield from (f"no rota is called `{one}`" for one in party.rotas if one not in document.rotas)


def _deciders(document: PolicyDocument, rule: Rule, ask: Ask, known: Known) -> Found:
    """See whether the consents can come together, for each person who could ask."""
    stages = ask.named_stages()
    for number, stage in enumerate(stages):
        for need in stage.needs:
            everybody = _everybody(document, need.party, known)
            if len(everybody) < need.count:
                have = f"only {len(everybody)} of them" if everybody else "nobody"
                where = f"ask.stages[{number}]" if ask.stages else "ask"
                yield "error", where, f"{need.count} {_people(need.count)} to consent, and there is {have}"
                return
    asking = list(islice((one for one in known.requesters if _may_be(rule.when, one)), MOST_TRIED))
    always = _always(document, stages, ask, known)
    stuck = [one.name for one in asking if _is_stuck(stages, always, ask, one, known)]
    if stuck and len(stuck) == len(asking):
        yield "error", "ask", "nobody could get this decided: too few people are left, without who asks"
    elif stuck:
        yield "warning", "ask", f"too few people are left to decide what {_listed(stuck)} would ask"


def _everybody(document: PolicyDocument, party: AskedParty, known: Known) -> frozenset[str]:
    """Give all who could be of a party, whoever asks."""
    found = known.of(party, _on_call(document, party))
    if party.requester:
        found |= {one.person_id for one in known.people if one.role != Role.VIEWER}
    if party.manager:
        found |= known.managers
    return found


def _on_call(document: PolicyDocument, party: AskedParty) -> frozenset[str]:
    return frozenset(person for name in party.rotas for person in document.rotas[name].people)


def _may_be(when: When, person: KnownPerson) -> bool:
    return (
        (when.user is None or any(person.is_called(one) for one in when.user))
        and (when.role is None or person.role in when.role)
        and (when.group is None or not person.groups.isdisjoint(when.group))
    )


def _always(document: PolicyDocument, stages: tuple[AskedStage, ...], ask: Ask, known: Known) -> list[frozenset[str]]:
    """Give who may give each consent, whoever asks: no more of them than could ever be needed."""
    needs = [need for stage in stages for need in stage.needs]
    enough = sum(need.count for need in needs) + 1
    more = known.of(ask.escalate.to, _on_call(document, ask.escalate.to)) if ask.escalate else frozenset()
    everybody = [known.of(need.party, _on_call(document, need.party)) | more for need in needs]
    return [frozenset(sorted(people)[:enough]) for people in everybody]


def _is_stuck(
    stages: tuple[AskedStage, ...], always: list[frozenset[str]], ask: Ask, requester: KnownPerson, known: Known
) -> bool:
    out = {requester.person_id} if ask.exclude_requester else set()
    more = known.of_requester(ask.escalate.to, requester) if ask.escalate else frozenset()
    needs = [need for stage in stages for need in stage.needs]
    seats = [
        Seats((people | more | known.of_requester(need.party, requester)) - out, need.count)
        for need, people in zip(needs, always, strict=True)
    ]
    return unfilled(seats) > 0


def _people(count: int) -> str:
    return "person has" if count == 1 else "people have"


def _listed(names: frozenset[str] | list[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return ", ".join(shown[:_NAMED]) + more
