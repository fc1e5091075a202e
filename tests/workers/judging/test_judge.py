"""The workspace's own rules and mode where they count: when a call is planned, and again at the gate."""

from datetime import timedelta

import pytest

from connectors.registry import Registry
from core.clock import now
from core.ids import new_id
from core.masking import MASK
from core.policy import Ruling
from core.store import context
from core.store.plans import NobodyToAsk, ReasonMissing
from core.tables.consent import Approval, Policy
from core.tables.identity import Group, GroupMember
from core.tables.people import User
from core.tables.work import ToolCall, Turn
from core.values import CallState, CallVerdict, OperationMode
from core.views import MAX_COST, PreviewView
from tests.doubles.connector import SCHEMA, LedgerConnector, manifest
from tests.workers.acting.desk import Desk
from workers.judging.judge import Judge
from workers.llm.port import CallAsked
from workers.thinking.plan import Planner

PREVIEW = PreviewView(summary="A note")


@pytest.fixture
def judge(desk: Desk) -> Judge:
    return Judge(Registry.load([desk.notes]), timedelta(days=1))


@pytest.fixture
def rule(desk: Desk, judge: Judge):
    """Judge a fresh call of the asker."""

    async def judged(name: str = "put", text: str = "x", **more) -> Ruling:
        asked = await desk.call(name, text)
        async with desk.world.database.reading() as session:
            return await judge.rule(session, asked.call, judge.registry.action(f"note.{name}"), **more)

    return judged


@pytest.fixture
def plan(desk: Desk, judge: Judge):
    """Plan what a model asks for in a new turn."""

    async def planned(name: str, reason: str = "") -> tuple[ToolCall, Approval | None]:
        turn, _ = await desk.world.say(desk.asker, desk.conversation_id)
        async with desk.world.database.reading() as session:
            talk = await context.load(session, turn.id)
        planner = Planner(desk.world.database, judge.registry, judge, 16)
        return (await planner.plan(talk, 0, [CallAsked("1", f"note.{name}", {"text": "x"})], reason))[0]

    return planned


class TestRule:
    async def test_the_newest_version_holds_at_once(self, rule, save):
        before = await rule()
        await save({"when": {"action": "note.put"}, "verdict": "allow"})
        first = await rule()
        await save({"when": {"action": "note.put"}, "verdict": "deny"})
        second = await rule()

        assert [(one.verdict, one.policy_version) for one in (before, first, second)] == [
            (CallVerdict.ASK, 0),
            (CallVerdict.ALLOW, 1),
            (CallVerdict.DENY, 2),
        ]

    async def test_rules_see_who_asks_where_and_what(self, desk, rule, save):
        address = (await desk.world.get(User, desk.asker.user_id)).email
        group = Group(id=new_id("grp"), workspace_id=desk.asker.workspace_id, name="support", created_at=now())
        mine = GroupMember(group_id=group.id, user_id=desk.asker.user_id, added_by="x", added_at=now())
        await desk.world.add(group, mine)
        when = {
            "user": address,
            "role": "member",
            "group": "support",
            "channel": "rest",
            "conversation": desk.conversation_id,
            "effect": "idempotent",
            "arguments": {"text": {"matches": "x*"}},
            "untrusted": False,
            "mode": "assisted",
            "time": {"zone": "UTC"},
        }
        await save({"when": when, "verdict": "deny"})

        assert (await rule(text="xyz")).verdict is CallVerdict.DENY
        assert (await rule(text="abc")).verdict is CallVerdict.ASK

    async def test_what_outsiders_wrote_counts_from_when_it_was_read(self, desk, judge, save):
        await save({"when": {"untrusted": True}, "verdict": "deny"})
        asked = await desk.call("put")
        verdicts = []
        for at in (None, asked.call.created_at + timedelta(seconds=1), asked.call.created_at):
            await desk.world.alter(Turn, asked.turn.id, untrusted_at=at)
            async with desk.world.database.reading() as session:
                verdicts.append((await judge.rule(session, asked.call, judge.registry.action("note.put"))).verdict)

        assert verdicts == [CallVerdict.ASK, CallVerdict.ASK, CallVerdict.DENY]

    async def test_rules_that_cannot_be_read_allow_nothing(self, desk, rule, save):
        await save({"verdict": "allow"})
        (row,) = await desk.world.all(Policy, Policy.workspace_id == desk.asker.workspace_id)
        await desk.world.alter(Policy, row.id, body={"rules": [{"name": "x"}]})

        ruling = await rule("read")

        assert (ruling.verdict, ruling.rule) == (
            CallVerdict.DENY,
            "Version 1 of this workspace's rules cannot be read, so nothing is allowed.",
        )


