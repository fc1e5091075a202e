"""Policy: what is not known to be harmless is asked; viewers never act."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.consent import Assurance
from core.permissions import Role
from core.policy import CallFacts, Ruling, evaluate
from core.policy.ruling import AskedParty
from core.values import CallVerdict

risks = st.sampled_from(["read", "write", "external_comms", "money", "destructive", "admin", "", "READ", "unknown"])
roles = st.sampled_from([*Role, "", "root"])


def facts(risk: str, role: str = "member", reason: str | None = None, *, repeats: bool = False) -> CallFacts:
    return CallFacts(action="note.x", risk=risk, allow_reason=reason, requester_role=role, repeats_once_only=repeats)


ME_OR_OWNER = AskedParty(requester=True, roles=("owner",))
OWNER = AskedParty(roles=("owner",))


def party_of(ruling: Ruling) -> AskedParty | None:
    """The one party that a ruling asks, if it asks."""
    return ruling.asking.stages[0].needs[0].party if ruling.asking else None


class TestEvaluate:
    @pytest.mark.parametrize(
        ("given_facts", "verdict", "asked"),
        [
            (facts("read"), CallVerdict.ALLOW, None),
            (facts("write", reason="harmless"), CallVerdict.ALLOW, None),
            (facts("write"), CallVerdict.ASK, ME_OR_OWNER),
            (facts("external_comms", reason="harmless"), CallVerdict.ASK, ME_OR_OWNER),
            (facts("money"), CallVerdict.ASK, ME_OR_OWNER),
            (facts("destructive"), CallVerdict.ASK, OWNER),
            (facts("destructive", "owner"), CallVerdict.ASK, OWNER),
            (facts("admin"), CallVerdict.ASK, OWNER),
            (facts("write", reason="harmless", repeats=True), CallVerdict.ASK, ME_OR_OWNER),
            (facts("anything else"), CallVerdict.ASK, ME_OR_OWNER),
            (facts("read", "viewer"), CallVerdict.DENY, None),
        ],
    )
    def test_gives_the_first_rule_that_fits(
        self, given_facts: CallFacts, verdict: CallVerdict, asked: AskedParty | None
    ):
        ruling = evaluate(given_facts)

        assert (ruling.verdict, party_of(ruling)) == (verdict, asked)
        assert ruling.rule

    @pytest.mark.parametrize(
        ("risk", "least"),
        [("write", "L1"), ("external_comms", "L2"), ("money", "L2"), ("admin", "L3"), ("anything else", "L3")],
    )
    def test_is_as_sure_of_who_consents_as_the_risk_asks_for(self, risk: str, least: str):
        asking = evaluate(facts(risk)).asking

        assert asking is not None
        assert asking.assurance == Assurance(least)

    @given(risk=risks, role=roles, reason=st.none() | st.just("harmless"), repeats=st.booleans())
    def test_allows_only_reads_and_writes_with_a_reason(self, risk: str, role: str, reason: str | None, repeats: bool):
        ruling = evaluate(facts(risk, role, reason, repeats=repeats))

        if ruling.verdict is CallVerdict.ALLOW:
            assert role != Role.VIEWER
            assert not repeats
            assert risk == "read" or (risk == "write" and reason)
        if ruling.verdict is CallVerdict.ASK:
            assert party_of(ruling) not in {None, AskedParty()}


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
