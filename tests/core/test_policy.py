"""Policy: what is not known to be harmless is asked; viewers never act."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messages import Approvers
from core.permissions import Role
from core.policy import CallFacts, Ruling, evaluate
from core.values import CallVerdict

risks = st.sampled_from(["read", "write", "external_comms", "money", "destructive", "admin", "", "READ", "unknown"])
roles = st.sampled_from([*Role, "", "root"])


def facts(risk: str, role: str = "member", reason: str | None = None, *, repeats: bool = False) -> CallFacts:
    return CallFacts(action="note.x", risk=risk, allow_reason=reason, requester_role=role, repeats_once_only=repeats)


class TestEvaluate:
    @pytest.mark.parametrize(
        ("given_facts", "verdict", "approvers"),
        [
            (facts("read"), CallVerdict.ALLOW, Approvers()),
            (facts("write", reason="harmless"), CallVerdict.ALLOW, Approvers()),
            (facts("write"), CallVerdict.ASK, Approvers(requester=True, roles=("owner",))),
            (facts("external_comms", reason="harmless"), CallVerdict.ASK, Approvers(requester=True, roles=("owner",))),
            (facts("money"), CallVerdict.ASK, Approvers(requester=True, roles=("owner",))),
            (facts("destructive"), CallVerdict.ASK, Approvers(roles=("owner",))),
            (facts("destructive", "owner"), CallVerdict.ASK, Approvers(roles=("owner",))),
            (facts("admin"), CallVerdict.ASK, Approvers(roles=("owner",))),
            (
                facts("write", reason="harmless", repeats=True),
                CallVerdict.ASK,
                Approvers(requester=True, roles=("owner",)),
            ),
            (facts("anything else"), CallVerdict.ASK, Approvers(requester=True, roles=("owner",))),
            (facts("read", "viewer"), CallVerdict.DENY, Approvers()),
        ],
    )
    def test_gives_the_first_rule_that_fits(self, given_facts: CallFacts, verdict: CallVerdict, approvers: Approvers):
        ruling = evaluate(given_facts)

        assert (ruling.verdict, ruling.approvers) == (verdict, approvers)
        assert ruling.rule

    @given(risk=risks, role=roles, reason=st.none() | st.just("harmless"), repeats=st.booleans())
    def test_allows_only_reads_and_writes_with_a_reason(self, risk: str, role: str, reason: str | None, repeats: bool):
        ruling = evaluate(facts(risk, role, reason, repeats=repeats))

        if ruling.verdict is CallVerdict.ALLOW:
            assert role != Role.VIEWER
            assert not repeats
            assert risk == "read" or (risk == "write" and reason)
        if ruling.verdict is CallVerdict.ASK:
            assert ruling.approvers != Approvers()


class TestStricter:
    @pytest.mark.parametrize(
        ("now", "then", "expected"),
        [
            (CallVerdict.ASK, CallVerdict.ALLOW, True),
            (CallVerdict.DENY, CallVerdict.ASK, True),
            (CallVerdict.ASK, CallVerdict.ASK, False),
            (CallVerdict.ALLOW, CallVerdict.ASK, False),
        ],
    )
    def test_is_what_would_have_refused(self, now: CallVerdict, then: CallVerdict, expected: bool):
        assert Ruling(verdict=now, rule="r").is_stricter_than(then) is expected


class TestApprovers:
    def test_include_the_requester_only_when_named(self):
        assert Approvers(requester=True).include("me", "member", "me")
        assert not Approvers(requester=True).include("you", "owner", "me")
        assert not Approvers(roles=("owner",)).include("me", "member", "me")
        assert not Approvers().include("me", "owner", "me")
