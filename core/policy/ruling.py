"""What policy looks at, and what it says: allow, ask (how) or deny, and the rule that said so."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from core.consent import Assurance, OnExpiry
from core.values import CallVerdict, OperationMode, Value

BUILT_IN_VERSION = 0
_STRICTNESS = {CallVerdict.ALLOW: 0, CallVerdict.ASK: 1, CallVerdict.DENY: 2}
DAY = 86_400.0


class CallFacts(Value):
    """What a rule can look at. `requester_groups` by name; `at` is aware; `untrusted`: the turn read outsiders' words.

    `door` is the channel that the message came through. `effect` and `arguments` are as the call would run.
    """

    action: str
    risk: str
    allow_reason: str | None = None
    requester_role: str
    repeats_once_only: bool = False
    effect: str = ""
    arguments: Mapping[str, Any] = Field(default_factory=dict)
    requester_id: str = ""
    requester_email: str = ""
    requester_groups: tuple[str, ...] = ()
    door: str = ""
    conversation_id: str = ""
    at: datetime | None = None
    mode: OperationMode = OperationMode.ASSISTED
    untrusted: bool = False

    @property
    def connector(self) -> str:
        """The connector's id."""
        return self.action.partition(".")[0]


class AskedParty(Value):
    """Who may give one consent, as a rule says it: groups and rotas by name, users by e-mail address or id."""

    requester: bool = False
    manager: bool = False
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    rotas: tuple[str, ...] = ()


class AskedNeed(Value):
    """So many different people of one party."""

    party: AskedParty
    count: int = Field(1, ge=1, le=50)


class AskedStage(Value):
    """What has to come together at one time."""

    name: str = ""
    needs: tuple[AskedNeed, ...] = Field(min_length=1, max_length=8)


class Asking(Value):
    """How a rule has people asked, before anybody is looked up; times in seconds from the asking.

    `business_hours` names hours of the policy document in which alone the times pass.
    """

    stages: tuple[AskedStage, ...] = Field(min_length=1, max_length=8)
    exclude_requester: bool = False
    assurance: Assurance = Assurance.L1
    reason_required: bool = False
    comment_required: bool = False
    expires_seconds: float | None = Field(None, gt=0, le=14 * DAY)
    remind_seconds: tuple[float, ...] = ()
    escalate_seconds: float | None = None
    escalate_to: AskedParty | None = None
    escalated_seconds: float = DAY
    on_expiry: OnExpiry = OnExpiry.REFUSE
    business_hours: str | None = None
    may_remember: bool = False


class Ruling(Value):
    """The verdict, the rule that gave it, and how to ask if it says so."""

    verdict: CallVerdict
    rule: str
    asking: Asking | None = None
    policy_version: int = BUILT_IN_VERSION

    def is_stricter_than(self, verdict: CallVerdict) -> bool:
        """Whether this ruling would have refused what that verdict let through."""
        return _STRICTNESS[self.verdict] > _STRICTNESS[verdict]


def anybody(*, requester: bool = False, roles: tuple[str, ...] = ()) -> tuple[AskedStage, ...]:
    """Give the simplest stages: one consent of one party."""
    return (AskedStage(needs=(AskedNeed(party=AskedParty(requester=requester, roles=roles)),)),)
