"""The whole life of an approval in any order: one terminal state, one execution at most, none without its quorum.

The oracle keeps its own account and tries every way of giving votes to what is needed; it shares no code with the
reducer. Crashes are replays: the same story told again gives the same standing.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.consent import Assurance, ConsentPlan, Decider, Need, OnExpiry, Party, Stage, Vote
from core.ids import derived_id
from core.messages import ApprovalInput, ApprovalOutcome, DecisionMade, Revised
from core.values import ApprovalState, DecisionVerdict
from workflows import approval_rules
from workflows.approval_rules import Standing

START = datetime(2026, 1, 1, tzinfo=UTC)
LIFE, MORE = timedelta(seconds=100), timedelta(seconds=50)
ACCOUNTS = {"req": "req", "req2": "req", "ana": "ana", "ana2": "ana", "bo": "bo", "cy": "cy", "di": "di"}
"""Each account, and the person behind it."""
GROUPS = ("ops", "money")


def an_id(name: str) -> str:
    return derived_id("usr", name)


NAME_OF = {an_id(name): name for name in ACCOUNTS}
parties = st.sampled_from(
    [
        Party(requester=True),
        Party(roles=("owner",)),
        Party(roles=("owner", "approver")),
        Party(groups=("ops",)),
        Party(groups=("ops", "money")),
        Party(users=(an_id("bo"), an_id("cy"))),
    ]
)
needs = st.builds(Need, party=parties, count=st.integers(1, 2))
stages = st.builds(Stage, needs=st.lists(needs, min_size=1, max_size=2).map(tuple))
plans = st.builds(
    ConsentPlan,
    stages=st.lists(stages, min_size=1, max_size=2).map(tuple),
    exclude_requester=st.booleans(),
    assurance=st.sampled_from([Assurance.L1, Assurance.L2]),
    comment_required=st.booleans(),
    remind_at=st.sampled_from([(), (START + LIFE / 2,), (START + LIFE / 2, START + LIFE / 4)]),
    escalate_at=st.sampled_from([None, START + LIFE / 2]),
    escalate_to=st.sampled_from([None, Party(roles=("admin",)), Party(users=(an_id("di"),))]),
    escalated_seconds=st.sampled_from([0, MORE.total_seconds()]),
    on_expiry=st.sampled_from(OnExpiry),
)


@dataclass
class Account:
    """What the directory says of an account now."""

    role: str = "member"
    groups: frozenset[str] = frozenset()
    is_here: bool = True


def is_of(party: Party, name: str, accounts: dict[str, Account]) -> bool:
    """The oracle's own reading of a party."""
    account = accounts[name]
    by_right = account.role in party.roles or bool(account.groups & set(party.groups)) or an_id(name) in party.users
    return by_right or (party.requester and ACCOUNTS[name] == "req")


def can_fill(stage: Stage, plan: ConsentPlan, seats: list[str], accounts: dict[str, Account], *, late: bool) -> bool:
    """Whether these people, each once, are all that the stage needs: every order of them is tried."""
    places = [need.party for need in stage.needs for _ in range(need.count)]
    other = plan.escalate_to if late else None

    def fits(name: str, party: Party) -> bool:
        if plan.exclude_requester and ACCOUNTS[name] == "req":
            return False
        return is_of(party, name, accounts) or (other is not None and is_of(other, name, accounts))

    return len(seats) == len(places) and any(
        all(fits(name, party) for name, party in zip(order, places, strict=True)) for order in permutations(seats)
    )


