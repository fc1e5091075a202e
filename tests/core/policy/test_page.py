"""What docs/policy.md shows can be saved, and says what it says."""

import re
from pathlib import Path

import pytest

from core.policy.asking import Ask
from core.policy.checking import check
from core.policy.conditions import Condition
from core.policy.document import PolicyDocument, When
from core.policy.evaluation import evaluate
from core.policy.known import Known, KnownAction, KnownPerson
from core.policy.reading import read_yaml
from core.policy.ruling import CallFacts

PAGE = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def person(name: str, role: str, *groups: str) -> KnownPerson:
    return KnownPerson(
        id=name,
        email=f"{name}@example.com",
        name=name,
        role=role,
        person_id=name,
        manager_id="dan",
        groups=frozenset(groups),
    )


KNOWN = Known(
    people=(
        person("ana", "owner"),
        person("ben", "approver", "finance"),
        person("cleo", "approver", "finance"),
        person("dan", "approver", "finance"),
    ),
    groups=frozenset({"finance", "robots"}),
    actions=tuple(
        KnownAction(name=name, risk=risk, effect=effect)
        for name, risk, effect in (
            ("bank.refund", "money", "at_most_once"),
            ("bank.pay", "money", "at_most_once"),
            ("email.send", "external_comms", "at_most_once"),
            ("files.read", "read", "read"),
        )
    ),
    channels=frozenset({"api"}),
)


@pytest.fixture
def example() -> PolicyDocument:
    (text,) = EXAMPLES
    return read_yaml(text)


class TestPage:
    def test_its_example_can_be_saved(self, example):
        assert [one for one in check(example, KNOWN) if one.severity == "error"] == []

    @pytest.mark.parametrize(
        ("action", "risk", "arguments", "verdict", "rule"),
        [
            ("bank.refund", "money", {"amount": 40, "currency": "EUR", "to": "X"}, "allow", "small refunds"),
            ("bank.refund", "money", {"amount": 60, "currency": "EUR", "to": "X"}, "ask", "refunds"),
            ("bank.refund", "money", {"amount": "many", "currency": "EUR", "to": "X"}, "ask", "refunds"),
            ("bank.refund", "money", {"amount": 4, "currency": "EUR", "to": "DE00 1234"}, "deny", "frozen accounts"),
            ("bank.refund", "money", {"amount": 4, "currency": "EUR"}, "deny", "frozen accounts"),
            ("bank.pay", "money", {"amount": 20_000, "to": "X"}, "ask", "large payments"),
            ("email.send", "external_comms", {"to": "b@example.com", "subject": "", "body": "x"}, "allow", "mail to"),
            ("email.send", "external_comms", {"to": "b@x.test", "subject": "", "body": "x"}, "deny", "no mail"),
            ("files.read", "read", {"path": "invoices/2026/1.pdf"}, "allow", "invoices may be read"),
        ],
    )
    def test_its_example_says_what_it_says(self, example, action, risk, arguments, verdict, rule):
        effect = "read" if risk == "read" else "at_most_once"
        facts = CallFacts(action=action, risk=risk, effect=effect, requester_role="member", arguments=arguments)

        ruling = evaluate(facts, example)

        assert ruling.verdict == verdict
        assert ruling.rule.startswith(rule)

    @pytest.mark.parametrize("model", [When, Condition, Ask])
    def test_it_names_every_key(self, model):
        names = {field.alias or name for name, field in model.model_fields.items()}

        assert {name for name in names if f"`{name}`" not in PAGE and f"`{name}:" not in PAGE} == set()