class Priced(LedgerConnector):
    """Says what it costs, `times` times over."""

    times = 1

    async def preview(self, action, arguments, context):
        shown = await super().preview(action, arguments, context)
        return shown.model_copy(update={"cost": f"1 EUR for {arguments['text']}" * self.times})


class TestPreview:
    @pytest.fixture
    def priced(self, desk):
        text = {"type": "string", "description": "What it says.", "x-secret": True}
        desk.notes = Priced(manifest(SCHEMA | {"properties": {"text": text}}))
        return Judge(Registry.load([desk.notes]), timedelta(days=1))

    async def test_the_cost_is_the_connectors_word_without_secrets(self, desk, priced):
        asked = await desk.call("send", "hunter2")

        assert (await priced.preview(priced.registry.action("note.send"), asked.call)).cost == f"1 EUR for {MASK}"

    async def test_a_cost_that_masks_make_longer_is_cut(self, desk, priced):
        asked, desk.notes.times = await desk.call("send", "abcd"), 7
        cost = (await priced.preview(priced.registry.action("note.send"), asked.call)).cost

        assert cost == f"1 EUR for {MASK}" * 6 + "1 EU"
        assert len(cost) == MAX_COST

    async def test_a_connector_need_not_say_what_it_costs(self, desk, judge):
        asked = await desk.call("send")

        assert (await judge.preview(judge.registry.action("note.send"), asked.call)).cost is None


class TestRequest:
    async def test_a_reason_is_wanted_where_the_rules_say_so(self, desk, judge, save):
        await save({"verdict": "ask", "ask": {"reason_required": True}})
        asked = await desk.call("send")
        bound = judge.registry.action("note.send")
        async with desk.world.database.reading() as session:
            ruling = await judge.rule(session, asked.call, bound)
            with pytest.raises(ReasonMissing):
                await judge.request(session, asked.call, bound, ruling, PREVIEW, "  ")
            made = await judge.request(session, asked.call, bound, ruling, PREVIEW, "They asked for it")

        assert (made.reason, made.policy_version, made.rule) == ("They asked for it", 1, "rule 1")

    async def test_the_plan_is_bound(self, desk, judge, save):
        await save({"verdict": "ask", "ask": {"approvers": {"role": "owner"}, "expires": "2h", "remind": ["1h"]}})
        asked = await desk.call("send")
        bound = judge.registry.action("note.send")
        async with desk.world.database.reading() as session:
            ruling = await judge.rule(session, asked.call, bound)
            made = await judge.request(session, asked.call, bound, ruling, PREVIEW, None)

        assert made.plan["stages"][0]["needs"][0]["party"]["roles"] == ["owner"]
        assert len(made.plan["remind_at"]) == 1
        assert timedelta(hours=1, minutes=59) < made.expires_at - now() < timedelta(hours=2, seconds=1)
        assert made.bound["policy_version"] == 1

    async def test_nobody_to_ask_is_an_error(self, desk, judge, save):
        await save({"verdict": "ask", "ask": {"approvers": "manager"}})
        asked = await desk.call("send")
        bound = judge.registry.action("note.send")
        async with desk.world.database.reading() as session:
            ruling = await judge.rule(session, asked.call, bound)
            with pytest.raises(NobodyToAsk):
                await judge.request(session, asked.call, bound, ruling, PREVIEW, None)


