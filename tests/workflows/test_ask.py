"""Outside requests on a real Temporal server: policy settles or people decide, edit, and who asked hears of it."""

from typing import Any

import pytest

from api.asks import Asks, NewAsk
from connectors.registry import Registry
from core.consent import Assurance
from core.errors import AlreadyDecided, Conflict, NotAllowed
from core.ids import new_id
from core.messages import DecisionMade
from core.permissions import Door, Principal, Role
from core.settings import Settings
from core.store import decisions
from core.store.asks import Wished
from core.tables.consent import Approval, Decision
from core.tables.people import Membership
from core.tables.records import AuditRow
from core.values import ApprovalState, DecisionVerdict
from core.views import ApprovalView
from tests.workflows.stage import Stage
from tests.world import eventually

pytestmark = pytest.mark.server
_DECISION = new_id("dec")
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"version": {"type": "string"}, "key": {"type": "string", "x-secret": True}},
}


@pytest.fixture
def asks(stage: Stage, tmp_path) -> Asks:
    """What the api process has."""
    return Asks(
        stage.database, stage.rooms, stage.workflows, stage.audit, Registry.load([stage.notes]),
        Settings(data_dir=tmp_path),
    )  # fmt: skip


@pytest.fixture
async def bot(stage: Stage) -> Principal:
    """A member who asks; Ana is the owner."""
    return await stage.person(stage.ana.workspace_id)


async def ask(asks: Asks, who: Principal, **more: Any) -> ApprovalView:
    known: dict[str, Any] = {"title": "Deploy 4.2?", "action": "deploy.app", "arguments": {"version": "4.2"}}
    view, _ = await asks.ask(who, NewAsk.model_validate({"schema": SCHEMA} | known | more))
    return view


async def shown(asks: Asks, who: Principal, view: ApprovalView) -> ApprovalView:
    """Wait until it is more than requested."""

    async def is_shown() -> bool:
        return (await asks.decided(who, view.id, 0)).state != ApprovalState.REQUESTED

    await eventually(is_shown)
    return await asks.decided(who, view.id, 0)


