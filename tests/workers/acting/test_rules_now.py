"""Rules that became stricter after people consented void what was given; milder ones, and others, do not."""

from datetime import timedelta
from typing import Any

import pytest

from core.clock import now
from core.consent import Assurance, ConsentPlan, Need, Party, Stage, Vote, asks
from core.digest import digest_of
from core.ids import new_id
from core.messages import ApprovalOutcome
from core.permissions import Principal, Role
from core.store import deciders, groups
from core.store.audit import AuditTrail
from core.store.plans import MORE_WANTED
from core.store.work import change
from core.tables.consent import Approval, Decision, Delegation, Grant, Policy
from core.tables.records import AuditRow
from core.tables.work import ToolCall
from core.values import ApprovalState, CallState, CallVerdict, DecisionVerdict
from tests import stricter
from tests.stricter import LONE
from tests.workers.acting.desk import Asked, Desk
from workers.acting.gate import arguments_digest
from workers.calling import bind

OWNER = Party(roles=(Role.OWNER,))
ADMIN = Party(roles=(Role.ADMIN,))
MINUTE = timedelta(minutes=1)


def stages(*parties: Party) -> ConsentPlan:
    """One consent of each, one after the other."""
    return ConsentPlan(stages=tuple(Stage(needs=(Need(party=party),)) for party in parties))


async def save(desk: Desk, *, action: str = "note.send", verdict: str = "ask", version: int = 1, **more: Any) -> None:
    """Save rules that say so about an action."""
    ask = more.pop("ask", None)
    rule = {"name": "new", "when": {"action": action}, "verdict": verdict} | ({"ask": ask} if ask else {})
    await desk.world.add(
        Policy(
            id=new_id("pol"),
            workspace_id=desk.asker.workspace_id,
            version=version,
            body={"rules": [rule], **more},
            created_by=desk.owner.user_id,
            created_at=now(),
        )
    )


class Given:
    """A call that people consented to, one after the other."""

    def __init__(self, desk: Desk, asked: Asked) -> None:
        self.desk = desk
        self.approval_id = asked.consent.approval_id
        self.asked = asked
        self.votes: list[Vote] = []

    async def vote(
        self,
        who: Principal,
        stage: int = 0,
        *,
        sure: Assurance = Assurance.L2,
        comment: str | None = None,
        in_place_of: Principal | None = None,
    ) -> None:
        """Somebody says yes."""
        world, at = self.desk.world, now() - MINUTE + timedelta(seconds=len(self.votes))
        row = Decision(
            id=new_id("dec"),
            approval_id=self.approval_id,
            update_id=new_id("upd"),
            user_id=who.user_id,
            role=who.role,
            door="rest",
            verdict="approve",
            digest=self.asked.consent.digest,
            comment=comment,
            created_at=at,
        )
        await world.add(row)
        async with world.database.reading() as session:
            voter = await deciders.decider_of(session, who.workspace_id, who.user_id)
            away = in_place_of.user_id if in_place_of else ""
            seat = await deciders.decider_of(session, who.workspace_id, away)
        assert voter is not None
        self.votes.append(
            Vote(
                decision_id=row.id,
                voter=voter,
                in_place_of=seat,
                verdict=DecisionVerdict.APPROVE,
                assurance=sure,
                stage=stage,
                at=at,
            )
        )

    async def acted(self) -> CallState:
        """Come to the gate."""
        outcome = ApprovalOutcome(
            approval_id=self.approval_id,
            state=ApprovalState.APPROVED,
            digest=self.asked.consent.digest,
            decision_id=self.votes[-1].decision_id,
            user_id=self.votes[-1].voter.user_id,
            at=self.votes[-1].at,
            votes=tuple(self.votes),
            stage=self.votes[-1].stage,
        )
        return (await self.desk.act(Asked(self.asked.call, self.asked.turn, outcome))).state


