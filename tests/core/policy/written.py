"""Policies as hypothesis writes them, and facts as they may be."""

from datetime import UTC
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from core.permissions import Role
from core.policy.document import PolicyDocument, Risk
from core.policy.ruling import CallFacts
from core.values import OperationMode

calmly = settings(deadline=None, max_examples=50)
"""A slow machine is no mistake of the rules."""
RISKS = [one.value for one in Risk]
ACTIONS = ["tasks.delete", "email.send", "bank.pay", "users.add", "x.y"]
names = st.sampled_from(["ana@x.test", "usr_1", "finance", "rest", "telegram", "cnv_1"])
arguments = st.dictionaries(
    st.sampled_from(["amount", "to", "path", "items"]),
    st.none() | st.booleans() | st.integers(-5, 500) | st.text(max_size=5) | st.lists(st.integers(0, 5), max_size=2),
    max_size=3,
)
conditions = st.sampled_from(
    [
        {"above": 100},
        {"at_most": 100},
        {"equals": 5},
        {"in": ["a", 1]},
        {"not_in": ["a"]},
        {"domain_in": ["x.test"]},
        {"under": "a/b"},
        {"exists": True},
        {"matches": "a*"},
    ]
)
whens = st.fixed_dictionaries(
    {},
    optional={
        "connector": st.sampled_from(["tasks", "email", "bank"]),
        "action": st.sampled_from([*ACTIONS, "*", "tasks.*", "?ank.*"]),
        "risk": st.lists(st.sampled_from(RISKS), min_size=1, max_size=3),
        "effect": st.sampled_from(["read", "idempotent", "at_most_once"]),
        "arguments": st.dictionaries(st.sampled_from(["amount", "to", "items[*]"]), conditions, min_size=1, max_size=2),
        "user": names,
        "role": st.sampled_from([one.value for one in Role]),
        "group": names,
        "channel": names,
        "conversation": names,
        "time": st.sampled_from([{"zone": "UTC", "days": "mon-fri"}, {"hours": "office"}, {"hours": "gone"}]),
        "mode": st.sampled_from([one.value for one in OperationMode]),
        "untrusted": st.booleans(),
        "repeated": st.booleans(),
    },
)
asks = st.fixed_dictionaries(
    {},
    optional={
        "approvers": st.sampled_from(["requester", "manager", {"role": "owner"}, [{"group": "finance"}, "requester"]]),
        "exclude_requester": st.booleans(),
        "assurance": st.sampled_from(["L1", "L2", "L3"]),
        "may_remember": st.booleans(),
        "expires": st.sampled_from(["1h", "14d"]),
    },
)


@st.composite
def rules(draw: st.DrawFn, number: int) -> dict[str, Any]:
    verdict = draw(st.sampled_from(["allow", "ask", "deny"]))
    rule = {"name": f"rule {number}", "when": draw(whens), "verdict": verdict}
    return rule | ({"ask": draw(asks)} if verdict == "ask" and draw(st.booleans()) else {})


@st.composite
def documents(draw: st.DrawFn) -> PolicyDocument:
    return PolicyDocument.model_validate(
        {
            "rules": [draw(rules(number)) for number in range(draw(st.integers(0, 5)))],
            "hours": {"office": {"zone": "Europe/Berlin", "days": "mon-fri", "from": "09:00", "to": "17:00"}},
            "assurance": draw(st.dictionaries(st.sampled_from(RISKS), st.just("L3"), max_size=2)),
        }
    )


facts = st.builds(
    CallFacts,
    action=st.sampled_from(ACTIONS),
    risk=st.sampled_from([*RISKS, "unknown"]),
    allow_reason=st.none() | st.just("harmless"),
    requester_role=st.sampled_from([one.value for one in Role]),
    repeats_once_only=st.booleans(),
    effect=st.sampled_from(["", "read", "idempotent", "at_most_once"]),
    arguments=arguments,
    requester_id=st.sampled_from(["", "usr_1", "usr_2"]),
    requester_email=st.sampled_from(["", "ana@x.test"]),
    requester_groups=st.sampled_from([(), ("finance",)]),
    door=st.sampled_from(["", "rest", "telegram"]),
    at=st.none() | st.datetimes(timezones=st.just(UTC)),
    mode=st.sampled_from(list(OperationMode)),
    untrusted=st.booleans(),
)
