"""What consent takes: who may give it, how many of them, in which order; and what they said."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from core.ids import Id
from core.values import DecisionVerdict, Value


class Assurance(StrEnum):
    """How sure we are of the person behind a click, least first: `core.consent.level` compares them.

    L1: a link in an e-mail, a code by SMS, a program's token. L2: a linked chat account, a signed-in client. L3: a
    signed-in client whose person proved who they are a moment ago.
    """

    L1 = "L1"
    L2 = "L2"
    L3 = "L3"


def level(assurance: Assurance) -> int:
    """Give the place of an assurance in their order, from 1."""
    return int(assurance.value[1:])


class Party(Value):
    """Who one consent may come from: the requester, whoever has one of `roles` or is in one of `groups`, or `users`.

    Groups and users by id; managers and rotas are users by now.
    """

    requester: bool = False
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


class Need(Value):
    """So many different people of one party."""

    party: Party
    count: int = Field(1, ge=1, le=50)


class Stage(Value):
    """What has to come together at one time: all of its needs. Nobody fills two of them."""

    name: str = ""
    needs: tuple[Need, ...] = Field(min_length=1, max_length=8)


class OnExpiry(StrEnum):
    """What happens when nobody decided in time. Never consent."""

    REFUSE = "refuse"
    ESCALATE = "escalate"


class ConsentPlan(Value):
    """How one request is decided: stages one after the other; one entitled rejection ends it.

    `exclude_requester` keeps the requester out whatever account they use. `remind_at`: instants at which whoever is
    missing is told again. At `escalate_at` (or when the time is over and `on_expiry` says so) `escalate_to` may decide
    too, for `escalated_seconds` more than the time that was left; without it nobody more.
    `may_remember`: "always allow" may be offered. `only`: of all who may consent, only these people's consents count,
    as an outside program wished; whoever may decide may still reject.
    """

    stages: tuple[Stage, ...] = Field(min_length=1, max_length=8)
    exclude_requester: bool = False
    assurance: Assurance = Assurance.L1
    comment_required: bool = False
    remind_at: tuple[datetime, ...] = ()
    escalate_at: datetime | None = None
    escalate_to: Party | None = None
    escalated_seconds: float = 0
    on_expiry: OnExpiry = OnExpiry.REFUSE
    may_remember: bool = False
    only: Party | None = None


class Decider(Value):
    """A person as the server knew them when they decided. `person_id` is the same for all accounts of one person."""

    user_id: Id
    person_id: Id
    role: str
    groups: tuple[str, ...] = ()


class Vote(Value):
    """One person's answer as it counts. `in_place_of`: whose delegation was used, as that person stood."""

    decision_id: Id
    voter: Decider
    in_place_of: Decider | None = None
    verdict: DecisionVerdict
    assurance: Assurance
    stage: int
    at: datetime


def asks(party: Party) -> ConsentPlan:
    """Give the simplest plan: anybody of one party."""
    return ConsentPlan(stages=(Stage(needs=(Need(party=party),)),))
