"""A workspace's rules as a document: strict, ordered, the first rule that fits says what happens."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator, model_validator

from core.consent import Assurance, level
from core.permissions import Role
from core.policy.asking import Ask, Flag
from core.policy.built_in import GRAVE, LEAST
from core.policy.conditions import Condition, check_path
from core.policy.times import Clock, Days, Hours, Rota
from core.profile import TimeZone
from core.text import SafeStr, check_not_blank
from core.values import CallVerdict, OperationMode, Value

MOST_RULES = 200


class Risk(StrEnum):
    """What an action's manifest says it may do."""

    READ = "read"
    WRITE = "write"
    EXTERNAL_COMMS = "external_comms"
    MONEY = "money"
    DESTRUCTIVE = "destructive"
    ADMIN = "admin"


def _one_or_more(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


Words = Annotated[SafeStr, StringConstraints(strip_whitespace=True, max_length=300), AfterValidator(check_not_blank)]
Name = Annotated[SafeStr, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Named = Annotated[tuple[Name, ...], BeforeValidator(_one_or_more), Field(min_length=1, max_length=200)]
Globs = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.*?-]{1,120}$")], ...],
    BeforeValidator(_one_or_more),
    Field(min_length=1, max_length=200),
]
Risks = Annotated[tuple[Risk, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
Effects = Annotated[
    tuple[Literal["read", "idempotent", "at_most_once"], ...], BeforeValidator(_one_or_more), Field(min_length=1)
]
Roles = Annotated[tuple[Role, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
Modes = Annotated[tuple[OperationMode, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
ArgumentPath = Annotated[str, StringConstraints(max_length=300), AfterValidator(check_path)]


class Times(Value):
    """When a rule holds: in (or `outside`) hours that the document names, or hours of its own."""

    hours: Name | None = None
    zone: TimeZone | None = None
    days: Days | None = None
    from_: Clock | None = Field(None, alias="from")
    to: Clock | None = None
    outside: Flag = False

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        own = self.own()
        if (self.hours is None) is (own is None):
            message = "times are `hours: NAME`, or `zone` with `days`, `from`, `to`"
            raise ValueError(message)
        return self

    def own(self) -> Hours | None:
        """Give the rule's own hours; None when it names some, or none."""
        given = {"zone": self.zone, "days": self.days, "from": self.from_, "to": self.to}
        known = {name: value for name, value in given.items() if value is not None}
        return Hours.model_validate(known) if known else None


class When(Value):
    """What a rule is about: everything that is named must fit. Lists: any of them. Nothing named: every call."""

    connector: Named | None = None
    action: Globs | None = None
    risk: Risks | None = None
    effect: Effects | None = None
    arguments: Annotated[dict[ArgumentPath, Condition], Field(min_length=1, max_length=50)] | None = None
    user: Named | None = None
    role: Roles | None = None
    group: Named | None = None
    channel: Named | None = None
    conversation: Named | None = None
    time: Times | None = None
    mode: Modes | None = None
    untrusted: Flag | None = None
    repeated: Flag | None = None

    @model_validator(mode="after")
    def _has_no_nothing(self) -> Self:
        empty = [name for name in self.model_fields_set if getattr(self, name) is None]
        if empty:
            message = f"`{min(empty)}` has no value; leave it out when it does not matter"
            raise ValueError(message)
        return self


class Rule(Value):
    """One rule: what it is about, and what happens then."""

    name: Name
    when: When = When()
    verdict: CallVerdict
    because: Words | None = None
    ask: Ask | None = None

    @model_validator(mode="after")
    def _asks_only_when_asking(self) -> Self:
        if self.ask is not None and self.verdict is not CallVerdict.ASK:
            message = f"a rule that says {self.verdict} asks nobody: leave `ask` out"
            raise ValueError(message)
        return self

    @property
    def says(self) -> str:
        """The rule in the words that people are shown."""
        return f"{self.name}: {self.because}" if self.because else self.name


class PolicyDocument(Value):
    """All of a workspace's rules, in their order. What no rule is about, the built-in rules decide.

    `assurance`: how sure we must be, at least, of who consents to a risk, whatever a rule says.
    """

    rules: Annotated[tuple[Rule, ...], Field(max_length=MOST_RULES)] = ()
    hours: Annotated[dict[Name, Hours], Field(max_length=50)] = Field(default_factory=dict)
    rotas: Annotated[dict[Name, Rota], Field(max_length=50)] = Field(default_factory=dict)
    assurance: dict[Risk, Assurance] = Field(default_factory=dict)

    @field_validator("rules")
    @classmethod
    def _names_differ(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        names = [rule.name for rule in rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"two rules are called `{twice[0]}`"
            raise ValueError(message)
        return rules

    @field_validator("assurance")
    @classmethod
    def _only_raises(cls, given: Mapping[Risk, Assurance]) -> Mapping[Risk, Assurance]:
        for risk, least in given.items():
            if risk in GRAVE and level(least) < level(LEAST[risk]):
                message = f"{risk} needs {LEAST[risk]} at least: it can only be raised"
                raise ValueError(message)
        return given

    def least(self, risk: str) -> Assurance:
        """Give how sure we must be, at least, of who consents to such a risk."""
        built_in = LEAST.get(risk, Assurance.L3)
        if risk not in set(Risk):
            return built_in
        chosen = self.assurance.get(Risk(risk), built_in)
        return max(chosen, built_in, key=level) if risk in GRAVE else chosen

    def body(self) -> dict[str, Any]:
        """Give it as JSON, with what was said and nothing more; it reads back as the same document."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)