class TestPlanning:
    @pytest.mark.parametrize(
        ("ask", "words"), [({"approvers": "manager"}, "Nobody is here"), ({"reason_required": True}, "want a reason")]
    )
    async def test_what_cannot_be_asked_is_denied_with_a_sentence(self, plan, save, ask, words):
        await save({"when": {"action": "note.put"}, "verdict": "ask", "ask": ask})

        call, approval = await plan("put")

        assert (call.state, call.verdict, approval) == (CallState.DENIED, CallVerdict.DENY, None)
        assert words in call.detail

    @pytest.mark.parametrize(
        ("mode", "name", "state"),
        [
            (OperationMode.MANUAL, "add", CallState.AWAITING),
            (OperationMode.MANUAL, "read", CallState.PROPOSED),
            (OperationMode.AUTONOMOUS, "put", CallState.PROPOSED),
            (OperationMode.AUTONOMOUS, "send", CallState.PROPOSED),
            (OperationMode.AUTONOMOUS, "drop", CallState.AWAITING),
            (OperationMode.EMERGENCY, "add", CallState.DENIED),
            (OperationMode.EMERGENCY, "drop", CallState.DENIED),
            (OperationMode.EMERGENCY, "read", CallState.PROPOSED),
        ],
    )
    async def test_the_operation_mode_counts(self, plan, switch, mode, name, state):
        await switch(mode)

        assert (await plan(name))[0].state == state

    async def test_autonomy_ends_where_outsiders_words_were_read(self, desk, plan, switch):
        await switch(OperationMode.AUTONOMOUS)
        turn, _ = await desk.world.say(desk.asker, desk.conversation_id)
        await desk.world.alter(Turn, turn.id, untrusted_at=now(), state="finished")

        assert (await plan("put"))[0].state == CallState.AWAITING


class TestGate:
    @pytest.mark.parametrize("made", ["call", "approved"])
    async def test_in_an_emergency_nothing_that_has_not_begun_is_done(self, desk, switch, made):
        asked = await (desk.call("add") if made == "call" else desk.approved("send"))
        await switch(OperationMode.EMERGENCY)

        acted = await desk.act(asked)

        assert (acted.state, desk.notes.sent) == (CallState.NOT_RUN, [])
        assert "emergency mode" in (await desk.state(asked))[1]
        assert "call.refused" in await desk.audited()

    async def test_reading_goes_on(self, desk, switch):
        asked = await desk.call("read")
        await switch(OperationMode.EMERGENCY)

        assert (await desk.act(asked)).state == CallState.DONE

    async def test_a_rule_that_denies_now_stops_what_was_approved(self, desk, save):
        asked = await desk.approved("send")
        await save({"when": {"action": "note.send"}, "verdict": "deny", "because": "closed"})

        acted = await desk.act(asked)

        assert (acted.state, desk.notes.sent) == (CallState.NOT_RUN, [])
        assert "rule 1: closed" in (await desk.state(asked))[1]

    async def test_rules_saved_since_that_ask_all_the_same_change_nothing(self, desk, save):
        asked = await desk.approved("send")
        await save({"when": {"action": "note.send"}, "verdict": "ask"})

        assert (await desk.act(asked)).state == CallState.DONE

    async def test_what_was_allowed_and_is_asked_now_waits_for_consent(self, desk, switch):
        asked = await desk.call("add")
        await switch(OperationMode.MANUAL)

        acted = await desk.act(asked)

        assert (acted.state, acted.again is not None, desk.notes.sent) == (CallState.AWAITING, True, [])

    async def test_rules_that_cannot_be_read_stop_what_was_approved(self, desk, save):
        asked = await desk.approved("send")
        await save()
        (row,) = await desk.world.all(Policy, Policy.workspace_id == desk.asker.workspace_id)
        await desk.world.alter(Policy, row.id, body={"rules": 5})

        assert (await desk.act(asked)).state == CallState.NOT_RUN
        assert desk.notes.sent == []