async def given(desk: Desk, plan: ConsentPlan, *, version: int = 0, **more: Any) -> Given:
    """A request that was decided by this plan, under this version of the rules, an hour ago."""
    asked = await desk.approved("send")
    row = await desk.world.get(Approval, asked.consent.approval_id)
    kept = plan.model_dump(mode="json")
    bound = bind(asked.call, version, row.expires_at, "nonce", kept)
    facts = {"plan": kept, "bound": bound.model_dump(mode="json"), "digest": digest_of(bound)}
    await desk.world.alter(
        Approval, row.id, policy_version=version, created_at=now() - timedelta(hours=1), **facts, **more
    )
    consent = asked.consent.model_copy(update={"digest": facts["digest"]})
    return Given(desk, Asked(asked.call, asked.turn, consent))


async def is_void(desk: Desk, asked: Asked) -> bool:
    """Whether nothing ran, and a new request waits under the rules of now."""
    rows = await desk.world.all(Approval, Approval.tool_call_id == asked.call.id)
    old, new = sorted(rows, key=lambda row: row.generation)
    states = (old.state, old.consumed_at, new.state, new.policy_version)
    told = new.preview["warnings"][0] == f"Asked again: {MORE_WANTED}."
    return states == (ApprovalState.VOID, None, ApprovalState.REQUESTED, 1) and desk.notes.sent == [] and told


STRICTER: dict[str, dict[str, Any]] = {
    **stricter.STRICTER,
    "group": {"approvers": {"group": "finance"}},
    "user": {"approvers": {"user": "ana@example.com"}},
}
NO_STRICTER: dict[str, dict[str, Any]] = {
    "same": LONE,
    "more roles": {"approvers": [{"role": "owner"}, {"role": "admin"}]},
    "other times": LONE | {"expires": "1h", "remind": ["10m"], "escalate": {"after": "5m", "to": {"role": "admin"}}},
    "to be remembered": LONE | {"may_remember": True},
    "without the requester": LONE | {"exclude_requester": True},
}


@pytest.fixture
async def people(desk: Desk) -> None:
    """Another owner, an admin, and a group with a member."""
    here = desk.asker.workspace_id
    await desk.world.person(here, Role.OWNER)
    await desk.world.person(here, Role.ADMIN)
    member = await desk.world.person(here)
    async with change(desk.world.database, desk.world.rooms) as work:
        audit = AuditTrail(desk.ring)
        group = await groups.create(work, audit, desk.owner, "finance", "")
        await groups.add(work, audit, desk.owner, group.id, member.user_id)


class TestOneConsent:
    @pytest.fixture
    async def consent(self, desk: Desk, people: None) -> Given:
        """An owner's, to a request that any owner could decide."""
        made = await given(desk, asks(OWNER))
        await made.vote(desk.owner)
        return made

    @pytest.mark.parametrize("name", [name for name in STRICTER if name != "user"])
    async def test_is_void_when_the_rules_want_more(self, desk: Desk, consent: Given, name: str):
        await save(desk, ask=STRICTER[name])

        assert await consent.acted() is CallState.AWAITING
        assert await is_void(desk, consent.asked)
        assert (await desk.audited())[-1] == "approval.void"

    @pytest.mark.parametrize("name", NO_STRICTER)
    async def test_holds_when_they_do_not(self, desk: Desk, consent: Given, name: str):
        await save(desk, ask=NO_STRICTER[name])

        assert await consent.acted() is CallState.DONE

    async def test_holds_when_they_would_allow_it_now(self, desk: Desk, consent: Given):
        await save(desk, verdict="allow")

        assert await consent.acted() is CallState.DONE

    async def test_holds_when_only_something_else_became_stricter(self, desk: Desk, consent: Given):
        await save(desk, action="mail.*", verdict="deny")

        assert await consent.acted() is CallState.DONE

    async def test_is_void_when_the_least_for_its_risk_was_raised(self, desk: Desk, consent: Given):
        await save(desk, action="mail.*", assurance={"external_comms": "L3", "write": "L3"})

        assert await consent.acted() is CallState.AWAITING

    async def test_runs_nothing_and_asks_nobody_when_nobody_could_decide_now(self, desk: Desk, consent: Given):
        await save(desk, ask=STRICTER["user"])

        assert await consent.acted() is CallState.NOT_RUN
        assert "Nobody is here who could decide" in ((await desk.state(consent.asked))[1] or "")
        assert desk.notes.sent == []

    async def test_runs_nothing_when_a_reason_is_wanted_that_nobody_gave(self, desk: Desk, consent: Given):
        await save(desk, ask=LONE | {"reason_required": True})

        assert await consent.acted() is CallState.NOT_RUN
        assert desk.notes.sent == []

    async def test_is_not_looked_at_by_the_rules_that_it_was_asked_under(self, desk: Desk):
        """Whom those ask was found when it was asked."""
        made = await given(desk, asks(OWNER), version=1)
        await made.vote(desk.owner)
        await save(desk, ask=STRICTER["role"])

        assert await made.acted() is CallState.DONE