class TestAsk:
    async def test_people_decide_and_who_asked_takes_it(self, stage: Stage, asks: Asks, bot: Principal):
        view = await shown(asks, bot, await ask(asks, bot, risk="destructive"))
        decided = await stage.decide(view)
        found = await asks.decided(bot, view.id, 20)
        taken = await asks.consume(bot, view.id, found.digest)

        assert (decided.state, found.state, found.decided_by_name) == ("accepted", "approved", stage.ana.name)
        assert [one.user_id for one in view.deciders] == [stage.ana.user_id]
        assert taken.arguments == {"version": "4.2"}
        assert {"approval.asked", "approval.requested", "approval.approved", "approval.consumed"} <= await audit(stage)
        membership = await stage.get(Membership, bot.membership_id)
        assert (await stage.told(membership.id))[-2:] == ["approval.requested", "approval.closed"]

    async def test_policy_allows_what_only_reads(self, stage: Stage, asks: Asks, bot: Principal):
        view = await ask(asks, bot, risk="read")
        found = await asks.decided(bot, view.id, 20)

        assert (found.state, found.decided_by) == ("approved", None)
        assert "allowed" in found.rule
        assert (await asks.consume(bot, view.id, found.digest)).approval.consumed_at is not None

    async def test_people_who_are_named_are_asked_of_what_policy_allows(self, stage: Stage, asks: Asks, bot: Principal):
        wished = Wished(users=(stage.ana.user_id,))
        view = await shown(asks, bot, await ask(asks, bot, risk="read", approvers=wished.model_dump(mode="json")))
        await stage.decide(view)

        assert [one.user_id for one in view.deciders] == [stage.ana.user_id]
        assert (await asks.decided(bot, view.id, 20)).decided_by == stage.ana.user_id

    async def test_policy_denies_who_may_not_act(self, stage: Stage, asks: Asks, bot: Principal):
        view = await ask(asks, bot)
        await stage.alter(Membership, bot.membership_id, role=Role.VIEWER)
        other = await ask(asks, bot.model_copy(update={"role": Role.MEMBER}), risk="destructive")
        found = await asks.decided(bot, other.id, 20)

        assert view.state == "requested"
        assert (found.state, found.rule) == ("rejected", "viewers do not act")

    async def test_a_wish_only_makes_it_stricter(self, stage: Stage, asks: Asks, bot: Principal):
        olga = await stage.person(stage.ana.workspace_id, Role.OWNER)
        wished = Wished(users=(olga.user_id,), exclude_requester=True, comment_required=True)
        view = await shown(asks, bot, await ask(asks, bot, approvers=wished.model_dump(mode="json")))
        for who, comment in ((stage.ana, "why not"), (olga, None), (bot, "mine")):
            with pytest.raises((Conflict, NotAllowed)):
                await decide(stage, view, who, comment)
        await decide(stage, view, olga, "I looked.")

        assert [one.user_id for one in view.deciders] == [olga.user_id]
        assert (await asks.decided(bot, view.id, 20)).decided_by == olga.user_id

    async def test_where_nobody_may_it_is_refused_at_once(self, stage: Stage, asks: Asks, bot: Principal):
        mine = Wished(users=(bot.user_id,), exclude_requester=True)
        stranger = Wished(users=((await stage.person()).user_id,))
        for wished in (mine, stranger):
            view = await ask(asks, bot, approvers=wished.model_dump(mode="json"))
            assert (await asks.decided(bot, view.id, 20)).state == "rejected"

    async def test_what_people_changed_is_what_is_taken(self, stage: Stage, asks: Asks, bot: Principal):
        arguments = {"version": "4.2", "key": "hunter2"}
        view = await shown(asks, bot, await ask(asks, bot, arguments=arguments))
        edited = {**view.arguments, "version": "4.1"}
        await decide(stage, view, stage.ana, None, edited)
        found = await asks.decided(bot, view.id, 20)
        with pytest.raises(Conflict):
            await asks.consume(bot, view.id, view.digest)

        assert (found.state, found.revision, found.edited_by) == ("approved", 1, stage.ana.user_id)
        assert found.digest != view.digest
        assert [(one.before, one.after) for one in found.preview.changes] == [("4.2", "4.1")]
        assert (await asks.consume(bot, view.id, found.digest)).arguments == {"version": "4.1", "key": "hunter2"}

    async def test_an_edit_has_to_fit_and_needs_a_schema(self, stage: Stage, asks: Asks, bot: Principal):
        view = await shown(asks, bot, await ask(asks, bot))
        bare = await shown(asks, bot, await ask(asks, bot, schema=None))
        for one, arguments in ((view, {"version": 4}), (view, {"other": "x"}), (bare, {"version": "4.1"})):
            with pytest.raises(Exception, match=r"version|other|schema"):
                await decide(stage, one, stage.ana, None, arguments)

        assert (await asks.decided(bot, view.id, 0)).revision == 0

    async def test_it_expires(self, stage: Stage, asks: Asks, bot: Principal):
        view = await ask(asks, bot, expires_in=1)

        assert (await asks.decided(bot, view.id, 20)).state == "expired"

    async def test_it_is_withdrawn_once_shown(self, stage: Stage, asks: Asks, bot: Principal):
        view = await shown(asks, bot, await ask(asks, bot))
        found = await asks.withdraw(bot, view.id)
        with pytest.raises((AlreadyDecided, NotAllowed)):
            await stage.decide(view)

        assert found.state == "withdrawn"

    async def test_consent_of_who_lost_the_role_is_void(self, stage: Stage, asks: Asks, bot: Principal):
        olga = await stage.person(stage.ana.workspace_id, Role.OWNER)
        view = await shown(asks, bot, await ask(asks, bot, risk="destructive"))
        await decide(stage, view, olga, None)
        found = await asks.decided(bot, view.id, 20)
        await stage.alter(Membership, olga.membership_id, role=Role.MEMBER)
        with pytest.raises(Conflict, match="ask again"):
            await asks.consume(bot, view.id, found.digest)

        assert (await stage.get(Approval, view.id)).state == ApprovalState.VOID
        assert "approval.void" in await audit(stage)

    async def test_consent_of_whom_it_was_escalated_to_holds(self, stage: Stage, asks: Asks, bot: Principal):
        olga = await stage.person(stage.ana.workspace_id, Role.ADMIN)
        view = await shown(asks, bot, await ask(asks, bot, risk="destructive"))
        plan = (await stage.get(Approval, view.id)).plan | {"escalate_to": {"users": [olga.user_id]}}
        vote = {
            "decision_id": _DECISION,
            "user_id": olga.user_id,
            "name": "",
            "verdict": "approve",
            "at": "2026-01-01T00:00Z",
        }
        made = DecisionMade(
            decision_id=_DECISION, user_id=olga.user_id, role=Role.ADMIN, verdict=DecisionVerdict.APPROVE,
            digest=view.digest, assurance=Assurance.L3,
        )  # fmt: skip
        await stage.add(
            Decision(
                id=_DECISION, approval_id=view.id, user_id=olga.user_id, role="admin", door="rest", update_id="u",
                verdict="approve", digest=view.digest, made=made.model_dump(mode="json"), state="accepted",
                created_at=view.created_at,
            )
        )  # fmt: skip
        closed = {"state": "approved", "plan": plan, "votes": [vote], "escalated_at": view.created_at}
        await stage.alter(Approval, view.id, **closed)

        assert (await asks.consume(bot, view.id, view.digest)).approval.consumed_at is not None

    async def test_it_is_judged_though_the_api_died_at_once(self, stage: Stage, asks: Asks, bot: Principal):
        """The relay starts what was kept; starting it twice is starting it once."""
        view = await ask(asks, bot)
        await stage.workflows.start_ask(view.id)
        await stage.workflows.start_ask(view.id)

        assert (await shown(asks, bot, view)).state == "pending"
        assert [row.kind for row in await stage.all(AuditRow)].count("approval.requested") == 1


async def decide(
    stage: Stage, view: ApprovalView, who: Principal, comment: str | None, arguments: dict[str, Any] | None = None
) -> None:
    await stage.intake.submit_decision(
        who, Door.REST, view.id, DecisionVerdict.APPROVE, view.digest, new_id("dec"), comment, arguments
    )
    assert await stage.all(Decision, Decision.approval_id == view.id, Decision.state == decisions.ACCEPTED)


async def audit(stage: Stage) -> set[str]:
    return {row.kind for row in await stage.all(AuditRow)}
