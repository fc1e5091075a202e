"""What is noticed when a policy is saved: rules never reached, people who are missing, names that mean nothing."""

from typing import Any

import pytest
from hypothesis import given

from core.policy.checking import check, refuses
from core.policy.comparing import compare
from core.policy.document import PolicyDocument
from core.policy.known import Known, KnownAction, KnownPerson
from tests.core.policy import written


def person(name: str, role: str = "member", *groups: str, **more: Any) -> KnownPerson:
    known = {"id": f"usr_{name}", "email": f"{name}@x.test", "name": name, "role": role, "person_id": f"usr_{name}"}
    return KnownPerson.model_validate({**known, "groups": frozenset(groups), **more})


KNOWN = Known(
    people=(
        person("ana", "owner"),
        person("ben", "approver", "finance", manager_id="usr_ana"),
        person("cleo", "member", "finance", manager_id="usr_ana"),
        person("dan", "member", "support"),
        person("dan2", "member", "support", person_id="usr_dan"),
    ),
    programs=(person("robot", "member", "support"),),
    groups=frozenset({"finance", "support", "empty"}),
    actions=(
        KnownAction(name="tasks.add", risk="write", effect="idempotent", arguments=frozenset({"title"})),
        KnownAction(name="tasks.delete", risk="destructive", effect="idempotent", arguments=frozenset({"id"})),
        KnownAction(name="bank.pay", risk="money", effect="at_most_once", arguments=frozenset({"amount", "to"})),
    ),
    channels=frozenset({"rest", "web", "telegram"}),
)
ROTA = {"zone": "UTC", "starts": "2026-01-01", "shift": "7d", "people": ["ana@x.test"]}


def problems(*rules: dict[str, Any], **more: Any) -> list[tuple[str, str, str]]:
    named = [{"name": f"rule {number}", **rule} for number, rule in enumerate(rules, 1)]
    found = check(PolicyDocument.model_validate({"rules": named, **more}), KNOWN)
    return [(one.severity, one.where, one.message) for one in found]


class TestUnreachable:
    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({}, {}),
            ({}, {"role": "owner"}),
            ({"role": ["owner", "admin"]}, {"role": "owner"}),
            ({"action": "tasks.*"}, {"action": "tasks.delete"}),
            ({"action": "*"}, {"action": ["tasks.*", "bank.pay"]}),
            ({"connector": "tasks"}, {"action": "tasks.delete"}),
            ({"arguments": {"amount": {"above": 5}}}, {"arguments": {"amount": {"above": 5, "below": 9}}}),
            ({"time": {"zone": "UTC", "days": "mon"}}, {"time": {"zone": "UTC", "days": "mon"}, "role": "owner"}),
        ],
    )
    def test_a_rule_after_one_that_is_about_all_of_it_is_an_error(self, first, second):
        found = problems({"when": first, "verdict": "ask"}, {"when": second, "verdict": "deny"})

        assert next(one for one in found if "never reached" in one[2])[:2] == ("error", "rules[1]")

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({"role": "owner"}, {}),
            ({"role": "owner"}, {"role": ["owner", "admin"]}),
            ({"action": "tasks.delete"}, {"action": "tasks.*"}),
            ({"connector": "tasks"}, {"action": "*"}),
            ({"action": "tasks.?elete"}, {"action": "tasks.*elete"}),
            ({"arguments": {"amount": {"above": 5}}}, {"arguments": {"amount": {"above": 4}}}),
            ({"mode": "manual"}, {"untrusted": True}),
        ],
    )
    def test_a_rule_with_something_left_is_none(self, first, second):
        found = problems({"when": first, "verdict": "ask"}, {"when": second, "verdict": "deny"})

        assert [one for one in found if "never reached" in one[2]] == []

    @pytest.mark.parametrize("second", [{"risk": "money"}, {"repeated": True}, {"untrusted": True}])
    def test_an_allowing_rule_leaves_what_it_does_not_name(self, second):
        found = problems({"verdict": "allow"}, {"when": second, "verdict": "deny"})

        assert [one for one in found if "never reached" in one[2]] == []


