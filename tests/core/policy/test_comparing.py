"""What is different between two policies, in words."""

from core.policy.comparing import compare
from core.policy.document import PolicyDocument


def document(*names: str, **changed: dict) -> PolicyDocument:
    rules = [{"name": name, "verdict": "deny", **changed.get(name, {})} for name in names]
    return PolicyDocument.model_validate({"rules": rules})


class TestCompare:
    def test_the_same_is_no_change(self):
        assert compare(document("a", "b"), document("a", "b")) == ()

    def test_added_removed_and_moved(self):
        found = compare(document("a", "b", "c", "d"), document("d", "a", "new", "c"))

        assert [(one.kind, one.name) for one in found] == [("moved", "d"), ("added", "new"), ("removed", "b")]
        assert found[0].words == "moved from place 4 to place 1"

    def test_changed_says_what(self):
        before = document("a", a={"when": {"arguments": {"amount": {"above": 100}}, "role": "owner"}})
        after = document("a", a={"when": {"arguments": {"amount": {"above": 200}}}, "because": "more"})

        (found,) = compare(before, after)

        assert (found.kind, found.words) == (
            "changed",
            'when.arguments.amount.above: 100 -> 200; when.role: ["owner"] -> nothing; because: nothing -> more',
        )

    def test_hours_rotas_and_assurance(self):
        hours = {"zone": "UTC", "days": "mon"}
        rota = {"zone": "UTC", "starts": "2026-01-01", "shift": "7d", "people": ["a@x.test"]}
        before = PolicyDocument.model_validate({"hours": {"office": hours}, "assurance": {"money": "L2"}})
        after = PolicyDocument.model_validate(
            {"hours": {"office": hours | {"days": "tue"}}, "rotas": {"nights": rota}, "assurance": {"money": "L3"}}
        )

        assert [(one.what, one.kind, one.name) for one in compare(before, after)] == [
            ("hours", "changed", "office"),
            ("rota", "added", "nights"),
            ("assurance", "changed", "money"),
        ]
