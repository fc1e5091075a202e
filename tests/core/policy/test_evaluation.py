"""Rules in their order, what each part of `when` is about, the operation modes, and that every doubt is against it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from core.consent import Assurance, level
from core.policy import CallFacts, PolicyDocument, Ruling, evaluate, explain
from core.policy import evaluation as evaluation_module
from core.policy.built_in import LEAST
from core.policy.ruling import AskedParty
from core.values import CallVerdict, OperationMode
from tests.core.policy import written

ALLOW, ASK, DENY = CallVerdict.ALLOW, CallVerdict.ASK, CallVerdict.DENY
MONDAY_NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOURS = {"office": {"zone": "UTC", "days": "mon-fri", "from": "09:00", "to": "17:00"}}


def document(*rules: dict[str, Any], **more: Any) -> PolicyDocument:
    named = [{"name": f"rule {number}", **rule} for number, rule in enumerate(rules, 1)]
    return PolicyDocument.model_validate({"rules": named, "hours": HOURS, **more})


def facts(**known: Any) -> CallFacts:
    usual = {
        "action": "shop.refund",
        "risk": "write",
        "effect": "at_most_once",
        "requester_role": "member",
        "requester_id": "usr_1",
        "requester_email": "ana@x.test",
        "requester_groups": ("support",),
        "door": "telegram",
        "conversation_id": "cnv_1",
        "at": MONDAY_NOON,
    }
    return CallFacts.model_validate(usual | known)


class TestWhen:
    @pytest.mark.parametrize(
        ("when", "changes", "fits"),
        [
            ({}, {}, True),
            ({"connector": "shop"}, {}, True),
            ({"connector": ["bank", "shop"]}, {}, True),
            ({"connector": "sho"}, {}, False),
            ({"action": "shop.refund"}, {}, True),
            ({"action": "shop.*"}, {}, True),
            ({"action": "shop.re?und"}, {}, True),
            ({"action": "refund"}, {}, False),
            ({"risk": "write"}, {}, True),
            ({"risk": ["money", "admin"]}, {}, False),
            ({"effect": "at_most_once"}, {}, True),
            ({"effect": "read"}, {}, False),
            ({"effect": "read"}, {"effect": ""}, None),
            ({"user": "ana@x.test"}, {}, True),
            ({"user": "Ana@X.test"}, {}, True),
            ({"user": "usr_1"}, {}, True),
            ({"user": "usr_2"}, {}, False),
            ({"user": "usr_2"}, {"requester_id": "", "requester_email": ""}, None),
            ({"role": ["member", "approver"]}, {}, True),
            ({"role": "owner"}, {}, False),
            ({"group": "support"}, {}, True),
            ({"group": "finance"}, {}, False),
            ({"channel": "telegram"}, {}, True),
            ({"channel": "web"}, {}, False),
            ({"channel": "web"}, {"door": ""}, None),
            ({"conversation": "cnv_1"}, {}, True),
            ({"conversation": "cnv_2"}, {}, False),
            ({"time": {"hours": "office"}}, {}, True),
            ({"time": {"hours": "office", "outside": True}}, {}, False),
            ({"time": {"hours": "gone"}}, {}, None),
            ({"time": {"zone": "Asia/Tokyo", "from": "21:00", "to": "22:00"}}, {}, True),
            ({"time": {"zone": "UTC", "days": "sat,sun"}}, {}, False),
            ({"time": {"hours": "office"}}, {"at": None}, None),
            ({"mode": "assisted"}, {}, True),
            ({"mode": "manual"}, {}, False),
            ({"untrusted": False}, {}, True),
            ({"untrusted": True}, {}, False),
            ({"repeated": False}, {}, True),
            ({"repeated": True}, {}, False),
            ({"arguments": {"amount": {"above": 100}}}, {"arguments": {"amount": 101}}, True),
            ({"arguments": {"amount": {"above": 100}}}, {"arguments": {"amount": 100}}, False),
            ({"arguments": {"amount": {"above": 100}}}, {"arguments": {"amount": "much"}}, None),
            ({"arguments": {"amount": {"above": 100}}}, {}, None),
            ({"connector": "shop", "role": "owner"}, {}, False),
            ({"role": "owner", "arguments": {"amount": {"above": 1}}}, {}, False),
        ],
    )
    @pytest.mark.parametrize("verdict", ["allow", "deny"])
    def test_fits_or_not_and_what_is_odd_helps_nobody(self, when, changes, fits, verdict):
        ruling = evaluate(facts(**changes), document({"when": when, "verdict": verdict}))

        applies = (verdict == "deny") if fits is None else fits
        assert (ruling.rule == "rule 1") is applies
        assert ruling.verdict is (CallVerdict(verdict) if applies else ASK)


class TestOrder:
    def test_the_first_rule_that_fits_decides(self):
        rules = document({"when": {"role": "owner"}, "verdict": "deny"}, {"verdict": "allow"}, {"verdict": "deny"})

        found = explain(facts(), rules, 7)

        assert (found.ruling.verdict, found.ruling.rule, found.ruling.policy_version) == (ALLOW, "rule 2", 7)
        assert (found.place, [one.applies for one in found.looked]) == (1, [False, True])
        assert found.looked[0].reason == "does not fit: role"

    def test_what_no_rule_is_about_the_built_in_rules_decide(self):
        found = explain(facts(risk="destructive"), document({"when": {"role": "owner"}, "verdict": "allow"}), 3)

        assert (found.ruling.verdict, found.place, found.ruling.policy_version) == (ASK, None, 3)
        assert found.ruling.rule == "destructive actions ask an owner"

    def test_a_rule_that_only_perhaps_asks_lets_a_later_one_deny(self):
        perhaps = {"when": {"arguments": {"amount": {"above": 100}}}, "verdict": "ask"}

        assert evaluate(facts(), document(perhaps, {"verdict": "deny"})).verdict is DENY
        assert evaluate(facts(), document(perhaps, {"verdict": "allow"})).rule == "rule 1"
        assert evaluate(facts(arguments={"amount": 200}), document(perhaps, {"verdict": "deny"})).verdict is ASK

    def test_because_is_said(self):
        ruling = evaluate(facts(), document({"verdict": "deny", "because": "we are closed"}))

        assert ruling.rule == "rule 1: we are closed"

    def test_an_error_denies_and_shows(self, monkeypatch):
        monkeypatch.setattr(evaluation_module, "look", lambda *_: 1 / 0)

        ruling = evaluate(facts(), document({"verdict": "allow"}), 4)

        assert (ruling.verdict, ruling.policy_version) == (DENY, 4)
        assert "ZeroDivisionError" in ruling.rule


class TestAllowing:
    @pytest.mark.parametrize(
        ("when", "changes", "verdict"),
        [
            ({}, {"risk": "money"}, ASK),
            ({"connector": "shop"}, {"risk": "money"}, ASK),
            ({"action": "shop.*"}, {"risk": "destructive"}, ASK),
            ({"action": "shop.refund"}, {"risk": "money"}, ALLOW),
            ({"risk": "money"}, {"risk": "money"}, ALLOW),
            ({"risk": ["write", "admin"]}, {"risk": "admin"}, ALLOW),
            ({}, {"repeats_once_only": True}, ASK),
            ({"repeated": True}, {"repeats_once_only": True}, ASK),
            ({}, {"untrusted": True}, ASK),
            ({}, {"untrusted": True, "risk": "read", "effect": "read"}, ALLOW),
            ({"untrusted": True}, {"untrusted": True}, ALLOW),
        ],
    )
    def test_what_is_grave_has_to_be_named(self, when, changes, verdict):
        assert evaluate(facts(**changes), document({"when": when, "verdict": "allow"})).verdict is verdict


class TestAsking:
    def asking(self, ask: dict[str, Any] | None, risk: str = "write", **more: Any):
        rule = {"verdict": "ask"} | ({} if ask is None else {"ask": ask})
        found = evaluate(facts(risk=risk), document(rule, **more)).asking
        assert found is not None
        return found

    @pytest.mark.parametrize(
        ("approvers", "party"),
        [
            ("requester", AskedParty(requester=True)),
            ("manager", AskedParty(manager=True)),
            ({"role": "owner"}, AskedParty(roles=("owner",))),
            ({"group": ["finance", "legal"]}, AskedParty(groups=("finance", "legal"))),
            ({"user": "ana@x.test"}, AskedParty(users=("ana@x.test",))),
            ({"rota": "nights"}, AskedParty(rotas=("nights",))),
            (["requester", {"role": "owner"}, {"role": "admin"}], AskedParty(requester=True, roles=("owner", "admin"))),
            ({"requester": True, "groups": ["finance"]}, AskedParty(requester=True, groups=("finance",))),
        ],
    )
    def test_names_who_may_consent(self, approvers, party):
        assert self.asking({"approvers": approvers}).stages[0].needs[0].party == party

    def test_quorum(self):
        assert self.asking({"approvers": {"group": "finance"}, "quorum": 3}).stages[0].needs[0].count == 3

    def test_all_of_several(self):
        needs = (
            self.asking({"all_of": [{"group": "finance", "quorum": 2}, {"role": "owner"}, "manager"]}).stages[0].needs
        )

        assert [(one.count, one.party) for one in needs] == [
            (2, AskedParty(groups=("finance",))),
            (1, AskedParty(roles=("owner",))),
            (1, AskedParty(manager=True)),
        ]

    def test_a_sequence_of_stages(self):
        stages = self.asking(
            {
                "stages": [
                    {"name": "money", "approvers": {"group": "finance"}},
                    {"all_of": ["manager", {"role": "owner"}]},
                ]
            }
        ).stages

        assert [(one.name, len(one.needs)) for one in stages] == [("money", 1), ("", 2)]

    def test_the_rest_is_passed_on(self):
        asking = self.asking(
            {
                "exclude_requester": True,
                "reason_required": True,
                "comment_required": True,
                "expires": "2d",
                "remind": ["8h", "2h"],
                "escalate": {"after": "1d", "to": {"role": "owner"}, "for": "12h"},
                "on_expiry": "escalate",
                "business_hours": "office",
            }
        )

        assert asking.exclude_requester
        assert asking.reason_required
        assert asking.comment_required
        assert (asking.expires_seconds, asking.remind_seconds) == (172_800, (7_200, 28_800))
        assert (asking.escalate_seconds, asking.escalated_seconds) == (86_400, 43_200)
        assert (asking.escalate_to, asking.on_expiry) == (AskedParty(roles=("owner",)), "escalate")
        assert asking.business_hours == "office"

    def test_without_approvers_the_built_in_rules_say_who(self):
        assert self.asking(None, "destructive").stages[0].needs[0].party == AskedParty(roles=("owner",))
        assert self.asking({"reason_required": True}).stages[0].needs[0].party.requester

    @pytest.mark.parametrize(
        ("risk", "stated", "offered"),
        [
            ("write", None, True),
            ("external_comms", None, True),
            ("write", False, False),
            ("money", None, False),
            ("money", True, True),
            ("destructive", None, False),
            ("admin", None, False),
            ("admin", True, False),
        ],
    )
    def test_always_allow_is_offered_where_it_may_be(self, risk, stated, offered):
        ask = {} if stated is None else {"may_remember": stated}

        assert self.asking(ask, risk).may_remember is offered

    @pytest.mark.parametrize(
        ("risk", "rule", "workspace", "needed"),
        [
            ("write", None, {}, "L1"),
            ("write", "L2", {}, "L2"),
            ("money", "L1", {}, "L2"),
            ("money", None, {"money": "L3"}, "L3"),
            ("money", "L1", {"money": "L3"}, "L3"),
            ("admin", "L1", {}, "L3"),
            ("external_comms", None, {"external_comms": "L1"}, "L1"),
        ],
    )
    def test_the_higher_assurance_holds(self, risk, rule, workspace, needed):
        ask = {} if rule is None else {"assurance": rule}

        assert self.asking(ask, risk, assurance=workspace).assurance == needed

    def test_the_workspaces_least_holds_for_the_built_in_rules_too(self):
        ruling = evaluate(facts(), document(assurance={"write": "L3"}))

        assert ruling.asking is not None
        assert ruling.asking.assurance == "L3"


class TestModes:
    @pytest.mark.parametrize(
        ("mode", "rules", "changes", "verdict"),
        [
            ("manual", [{"verdict": "allow"}], {}, ASK),
            ("manual", [{"verdict": "allow"}], {"risk": "read", "effect": "read"}, ALLOW),
            ("manual", [], {"allow_reason": "harmless"}, ASK),
            ("manual", [{"verdict": "deny"}], {}, DENY),
            ("assisted", [{"verdict": "allow"}], {}, ALLOW),
            ("autonomous", [], {}, ALLOW),
            ("autonomous", [], {"risk": "external_comms"}, ALLOW),
            ("autonomous", [], {"risk": "money"}, ASK),
            ("autonomous", [], {"risk": "destructive"}, ASK),
            ("autonomous", [], {"risk": "admin"}, ASK),
            ("autonomous", [], {"risk": "unknown"}, ASK),
            ("autonomous", [], {"untrusted": True}, ASK),
            ("autonomous", [], {"repeats_once_only": True}, ASK),
            ("autonomous", [{"verdict": "ask"}], {}, ASK),
            ("autonomous", [{"verdict": "deny"}], {}, DENY),
            ("autonomous", [], {"requester_role": "viewer"}, DENY),
            ("emergency", [{"verdict": "allow"}], {}, DENY),
            ("emergency", [{"verdict": "ask"}], {"risk": "money"}, DENY),
            ("emergency", [], {"risk": "read", "effect": "read"}, ALLOW),
            ("emergency", [], {"risk": "read", "effect": "idempotent"}, DENY),
        ],
    )
    def test_have_the_last_word(self, mode, rules, changes, verdict):
        found = explain(facts(mode=mode, **changes), document(*rules))

        assert found.ruling.verdict is verdict


class TestWhateverIsWritten:
    @written.calmly
    @given(rules=written.documents(), call=written.facts)
    def test_no_viewer_acts(self, rules, call):
        assert evaluate(call.model_copy(update={"requester_role": "viewer"}), rules).verdict is DENY

    @written.calmly
    @given(rules=written.documents(), call=written.facts)
    def test_in_an_emergency_nothing_with_an_effect_passes(self, rules, call):
        ruling = evaluate(call.model_copy(update={"mode": OperationMode.EMERGENCY}), rules)

        assert ruling.verdict is DENY or (call.risk == "read" and call.effect in {"", "read"})

    @written.calmly
    @given(rules=written.documents(), call=written.facts)
    def test_in_manual_mode_no_effect_is_unasked(self, rules, call):
        ruling = evaluate(call.model_copy(update={"mode": OperationMode.MANUAL}), rules)

        assert ruling.verdict is not ALLOW or (call.risk == "read" and call.effect in {"", "read"})

    @written.calmly
    @given(rules=written.documents(), call=written.facts)
    def test_what_is_grave_passes_only_where_a_rule_names_it(self, rules, call):
        found = explain(call, rules)

        if found.ruling.verdict is ALLOW and call.risk in {"money", "destructive", "admin", "unknown"}:
            assert found.place is not None
            when = rules.rules[found.place].when
            assert call.risk == "unknown" or call.risk in (when.risk or ()) or call.action in (when.action or ())

    @written.calmly
    @given(rules=written.documents(), call=written.facts)
    def test_nobody_consents_below_the_least_assurance(self, rules, call):
        ruling = evaluate(call, rules)

        assert (ruling.asking is not None) is (ruling.verdict is ASK)
        if ruling.asking is not None:
            assert level(ruling.asking.assurance) >= level(LEAST.get(call.risk, Assurance.L3))

    @written.calmly
    @given(rules=written.documents(), call=written.facts)
    def test_leaving_arguments_out_never_makes_it_milder(self, rules, call):
        asked = [one for rule in rules.rules for one in (rule.when.arguments or {}).values()]
        bare = evaluate(call.model_copy(update={"arguments": {}}), rules)

        assert any(one.exists for one in asked) or not evaluate(call, rules).is_stricter_than(bare.verdict)

    @written.calmly
    @given(rules=written.documents(), call=written.facts)
    def test_it_reads_back_as_the_same(self, rules, call):
        again = PolicyDocument.model_validate(rules.body())

        assert again.body() == rules.body()
        assert evaluate(call, again) == evaluate(call, rules)
        assert isinstance(evaluate(call, again), Ruling)
