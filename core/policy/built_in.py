"""The rules that hold where a workspace has none of its own: version 0."""

from core.consent import Assurance
from core.permissions import Role
from core.policy.ruling import Asking, CallFacts, Ruling, anybody
from core.values import CallVerdict

LEAST = {
    "write": Assurance.L1,
    "external_comms": Assurance.L2,
    "money": Assurance.L2,
    "destructive": Assurance.L2,
    "admin": Assurance.L3,
}
"""How sure we must be of who consents, by risk; what is not named needs the most."""


def evaluate(facts: CallFacts) -> Ruling:
    """Apply the built-in rules, first match wins; what no rule knows is asked, never allowed."""
    if facts.requester_role == Role.VIEWER:
        return Ruling(verdict=CallVerdict.DENY, rule="viewers do not act")
    least = LEAST.get(facts.risk, Assurance.L3)
    if facts.risk in {"destructive", "admin"}:
        owners = Asking(stages=anybody(roles=(Role.OWNER,)), assurance=least)
        return Ruling(verdict=CallVerdict.ASK, rule=f"{facts.risk} actions ask an owner", asking=owners)
    asked = Asking(
        stages=anybody(requester=True, roles=(Role.OWNER,)),
        assurance=least,
        may_remember=facts.risk in {"write", "external_comms"} and not facts.repeats_once_only,
    )
    if facts.repeats_once_only:
        return Ruling(verdict=CallVerdict.ASK, rule="what was done once is asked before it is repeated", asking=asked)
    if facts.risk == "read":
        return Ruling(verdict=CallVerdict.ALLOW, rule="reading is allowed")
    if facts.risk == "write" and facts.allow_reason:
        return Ruling(verdict=CallVerdict.ALLOW, rule=f"allowed by its manifest: {facts.allow_reason}")
    return Ruling(verdict=CallVerdict.ASK, rule="actions with effects ask the requester or an owner", asking=asked)
