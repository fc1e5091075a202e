"""The reducer of an approval under any order of votes, expiry and withdrawal, by a clock that the test turns."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core.consent import ConsentPlan, Need, OnExpiry, Party, Stage
from core.ids import derived_id
from core.messages import ApprovalInput, ApprovalOutcome, Approvers, DecisionMade
from core.values import ApprovalState, DecisionVerdict
from workflows import approval_rules

REQUESTER = derived_id("usr", "requester")
PEOPLE = {
    REQUESTER: "member",
    derived_id("usr", "owner"): "owner",
    derived_id("usr", "other"): "member",
    derived_id("usr", "viewer"): "viewer",
}
DIGEST, OTHER = "d" * 64, "e" * 64
START = datetime(2026, 1, 1, tzinfo=UTC)
LIFE = timedelta(seconds=10)
entitlements = st.sampled_from(
    [Approvers(roles=("owner",)), Approvers(requester=True, roles=("owner",)), Approvers(requester=True), Approvers()]
)


class Consent(RuleBasedStateMachine):
    """Keeps its own, simpler account of what must have come of it."""

    @initialize(approvers=entitlements)
    def ask(self, approvers: Approvers):
        self.now = START
        self.approvers = approvers
        self.standing = approval_rules.begin(
            ApprovalInput(
                approval_id=derived_id("apr", "one"),
                requester_id=REQUESTER,
                approvers=approvers,
                digest=DIGEST,
                expires_at=START + LIFE,
            )
        )
        self.first: ApprovalOutcome | None = None
        self.counted: list[tuple[datetime, DecisionMade]] = []

    @rule(seconds=st.sampled_from([0, 0.001, 1, 4.999, 5, 10]))
    def wait(self, seconds: float):
        self.now += timedelta(seconds=seconds)

    @rule()
    def wait_until_the_very_end(self):
        self.now = max(self.now, START + LIFE)

    @rule(
        person=st.sampled_from(sorted(PEOPLE)),
        verdict=st.sampled_from(DecisionVerdict),
        digest=st.sampled_from([DIGEST, DIGEST, OTHER]),
        checked=st.booleans(),
    )
    def vote(self, person: str, verdict: DecisionVerdict, digest: str, checked: bool):
        decision = DecisionMade(
            decision_id=derived_id("dec", len(self.counted), person, self.now.isoformat()),
            user_id=person,
            role=PEOPLE[person],
            verdict=verdict,
            digest=digest,
        )
        refusal = approval_rules.refusal(self.standing, decision, self.now)
        counts = self._counts(decision)
        assert (refusal is None) == counts
        if refusal is None or not checked:  # even a caller that forgot to ask changes nothing it may not
            self.standing = approval_rules.decide(self.standing, decision, self.now)
        if counts:
            self.counted.append((self.now, decision))

    def _counts(self, decision: DecisionMade) -> bool:
        entitled = (decision.role == "owner" and "owner" in self.approvers.roles) or (
            self.approvers.requester and decision.user_id == REQUESTER
        )
        in_time = self.now < START + LIFE
        return self.standing.is_open and in_time and entitled and decision.digest == DIGEST

    @rule()
    def timer_fires(self):
        self.standing = approval_rules.expire(self.standing, self.now)

    @rule(person=st.sampled_from([None, *sorted(PEOPLE)]))
    def stop(self, person: str | None):
        self.standing = approval_rules.withdraw(self.standing, person, self.now)

    @invariant()
    def the_first_outcome_stands(self):
        if getattr(self, "standing", None) is None:
            return
        if self.first is None:
            self.first = self.standing.outcome
        assert self.standing.outcome == self.first

    @invariant()
    def an_answer_comes_only_of_a_vote_that_counts(self):
        if getattr(self, "first", None) is None:
            return
        assert self.first is not None
        assert self.first.digest == DIGEST
        if self.first.state in {ApprovalState.APPROVED, ApprovalState.REJECTED}:
            ((at, decision),) = self.counted
            assert at < START + LIFE
            assert (self.first.decision_id, self.first.user_id) == (decision.decision_id, decision.user_id)
            assert (self.first.state == ApprovalState.APPROVED) == (decision.verdict == DecisionVerdict.APPROVE)
        else:
            assert self.counted == []
        if self.first.state == ApprovalState.EXPIRED:
            assert self.first.at is not None
            assert self.first.at >= START + LIFE


TestConsent = Consent.TestCase
TestConsent.settings = settings(max_examples=100, stateful_step_count=15, deadline=None)


class TestTie:
    def test_expiry_wins_it(self):
        request = ApprovalInput(
            approval_id=derived_id("apr", "one"),
            requester_id=REQUESTER,
            approvers=Approvers(requester=True),
            digest=DIGEST,
            expires_at=START + LIFE,
        )
        decision = DecisionMade(
            decision_id=derived_id("dec", 1),
            user_id=REQUESTER,
            role="member",
            verdict=DecisionVerdict.APPROVE,
            digest=DIGEST,
        )
        standing = approval_rules.begin(request)
        moment = START + LIFE

        assert approval_rules.refusal(standing, decision, moment) == "expired"
        assert approval_rules.refusal(standing, decision, moment - timedelta(microseconds=1)) is None
        late = approval_rules.decide(standing, decision, moment)
        assert late == standing
        outcome = approval_rules.expire(late, moment).outcome
        assert outcome is not None
        assert outcome.state == "expired"


def days(count: float) -> timedelta:
    return timedelta(days=count)


class TestLongTimes:
    """Fourteen days, by a clock that the test turns."""

    def request(self, **plan: object) -> ApprovalInput:
        stages = (Stage(needs=(Need(party=Party(roles=("owner",))),)),)
        return ApprovalInput(
            approval_id=derived_id("apr", "one"),
            requester_id=REQUESTER,
            digest=DIGEST,
            expires_at=START + days(14),
            plan=ConsentPlan(stages=stages, **plan),  # type: ignore[arg-type]
        )

    def decision(self, role: str) -> DecisionMade:
        return DecisionMade(
            decision_id=derived_id("dec", role),
            user_id=derived_id("usr", role),
            role=role,
            verdict=DecisionVerdict.APPROVE,
            digest=DIGEST,
        )

    def test_each_reminder_comes_once_in_whatever_order_they_are_written(self):
        standing = approval_rules.begin(self.request(remind_at=(START + days(7), START + days(1), START + days(13))))
        reminded = []
        while standing.is_open:
            at = approval_rules.next_at(standing)
            before, standing = standing, approval_rules.tick(standing, at)
            reminded += [at - START] * (standing.reminded - before.reminded)

        assert reminded == [days(1), days(7), days(13)]
        assert standing.outcome is not None
        assert (standing.outcome.state, standing.outcome.at) == (ApprovalState.EXPIRED, START + days(14))

    def test_those_missed_while_everything_was_down_are_one(self):
        standing = approval_rules.begin(self.request(remind_at=(START + days(1), START + days(2))))

        late = approval_rules.tick(standing, START + days(3))

        assert late.reminded == 2
        assert approval_rules.next_at(late) == START + days(14)

    def test_escalation_adds_its_time_to_what_was_left(self):
        plan = {"escalate_at": START + days(3), "escalate_to": Party(roles=("admin",)), "escalated_seconds": 86_400}
        standing = approval_rules.begin(self.request(**plan))
        admin = self.decision("admin")

        assert approval_rules.refusal(standing, admin, START + days(2.9)) == "not_allowed"
        escalated = approval_rules.tick(standing, START + days(3))
        assert (escalated.escalated, escalated.expires_at) == (True, START + days(15))
        assert approval_rules.refusal(escalated, admin, START + days(14.5)) is None
        assert approval_rules.refusal(escalated, admin, START + days(15)) == "expired"

    def test_whom_it_is_escalated_to_may_decide_though_the_timer_is_late(self):
        plan = {"on_expiry": OnExpiry.ESCALATE, "escalate_to": Party(roles=("admin",)), "escalated_seconds": 60}
        standing = approval_rules.begin(self.request(**plan))

        decided = approval_rules.decide(standing, self.decision("admin"), START + days(14))

        assert decided.outcome is not None
        assert decided.outcome.state is ApprovalState.APPROVED
        assert decided.outcome.escalated_until == START + days(14) + timedelta(seconds=60)

    def test_that_was_missed_altogether_is_no_consent(self):
        plan = {"escalate_at": START + days(3), "escalate_to": Party(roles=("admin",)), "escalated_seconds": 60}
        standing = approval_rules.begin(self.request(**plan))

        over = approval_rules.tick(standing, START + days(20))

        assert over.outcome is not None
        assert over.outcome.state is ApprovalState.EXPIRED
        assert approval_rules.decide(over, self.decision("owner"), START + days(20)) == over
