"""The evaluation of one call: the workspace's rules, then the built-in ones, then the operation mode."""

from core.permissions import Role
from core.policy.asking import Ask
from core.policy.built_in import GRAVE, built_in_asking, built_in_ruling
from core.policy.document import PolicyDocument, Rule
from core.policy.fit import Fit
from core.policy.matching import Looked, has_effect, look
from core.policy.ruling import BUILT_IN_VERSION, Asking, CallFacts, Ruling
from core.values import CallVerdict, OperationMode, Value

_LENIENT = frozenset({"write", "external_comms"})


class Explained(Value):
    """A ruling and how it came about: each rule that was looked at; `place` of the one that gave it, from 0.

    None: the built-in rules, or the operation mode, gave it.
    """

    ruling: Ruling
    looked: tuple[Looked, ...] = ()
    place: int | None = None


def evaluate(facts: CallFacts, document: PolicyDocument | None = None, version: int = BUILT_IN_VERSION) -> Ruling:
    """Say whether a call is allowed, asked about (and how) or denied. An error while doing so denies it."""
    return explain(facts, document, version).ruling


def explain(facts: CallFacts, document: PolicyDocument | None = None, version: int = BUILT_IN_VERSION) -> Explained:
    """Do so, and say why."""
    try:
        rules = document or PolicyDocument()
        found = _by_rules(facts, rules)
        ruling = _in_mode(facts, found, rules)
    except Exception as error:  # noqa: BLE001  whatever goes wrong here must not let anything through
        rule = f"the rules could not be applied ({type(error).__name__}), so nothing is done"
        return Explained(ruling=Ruling(verdict=CallVerdict.DENY, rule=rule, policy_version=version))
    place = found.place if ruling is found.ruling else None
    ruling = ruling.model_copy(update={"policy_version": version})
    return found.model_copy(update={"ruling": ruling, "place": place})


def _by_rules(facts: CallFacts, document: PolicyDocument) -> Explained:
    """Find the first rule that applies. One that only may apply does, but a later one that denies goes before it."""
    if facts.requester_role == Role.VIEWER:
        return Explained(ruling=built_in_ruling(facts))
    looked: list[Looked] = []
    perhaps: Looked | None = None
    for place, rule in enumerate(document.rules):
        one = look(place, rule, facts, document)
        looked.append(one)
        if not one.applies or (perhaps is not None and rule.verdict is CallVerdict.ASK and one.fit is Fit.ODD):
            continue
        if rule.verdict is CallVerdict.ASK and one.fit is Fit.ODD:
            perhaps = one
            continue
        if perhaps is None or rule.verdict is CallVerdict.DENY:
            perhaps = one
        break
    if perhaps is None:
        return Explained(ruling=_built_in(facts, document), looked=tuple(looked))
    ruling = _ruling_of(document.rules[perhaps.place], facts, document)
    return Explained(ruling=ruling, looked=tuple(looked), place=perhaps.place)


def _built_in(facts: CallFacts, document: PolicyDocument) -> Ruling:
    """Give what the built-in rules say, as sure of who consents as the document wants."""
    ruling = built_in_ruling(facts)
    if ruling.asking is None:
        return ruling
    return ruling.model_copy(update={"asking": _surely(ruling.asking, facts, document)})


def _surely(asking: Asking, facts: CallFacts, document: PolicyDocument) -> Asking:
    return asking.model_copy(update={"assurance": document.least(facts.risk)})


def _ruling_of(rule: Rule, facts: CallFacts, document: PolicyDocument) -> Ruling:
    asking = _asking(rule.ask or Ask(), facts, document) if rule.verdict is CallVerdict.ASK else None
    return Ruling(verdict=rule.verdict, rule=rule.says, asking=asking)


def _asking(ask: Ask, facts: CallFacts, document: PolicyDocument) -> Asking:
    built_in = built_in_asking(facts)
    may = ask.may_remember if ask.may_remember is not None else facts.risk not in GRAVE
    may = may and facts.risk != "admin" and not facts.repeats_once_only
    return ask.asking(built_in, document.least(facts.risk), may_remember=may)


def _in_mode(facts: CallFacts, found: Explained, document: PolicyDocument) -> Ruling:
    """Let the operation mode have the last word."""
    ruling = found.ruling
    if facts.mode is OperationMode.EMERGENCY and has_effect(facts):
        return Ruling(verdict=CallVerdict.DENY, rule="emergency mode: nothing with an effect is done")
    if facts.mode is OperationMode.MANUAL and ruling.verdict is CallVerdict.ALLOW and has_effect(facts):
        rule = "manual mode: whatever has an effect is asked"
        asking = _surely(built_in_asking(facts), facts, document)
        return Ruling(verdict=CallVerdict.ASK, rule=rule, asking=asking)
    if facts.mode is OperationMode.AUTONOMOUS and found.place is None and _may_go_alone(facts, ruling):
        return Ruling(verdict=CallVerdict.ALLOW, rule=f"autonomous mode: {facts.risk} is done without asking")
    return ruling


def _may_go_alone(facts: CallFacts, ruling: Ruling) -> bool:
    asked = ruling.verdict is CallVerdict.ASK and facts.risk in _LENIENT
    return asked and not facts.untrusted and not facts.repeats_once_only
