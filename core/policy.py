"""Policy: the pure evaluation of one tool call. Allow, ask (whom), or deny, and the rule that said so."""

from core.messages import Approvers
from core.permissions import Role
from core.values import CallVerdict, Value

BUILT_IN_VERSION = 0
_STRICTNESS = {CallVerdict.ALLOW: 0, CallVerdict.ASK: 1, CallVerdict.DENY: 2}


class CallFacts(Value):
    """What a rule can look at."""

    action: str
    risk: str
    allow_reason: str | None
    requester_role: str
    repeats_once_only: bool = False


class Ruling(Value):
    """The verdict, the rule that gave it, and whom to ask."""

    verdict: CallVerdict
    rule: str
    approvers: Approvers = Approvers()
    policy_version: int = BUILT_IN_VERSION

    def is_stricter_than(self, verdict: CallVerdict) -> bool:
        """Whether this ruling would have refused what that verdict let through."""
        return _STRICTNESS[self.verdict] > _STRICTNESS[verdict]


def evaluate(facts: CallFacts) -> Ruling:
    """Apply the built-in rules, first match wins; what no rule knows is asked, never allowed."""
    if facts.requester_role == Role.VIEWER:
        return Ruling(verdict=CallVerdict.DENY, rule="viewers do not act")
    if facts.risk in {"destructive", "admin"}:
        owners = Approvers(roles=(Role.OWNER,))
        return Ruling(verdict=CallVerdict.ASK, rule=f"{facts.risk} actions ask an owner", approvers=owners)
    asked = Approvers(requester=True, roles=(Role.OWNER,))
    if facts.repeats_once_only:
        return Ruling(
            verdict=CallVerdict.ASK, rule="what was done once is asked before it is repeated", approvers=asked
        )
    if facts.risk == "read":
        return Ruling(verdict=CallVerdict.ALLOW, rule="reading is allowed")
    if facts.risk == "write" and facts.allow_reason:
        return Ruling(verdict=CallVerdict.ALLOW, rule=f"allowed by its manifest: {facts.allow_reason}")
    return Ruling(verdict=CallVerdict.ASK, rule="actions with effects ask the requester or an owner", approvers=asked)
