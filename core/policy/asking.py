"""How a rule has people asked, as it is written: friendly outside, `core.policy.ruling.Asking` inside."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from core.consent import Assurance, OnExpiry, level
from core.policy.ruling import DAY, AskedNeed, AskedParty, AskedStage, Asking
from core.policy.times import Span
from core.values import Value

LONGEST = 14 * DAY
MOST_CONSENTS = 50
Flag = Annotated[bool, Field(strict=True)]
_SINGULAR = {"role": "roles", "group": "groups", "user": "users", "rota": "rotas"}
_FLAGS = ("requester", "manager")


def _read_party(given: Any) -> Any:
    """Take `requester`, `{group: finance}`, or a list of such; anybody of them may then consent."""
    found: dict[str, Any] = {}
    for one in given if isinstance(given, list | tuple) else [given]:
        for name, value in _entries(one):
            if name in _FLAGS:
                found[name] = value
            elif isinstance(found.get(name, ()), tuple) and isinstance(value, tuple):
                found[name] = (*found.get(name, ()), *value)
            else:
                found[name] = value
    return found


def _entries(one: Any) -> list[tuple[str, Any]]:
    if isinstance(one, AskedParty):
        one = one.model_dump(exclude_defaults=True)
    if isinstance(one, str) and one in _FLAGS:
        return [(one, True)]
    if not isinstance(one, Mapping) or not one:
        message = "approvers are `requester`, `manager`, or like {role: owner}, {group: finance}, {user: ana@x.test}"
        raise ValueError(message)
    return [(_SINGULAR.get(str(name), str(name)), _several(value)) for name, value in one.items()]


def _several(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list | tuple) else value


def _names_somebody(party: AskedParty) -> AskedParty:
    if party == AskedParty():
        message = "nobody is named here"
        raise ValueError(message)
    return party


Approvers = Annotated[AskedParty, BeforeValidator(_read_party)]
"""Anybody of these may give one consent."""
Quorum = Annotated[int, Field(strict=True, ge=1, le=50)]


class AllOf(Value):
    """One of several consents that have to come together: `{group: finance}`, perhaps with a `quorum` of its own."""

    approvers: Approvers
    quorum: Quorum = 1

    @model_validator(mode="before")
    @classmethod
    def _read_short(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given if isinstance(given, AllOf) else {"approvers": given}
        if "approvers" in given:
            return given
        party = {name: value for name, value in given.items() if name != "quorum"}
        return {"approvers": party} | ({"quorum": given["quorum"]} if "quorum" in given else {})


class Who(Value):
    """Whose consent is needed at one time: so many of `approvers`, or `all_of` several."""

    approvers: Approvers | None = None
    quorum: Quorum = 1
    all_of: Annotated[tuple[AllOf, ...], Field(max_length=8)] = ()

    def needs(self) -> tuple[AskedNeed, ...]:
        """Give it as needs; none when nobody is named."""
        if self.approvers is not None:
            return (AskedNeed(party=self.approvers, count=self.quorum),)
        return tuple(AskedNeed(party=one.approvers, count=one.quorum) for one in self.all_of)

    def check_parties(self) -> None:
        """Raise ValueError when a party is empty, or two forms are mixed."""
        if self.approvers is not None and self.all_of:
            message = "`approvers` and `all_of` exclude each other"
            raise ValueError(message)
        if self.approvers is None and self.quorum != 1:
            message = "`quorum` needs `approvers`; in `all_of` each has its own"
            raise ValueError(message)
        for need in self.needs():
            _names_somebody(need.party)


class AskStage(Who):
    """What has to come together before the next stage begins."""

    name: Annotated[str, Field(max_length=80)] = ""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        self.check_parties()
        if not self.needs():
            message = "a stage names `approvers` or `all_of`"
            raise ValueError(message)
        return self


class Escalation(Value):
    """After so long, who else may decide, and for how much longer."""

    after: Span | None = None
    to: Approvers
    for_: Span = Field(DAY, alias="for")


class Ask(Who):
    """How people are asked. Without approvers of any form, the built-in rules say who."""

    stages: Annotated[tuple[AskStage, ...], Field(max_length=8)] = ()
    exclude_requester: Flag = False
    assurance: Assurance | None = None
    reason_required: Flag = False
    comment_required: Flag = False
    expires: Span | None = None
    remind: Annotated[tuple[Span, ...], Field(max_length=20)] = ()
    escalate: Escalation | None = None
    on_expiry: OnExpiry = OnExpiry.REFUSE
    business_hours: Annotated[str, Field(max_length=80)] | None = None
    may_remember: Flag | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        self.check_parties()
        if self.stages and self.needs():
            message = "`stages` stands alone: name approvers inside the stages"
            raise ValueError(message)
        if sum(need.count for stage in self.named_stages() for need in stage.needs) > MOST_CONSENTS:
            message = f"at most {MOST_CONSENTS} consents are asked for, all stages together"
            raise ValueError(message)
        self._check_times()
        return self

    def _check_times(self) -> None:
        whole = self.expires or DAY
        more = self.escalate.for_ if self.escalate else 0.0
        if whole > LONGEST or whole + more > LONGEST:
            message = "nobody is asked for longer than 14 days, escalation included"
            raise ValueError(message)
        if self.on_expiry is OnExpiry.ESCALATE and self.escalate is None:
            message = "`on_expiry: escalate` needs `escalate: {to: ...}`"
            raise ValueError(message)
        if self.escalate is not None:
            _names_somebody(self.escalate.to)
            if self.escalate.after is None and self.on_expiry is OnExpiry.REFUSE:
                message = "`escalate` needs `after`, or `on_expiry: escalate`"
                raise ValueError(message)
        late = [one for one in (*self.remind, self.escalate.after if self.escalate else None) if one and one >= whole]
        if late:
            message = "a reminder or an escalation comes before the request expires"
            raise ValueError(message)

    def named_stages(self) -> tuple[AskedStage, ...]:
        """Give whom the rule names, stage by stage; nothing when it leaves that to the built-in rules."""
        if self.stages:
            return tuple(AskedStage(name=one.name, needs=one.needs()) for one in self.stages)
        needs = self.needs()
        return (AskedStage(needs=needs),) if needs else ()

    def asking(self, built_in: Asking, least: Assurance, *, may_remember: bool) -> Asking:
        """Give it in full: `built_in` says who where this does not, `least` how sure we must be."""
        return Asking(
            stages=self.named_stages() or built_in.stages,
            exclude_requester=self.exclude_requester,
            assurance=max(least, self.assurance or least, key=level),
            reason_required=self.reason_required,
            comment_required=self.comment_required,
            expires_seconds=self.expires,
            remind_seconds=tuple(sorted(self.remind)),
            escalate_seconds=self.escalate.after if self.escalate else None,
            escalate_to=self.escalate.to if self.escalate else None,
            escalated_seconds=self.escalate.for_ if self.escalate else DAY,
            on_expiry=self.on_expiry,
            business_hours=self.business_hours,
            may_remember=may_remember,
        )