class TestPeople:
    @pytest.mark.parametrize(
        ("ask", "severity"),
        [
            ({"approvers": {"group": "finance"}, "quorum": 2}, None),
            ({"approvers": {"group": "finance"}, "quorum": 3}, "error"),
            ({"approvers": {"group": "support"}, "quorum": 2}, "error"),
            ({"approvers": {"group": "empty"}}, "error"),
            ({"approvers": [{"group": "empty"}, {"role": "owner"}]}, None),
            ({"approvers": {"group": "finance"}, "quorum": 2, "exclude_requester": True}, "warning"),
            ({"approvers": {"role": "owner"}, "exclude_requester": True}, "warning"),
            ({"approvers": "requester", "exclude_requester": True}, "error"),
            ({"approvers": "requester"}, "warning"),
            ({"approvers": "manager"}, "warning"),
            ({"all_of": [{"role": "owner"}, {"user": "ana@x.test"}]}, "error"),
            ({"all_of": [{"role": "owner"}, {"group": "finance"}]}, None),
            ({"stages": [{"approvers": {"role": "owner"}}, {"approvers": {"role": "owner"}}]}, "error"),
            ({"approvers": {"rota": "nights"}}, None),
            (
                {
                    "approvers": "manager",
                    "escalate": {"after": "1h", "to": {"role": ["owner", "approver"]}},
                },
                None,
            ),
        ],
    )
    def test_too_few_are_noticed(self, ask, severity):
        found = problems({"when": {"risk": "money"}, "verdict": "ask", "ask": ask}, rotas={"nights": ROTA})

        assert {one[0] for one in found} == ({severity} if severity else set())

    def test_who_asks_is_looked_at_where_a_rule_names_them(self):
        ask = {"approvers": {"role": "owner"}, "exclude_requester": True}

        found = problems({"when": {"role": "owner"}, "verdict": "ask", "ask": ask})

        assert found[0][0] == "error"


class TestAnything:
    @written.calmly
    @given(rules=written.documents(), other=written.documents())
    def test_is_checked_and_compared(self, rules, other):
        assert all(one.message for one in check(rules, KNOWN))
        assert (compare(rules, other) == ()) is (rules.body() == other.body())


class TestNames:
    @pytest.mark.parametrize(
        ("rule", "severity", "where"),
        [
            ({"when": {"user": "eve@x.test"}, "verdict": "deny"}, "error", "rules[0].when.user"),
            ({"when": {"group": "sales"}, "verdict": "deny"}, "error", "rules[0].when.group"),
            ({"when": {"channel": "pigeon"}, "verdict": "deny"}, "error", "rules[0].when.channel"),
            ({"when": {"time": {"hours": "late"}}, "verdict": "deny"}, "error", "rules[0].when.time.hours"),
            ({"when": {"role": "viewer"}, "verdict": "deny"}, "warning", "rules[0].when.role"),
            ({"when": {"repeated": True}, "verdict": "allow"}, "error", "rules[0].when.repeated"),
            ({"when": {"action": "tasks.delte"}, "verdict": "deny"}, "error", "rules[0].when.action"),
            ({"when": {"action": "ship.deploy"}, "verdict": "deny"}, "warning", "rules[0].when.action"),
            ({"when": {"connector": "ship"}, "verdict": "deny"}, "warning", "rules[0].when.connector"),
            ({"when": {"arguments": {"amount": 1}}, "verdict": "deny"}, "warning", "rules[0].when.arguments"),
            (
                {"when": {"action": "bank.pay", "arguments": {"sum": 1}}, "verdict": "deny"},
                "warning",
                "rules[0].when.arguments",
            ),
            ({"when": {"connector": "bank"}, "verdict": "allow"}, "warning", "rules[0].when"),
            ({"when": {"action": "bank.pay"}, "verdict": "allow"}, "warning", "rules[0].verdict"),
            ({"verdict": "ask", "ask": {"approvers": {"role": "boss"}}}, "error", "rules[0].ask"),
            ({"verdict": "ask", "ask": {"approvers": {"group": "sales"}}}, "error", "rules[0].ask"),
            ({"verdict": "ask", "ask": {"approvers": {"user": "eve@x.test"}}}, "error", "rules[0].ask"),
            ({"verdict": "ask", "ask": {"approvers": {"user": "robot@x.test"}}}, "error", "rules[0].ask"),
            ({"verdict": "ask", "ask": {"approvers": {"rota": "nights"}}}, "error", "rules[0].ask"),
            ({"verdict": "ask", "ask": {"business_hours": "late"}}, "error", "rules[0].ask.business_hours"),
            (
                {"when": {"risk": "admin"}, "verdict": "ask", "ask": {"assurance": "L1"}},
                "warning",
                "rules[0].ask.assurance",
            ),
            (
                {"when": {"risk": "admin"}, "verdict": "ask", "ask": {"may_remember": True}},
                "warning",
                "rules[0].ask.may_remember",
            ),
        ],
    )
    def test_what_means_nothing_is_noticed(self, rule, severity, where):
        assert (severity, where) in [one[:2] for one in problems(rule)]

    def test_a_rota_has_people_who_are_here(self):
        rota = {**ROTA, "people": ["eve@x.test"]}

        assert problems(rotas={"nights": rota}) == [("error", "rotas.nights", "there is no eve@x.test here")]

    def test_errors_come_first_and_refuse(self):
        rules = PolicyDocument.model_validate(
            {
                "rules": [
                    {"name": "a", "when": {"connector": "ship"}, "verdict": "deny"},
                    {"name": "b", "when": {"group": "sales"}, "verdict": "deny"},
                ]
            }
        )

        found = check(rules, KNOWN)

        assert [(one.severity, one.rule) for one in found] == [("error", "b"), ("warning", "a")]
        assert refuses(found)
        assert not refuses(found[1:])
