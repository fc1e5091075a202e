"""The rules that hold where a workspace has none of its own: version 0."""

from core.consent import Assurance
from core.permissions import Role
from core.policy.ruling import Asking, CallFacts, Ruling, anybody
from core.values import CallVerdict

LEAST = {
    "read": Assurance.L1,
    "write": Assurance.L1,
    "external_comms": Assurance.L2,
    "money": Assurance.L2,
    "destructive": Assurance.L2,
    "admin": Assurance.L3,
}
"""How sure we must be of who consents, by risk; what is not named needs the most."""
GRAVE = frozenset({"money", "destructive", "admin"})
"""Risks that no rule lets pass by the way: it names them, or their action, to allow them."""


def built_in_asking(facts: CallFacts) -> Asking:
    """Say how people are asked about such a call where no rule says so."""
    least = LEAST.get(facts.risk, Assurance.L3)
    if facts.risk in {"destructive", "admin"}:
        return Asking(stages=anybody(roles=(Role.OWNER,)), assurance=least)
    return Asking(
        stages=anybody(requester=True, roles=(Role.OWNER,)),
        assurance=least,
        may_remember=facts.risk in {"write", "external_comms"} and not facts.repeats_once_only,
    )


def built_in_ruling(facts: CallFacts) -> Ruling:
    """Apply the built-in rules, first match wins; what no rule knows is asked, never allowed."""
    asking = built_in_asking(facts)
    if facts.requester_role == Role.VIEWER:
        return Ruling(verdict=CallVerdict.DENY, rule="viewers do not act")
    if facts.risk in {"destructive", "admin"}:
        return Ruling(verdict=CallVerdict.ASK, rule=f"{facts.risk} actions ask an owner", asking=asking)
    if facts.repeats_once_only:
        return Ruling(verdict=CallVerdict.ASK, rule="what was done once is asked before it is repeated", asking=asking)
    if facts.risk == "read":
        return Ruling(verdict=CallVerdict.ALLOW, rule="reading is allowed")
    if facts.risk == "write" and facts.allow_reason:
        return Ruling(verdict=CallVerdict.ALLOW, rule=f"allowed by its manifest: {facts.allow_reason}")
    return Ruling(verdict=CallVerdict.ASK, rule="actions with effects ask the requester or an owner", asking=asking)