class Life(RuleBasedStateMachine):
    """An approval, the people around it, and a connector that counts."""

    @initialize(plan=plans)
    def ask(self, plan: ConsentPlan):
        self.now = START
        self.accounts = {name: Account() for name in ACCOUNTS}
        self.accounts["ana"] = Account("owner", frozenset({"ops"}))
        self.accounts["ana2"] = Account("approver", frozenset({"money"}))
        self.accounts["bo"] = Account("owner")
        self.accounts["cy"] = Account("approver", frozenset({"ops", "money"}))
        self.accounts["di"] = Account("admin")
        self.delegations: set[tuple[str, str]] = set()
        self.request = ApprovalInput(
            approval_id=derived_id("apr", "one"),
            requester_id=an_id("req"),
            digest="0" * 64,
            expires_at=START + LIFE,
            plan=plan,
        )
        self.standing = approval_rules.begin(self.request)
        self.story: list[tuple[datetime, object]] = []
        self.counted: list[tuple[datetime, str, str, int]] = []  # at, who clicked, in whose place, at which stage
        self.edits = self.sent = self.clicks = 0
        self.first: ApprovalOutcome | None = None
        self.rejected_by: str | None = None

    # The world

    @rule(seconds=st.sampled_from([0, 1, 1, 1, 5, 24.999, 25, 50, 100]))
    def time_passes(self, seconds: float):
        self.now += timedelta(seconds=seconds)

    @rule()
    def the_deadline_is_now(self):
        self.now = max(self.now, self.standing.expires_at)

    @rule(name=st.sampled_from(sorted(ACCOUNTS)), role=st.sampled_from(["owner", "admin", "approver", "member"]))
    def a_role_changes(self, name: str, role: str):
        self.accounts[name].role = role

    @rule(name=st.sampled_from(sorted(ACCOUNTS)), groups=st.sets(st.sampled_from(GROUPS)))
    def groups_change(self, name: str, groups: set[str]):
        self.accounts[name].groups = frozenset(groups)

    @rule(name=st.sampled_from(sorted(ACCOUNTS)), here=st.booleans())
    def somebody_leaves_or_comes_back(self, name: str, here: bool):
        self.accounts[name].is_here = here

    @rule(pair=st.tuples(st.sampled_from(sorted(ACCOUNTS)), st.sampled_from(sorted(ACCOUNTS))), holds=st.booleans())
    def somebody_delegates(self, pair: tuple[str, str], holds: bool):
        if holds and ACCOUNTS[pair[0]] != ACCOUNTS[pair[1]]:
            self.delegations.add(pair)
        else:
            self.delegations.discard(pair)

    # What reaches the workflow

    @rule(
        name=st.sampled_from(sorted(ACCOUNTS)),
        verdict=st.sampled_from([DecisionVerdict.APPROVE] * 4 + [DecisionVerdict.REJECT]),
        stale=st.sampled_from([False, False, False, True]),
        assurance=st.sampled_from([Assurance.L2, Assurance.L2, Assurance.L1]),
        comment=st.sampled_from([True, True, False]),
    )
    def somebody_clicks(self, name: str, verdict: DecisionVerdict, stale: bool, assurance: Assurance, comment: bool):
        if not self.accounts[name].is_here:
            return
        self.clicks += 1
        decision = self._decision(name, verdict, assurance, comment=comment)
        if stale:
            decision = decision.model_copy(update={"digest": "f" * 64})
        self._apply(decision)

    @rule(place=st.integers(0, 20))
    def somebody_who_may_consents(self, place: int):
        self.clicks += 1
        here = [name for name in sorted(ACCOUNTS) if self.accounts[name].is_here]
        all_of_them = [self._decision(name, DecisionVerdict.APPROVE, Assurance.L2, comment=True) for name in here]
        known = [one for one in all_of_them if approval_rules.refusal(self.standing, one, self.now) is None]
        if known:
            self._apply(known[place % len(known)])

    @rule(name=st.sampled_from(sorted(ACCOUNTS)), plan=plans)
    def somebody_edits(self, name: str, plan: ConsentPlan):
        if not self.accounts[name].is_here:
            return
        self.clicks += 1
        edit = self._decision(name, DecisionVerdict.APPROVE, Assurance.L2, comment=True, edits=True)
        if approval_rules.refusal(self.standing, edit, self.now) is not None:
            return
        self.edits += 1
        revised = Revised(decision_id=edit.decision_id, digest=f"{self.edits:064d}", plan=plan)
        self._tell(revised)
        self.counted = []
        self._apply(edit.model_copy(update={"digest": revised.digest, "edits": False}))

    @rule()
    def the_timer_fires(self):
        self._tell("tick")

    @rule(name=st.sampled_from([None, "req"]), meant=st.integers(0, 9))
    def the_turn_is_stopped(self, name: str | None, meant: int):
        if meant:
            return
        self._tell(("stop", an_id(name) if name else None))

    @rule()
    def everything_is_killed_and_comes_back(self):
        standing = approval_rules.begin(self.request)
        for at, happened in self.story:
            standing = _reduced(standing, happened, at)

        assert standing == self.standing

    # What runs

    @precondition(lambda self: self.first is not None)
    @rule()
    def it_is_to_run(self):
        assert self.first is not None
        if self.first.state is not ApprovalState.APPROVED or self.sent:
            return
        plan = self.standing.plan
        request = self.request.model_copy(update={"plan": plan})
        votes = [self._afresh(vote) for vote in self.first.votes]
        passes = all(votes) and approval_rules.is_satisfied(
            request, [vote for vote in votes if vote], escalated=self.standing.escalated
        )
        assert passes == self._is_given_now(plan)
        self.sent += passes

    def _is_given_now(self, plan: ConsentPlan) -> bool:
        for _, clicked, seat, _ in self.counted:
            holds = clicked == seat or (seat, clicked) in self.delegations
            banned = plan.exclude_requester and ACCOUNTS[clicked] == "req"
            if not holds or banned or not (self.accounts[clicked].is_here and self.accounts[seat].is_here):
                return False
        return self._is_quorum(plan)

    def _is_quorum(self, plan: ConsentPlan) -> bool:
        late = self.standing.escalated
        return all(
            can_fill(stage, plan, [seat for _, _, seat, at in self.counted if at == number], self.accounts, late=late)
            for number, stage in enumerate(plan.stages)
        )

    def _afresh(self, vote: Vote) -> Vote | None:
        clicked, seat = NAME_OF[vote.voter.user_id], vote.in_place_of
        if not self.accounts[clicked].is_here:
            return None
        if seat is not None:
            name = NAME_OF[seat.user_id]
            if (name, clicked) not in self.delegations or not self.accounts[name].is_here:
                return None
            seat = self._decider(name)
        return vote.model_copy(update={"voter": self._decider(clicked), "in_place_of": seat})

    # How it is told

    def _decider(self, name: str) -> Decider:
        account = self.accounts[name]
        return Decider(
            user_id=an_id(name),
            person_id=an_id(ACCOUNTS[name]),
            role=account.role,
            groups=tuple(sorted(account.groups)),
        )

    def _decision(
        self, name: str, verdict: DecisionVerdict, assurance: Assurance, *, comment: bool, edits: bool = False
    ) -> DecisionMade:
        who = self._decider(name)
        away = [one for one, to in sorted(self.delegations) if to == name and self.accounts[one].is_here]
        return DecisionMade(
            decision_id=derived_id("dec", self.clicks, name),
            user_id=who.user_id,
            person_id=who.person_id,
            role=who.role,
            groups=who.groups,
            verdict=verdict,
            digest=self.standing.digest,
            assurance=assurance,
            in_place_of=tuple(self._decider(one) for one in away),
            has_comment=comment,
            edits=edits,
        )

    def _apply(self, decision: DecisionMade) -> None:
        refused = approval_rules.refusal(self.standing, decision, self.now)
        before = self.standing
        self._tell(decision)
        if refused is not None:
            assert self.standing == before
            return
        self._check_counts(decision, before)

    def _check_counts(self, decision: DecisionMade, before: Standing) -> None:
        """What counted was in time, of what was shown, sure enough, of somebody who may, and of nobody twice."""
        plan = before.plan
        assert self.now < self.standing.expires_at
        assert decision.digest == before.digest
        assert decision.assurance >= plan.assurance
        assert decision.has_comment or not plan.comment_required
        clicked = NAME_OF[decision.user_id]
        assert not (plan.exclude_requester and ACCOUNTS[clicked] == "req")
        seats = [clicked, *(NAME_OF[one.user_id] for one in decision.in_place_of)]
        late = self.standing.escalated
        assert any(self._may(seat, before, late=late) for seat in seats)
        if decision.verdict is DecisionVerdict.REJECT:
            self.rejected_by = clicked
            return
        vote = self.standing.votes[-1]
        seat = NAME_OF[vote.in_place_of.user_id] if vote.in_place_of else clicked
        used = {person for _, one, other, _ in self.counted for person in (ACCOUNTS[one], ACCOUNTS[other])}
        assert used.isdisjoint({ACCOUNTS[clicked], ACCOUNTS[seat]})
        assert self._may(seat, before, late=late)
        self.counted.append((self.now, clicked, seat, before.stage))

    def _may(self, name: str, before: Standing, *, late: bool) -> bool:
        plan = before.plan
        known = [need.party for need in plan.stages[before.stage].needs]
        known += [plan.escalate_to] if late and plan.escalate_to else []
        return any(is_of(party, name, self.accounts) for party in known) and not (
            plan.exclude_requester and ACCOUNTS[name] == "req"
        )

    def _tell(self, happened: object) -> None:
        self.story.append((self.now, happened))
        self.standing = _reduced(self.standing, happened, self.now)

    # What always holds

    @invariant()
    def the_first_outcome_stands(self):
        if getattr(self, "standing", None) is None:
            return
        self.first = self.first or self.standing.outcome
        assert self.standing.outcome == self.first

    @invariant()
    def the_outcome_is_what_people_said(self):
        if getattr(self, "first", None) is None:
            return
        assert self.first is not None
        assert self.first.digest == self.standing.digest
        assert (self.first.state is ApprovalState.REJECTED) == (self.rejected_by is not None)
        stages = self.standing.plan.stages
        filled = [
            sum(at == number for *_, at in self.counted) == sum(need.count for need in stage.needs)
            for number, stage in enumerate(stages)
        ]
        assert (self.first.state is ApprovalState.APPROVED) == (all(filled) and self.rejected_by is None)
        if self.first.state is ApprovalState.EXPIRED:
            assert self.first.at is not None
            assert self.first.at >= self.standing.expires_at

    @invariant()
    def it_runs_once_at_most(self):
        if getattr(self, "standing", None) is None:
            return
        assert self.sent <= 1
        assert not self.sent or (self.first is not None and self.first.state is ApprovalState.APPROVED)

    @invariant()
    def the_clock_goes_on(self):
        """A timer that has fired is not due again: otherwise the workflow would never rest."""
        if getattr(self, "standing", None) is None:
            return
        ticked = approval_rules.tick(self.standing, self.now)
        assert not ticked.is_open or approval_rules.next_at(ticked) > self.now


def _reduced(standing: Standing, happened: object, at: datetime) -> Standing:
    if isinstance(happened, DecisionMade):
        return approval_rules.decide(standing, happened, at)
    if isinstance(happened, Revised):
        return approval_rules.revise(standing, happened)
    if isinstance(happened, tuple):
        return approval_rules.withdraw(standing, happened[1], at)
    return approval_rules.tick(standing, at)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