class TestEnough:
    async def test_is_what_was_sure_and_said_as_the_new_rules_want(self, desk: Desk):
        made = await given(desk, asks(OWNER))
        await made.vote(desk.owner, sure=Assurance.L3, comment="The invoice is right.")
        await save(desk, ask=LONE | {"assurance": "L3", "comment_required": True})

        assert await made.acted() is CallState.DONE

    async def test_is_not_the_requesters_own_once_they_are_left_out(self, desk: Desk):
        made = await given(desk, asks(Party(requester=True)))
        await made.vote(desk.asker)
        await save(desk, ask={"approvers": ["requester", {"role": "owner"}], "exclude_requester": True})

        assert await made.acted() is CallState.AWAITING
        assert await is_void(desk, made.asked)

    async def test_is_of_fewer_people_and_stages_than_were_asked(self, desk: Desk):
        admin = await desk.world.person(desk.asker.workspace_id, Role.ADMIN)
        made = await given(desk, stages(ADMIN, OWNER))
        await made.vote(admin)
        await made.vote(desk.owner, stage=1)
        await save(desk, ask=LONE)

        assert await made.acted() is CallState.DONE

    @pytest.mark.parametrize(
        ("order", "state"), [((ADMIN, OWNER), CallState.DONE), ((OWNER, ADMIN), CallState.AWAITING)]
    )
    async def test_is_in_the_order_of_the_new_stages(self, desk: Desk, order: tuple[Party, Party], state: CallState):
        admin = await desk.world.person(desk.asker.workspace_id, Role.ADMIN)
        made = await given(desk, stages(*order))
        for number, party in enumerate(order):
            await made.vote(admin if party is ADMIN else desk.owner, stage=number)
        await save(desk, ask=STRICTER["stages"])

        assert await made.acted() is state

    @pytest.mark.parametrize(("role", "state"), [("owner", CallState.DONE), ("admin", CallState.AWAITING)])
    async def test_is_given_in_the_place_of_who_is_asked_still(self, desk: Desk, role: str, state: CallState):
        deputy = await desk.world.person(desk.asker.workspace_id)
        await desk.world.person(desk.asker.workspace_id, Role.ADMIN)
        await desk.world.add(_delegation(desk.owner, deputy))
        made = await given(desk, asks(OWNER))
        await made.vote(deputy, in_place_of=desk.owner)
        await save(desk, ask={"approvers": {"role": role}, "exclude_requester": True})

        assert await made.acted() is state

    @pytest.mark.parametrize(("to", "state"), [("admin", CallState.DONE), ("approver", CallState.AWAITING)])
    async def test_is_of_whom_it_was_escalated_to_if_it_still_is(self, desk: Desk, to: str, state: CallState):
        admin = await desk.world.person(desk.asker.workspace_id, Role.ADMIN)
        plan = asks(OWNER).model_copy(update={"escalate_to": ADMIN, "escalated_seconds": 600})
        made = await given(desk, plan, escalated_at=now() - 2 * MINUTE)
        await made.vote(admin)
        await save(desk, ask=LONE | {"escalate": {"after": "10m", "to": {"role": to}}})

        assert await made.acted() is state

    async def test_is_of_who_was_on_call_when_it_was_asked(self, desk: Desk):
        people = [await desk.world.person(desk.asker.workspace_id) for _ in range(2)]
        made = await given(desk, asks(Party(users=(people[0].user_id,))))
        await made.vote(people[0])
        rota = {
            "zone": "UTC",
            "starts": (now() - timedelta(hours=1, minutes=30)).strftime("%Y-%m-%dT%H:%M"),
            "shift": "1h",
            "people": [one.user_id for one in people],
        }
        await save(desk, ask={"approvers": {"rota": "on call"}}, rotas={"on call": rota})

        assert await made.acted() is CallState.DONE

    async def test_is_not_silence_from_before_votes_were_kept(self, desk: Desk):
        asked = await desk.approved("send")
        await save(desk, ask=LONE | {"comment_required": True})

        assert (await desk.act(asked)).state is CallState.AWAITING
        assert desk.notes.sent == []

    async def test_is_one_owner_from_before_votes_were_kept(self, desk: Desk):
        asked = await desk.approved("send")
        await save(desk, ask=LONE)

        assert (await desk.act(asked)).state is CallState.DONE


class TestAlwaysAllowed:
    @pytest.mark.parametrize(
        ("ask", "state"),
        [
            (LONE | {"may_remember": True}, CallState.DONE),
            (LONE, CallState.DONE),
            (LONE | {"may_remember": False}, CallState.AWAITING),
            *((STRICTER[name] | {"may_remember": True}, CallState.AWAITING) for name in STRICTER if name != "user"),
        ],
    )
    async def test_is_only_what_who_allowed_it_could_consent_to_now(
        self, desk: Desk, people: None, ask: dict[str, Any], state: CallState
    ):
        made = await given(desk, asks(OWNER))
        await made.vote(desk.owner)
        await desk.world.alter(Approval, made.approval_id, decision_id=made.votes[0].decision_id)
        grant = _grant(made.asked.call, made.approval_id, desk.owner)
        await desk.world.add(grant)
        later = await desk.call("send", place=1)
        allowed = {"verdict": CallVerdict.ALLOW, "state": CallState.PROPOSED, "grant_id": grant.id}
        await desk.world.alter(ToolCall, later.call.id, **allowed)
        await save(desk, ask=ask)

        assert (await desk.act(later)).state is state


class TestRecord:
    async def test_says_which_rules_let_it_run_and_with_what(self, desk: Desk):
        made = await given(desk, asks(OWNER))
        await made.vote(desk.owner)
        await save(desk, ask=LONE, version=7)

        await made.acted()

        (row,) = await desk.world.all(AuditRow, AuditRow.kind == "call.started")
        assert row.body["policy_version"] == 7
        assert row.body["arguments_digest"] == arguments_digest(made.asked.call)

    async def test_does_not_let_a_secret_be_guessed(self, desk: Desk):
        call = (await desk.call()).call
        other = ToolCall.model_validate({**call.model_dump(), "arguments": {"text": "1234"}, "secrets": [["text"]]})
        same = ToolCall.model_validate({**other.model_dump(), "arguments": {"text": "4321"}})

        assert arguments_digest(other) == arguments_digest(same) != arguments_digest(call)


def _grant(call: ToolCall, approval_id: str, who: Principal) -> Grant:
    return Grant(
        id=new_id("grt"),
        workspace_id=call.workspace_id,
        user_id=call.user_id,
        action=call.action,
        schema_digest=call.schema_digest,
        patterns={"text": {"kind": "exact", "value": "x"}},
        approval_id=approval_id,
        granted_by=who.user_id,
        created_at=now() - MINUTE,
        expires_at=now() + timedelta(days=1),
    )


def _delegation(away: Principal, deputy: Principal) -> Delegation:
    at = now() - timedelta(hours=2)
    return Delegation(
        id=new_id("dlg"),
        workspace_id=away.workspace_id,
        from_user_id=away.user_id,
        to_user_id=deputy.user_id,
        starts_at=at,
        ends_at=at + timedelta(days=1),
        created_by=away.user_id,
        created_at=at,
    )
