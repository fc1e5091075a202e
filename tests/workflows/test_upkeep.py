"""Relay, reaper and archive: what a crash left is told, freed, kept."""

import asyncio
from datetime import timedelta

import pytest

from core.errors import Conflict, Unavailable
from core.messages import DecisionMade
from core.permissions import Door
from core.store import decisions, outbox, submissions, upkeep
from core.store.work import change
from core.tables.consent import Approval, Decision
from core.tables.records import AuditRow
from core.tables.work import Outbox, Turn
from core.values import ApprovalState, CallState, DecisionVerdict, TurnState
from core.views import ApprovalView
from tests.workflows.script import call
from tests.workflows.stage import Stage
from tests.world import eventually
from workers.records.archive import Archive
from workers.records.reaper import Reaper
from workflows.handles import approval_workflow_id, turn_workflow_id

pytestmark = pytest.mark.server


async def left(stage: Stage, approval: ApprovalView) -> str:
    """Commit an approving decision a minute ago that nobody has sent; returns its id."""
    answer = decisions.Answer(
        door=Door.REST,
        approval_id=approval.id,
        update_id=f"left {approval.id}",
        verdict=DecisionVerdict.APPROVE,
        digest=approval.digest,
        comment=None,
    )
    async with change(stage.database, stage.rooms) as work:
        row = await decisions.receive(work, stage.audit, stage.ana, answer, None, None)
    await stage.alter(Decision, row.id, created_at=row.created_at - timedelta(minutes=1))
    return row.id


class TestRelay:
    async def test_starts_a_turn_that_was_committed_but_never_started(self, stage: Stage):
        async with change(stage.database, stage.rooms) as work:
            turn, _ = await submissions.add_message(
                work, stage.ana, Door.REST, stage.conversation_id, "hi", "committed"
            )

        ended = await stage.ended(turn.id)

        assert ended.state == TurnState.FINISHED
        assert await stage.all(Outbox) == []

    async def test_sends_a_decision_that_was_committed_but_never_sent(self, stage: Stage):
        sent = await stage.send("go", [call("send")], ["Sent."])
        (approval,) = await stage.pending()
        decision_id = await left(stage, approval)

        turn = await stage.ended(sent.turn_id)

        async def settled() -> bool:
            return (await stage.get(Decision, decision_id)).state == decisions.ACCEPTED

        await eventually(settled)
        assert turn.state == TurnState.FINISHED
        assert len(stage.notes.sent) == 1

    async def test_of_decisions_that_temporal_does_not_answer_for_holds_up_no_other(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ):
        await stage.send("one", [call("send", "1")], ["One."])
        await stage.pending(1)
        await stage.send("two", [call("send", "2")], ["Two."])
        stuck, free = await stage.pending(2)
        decide = stage.workflows.decide
        for_ever = asyncio.Event()

        async def answer(approval_id: str, decision: DecisionMade, update_id: str) -> str:
            if approval_id == stuck.id:
                await for_ever.wait()
                message = "away"
                raise Unavailable(message)
            return await decide(approval_id, decision, update_id)

        monkeypatch.setattr(stage.parts.relay._workflows, "decide", answer)
        older = await left(stage, stuck)
        newer = await left(stage, free)

        async def settled() -> bool:
            return (await stage.get(Decision, newer)).state == decisions.ACCEPTED

        await eventually(settled)
        assert (await stage.get(Decision, older)).state == decisions.RECEIVED
        for_ever.set()


class TestReaper:
    async def test_frees_the_conversation_of_a_turn_that_temporal_lost(self, stage: Stage):
        async with change(stage.database, stage.rooms) as work:
            lost, _ = await submissions.add_message(work, stage.ana, Door.REST, stage.conversation_id, "lost", "1")
            await work.session.flush()
            await outbox.remove(work.session, outbox.START_TURN, lost.id)
        following = await stage.send("next")
        reaper = Reaper(stage.database, stage.rooms, stage.workflows, timedelta())

        assert await reaper.sweep() == 1
        ended = await stage.ended(following.turn_id)

        assert ended.state == TurnState.FINISHED
        turn = await stage.until(lost.id, TurnState.FAILED)
        assert turn.error_code == "lost"
        assert await stage.terminal_events(lost.id) == ["turn.failed"]

    async def test_leaves_a_turn_that_waits_for_people_alone(self, stage: Stage):
        sent = await stage.send("go", [call("send")], ["Sent."])
        (approval,) = await stage.pending()
        await stage.until(sent.turn_id, TurnState.WAITING)

        assert await Reaper(stage.database, stage.rooms, stage.workflows, timedelta()).sweep() == 0

        await stage.decide(approval)
        assert (await stage.ended(sent.turn_id)).state == TurnState.FINISHED

    @pytest.mark.parametrize("decided", [False, True])
    async def test_closes_the_request_of_a_turn_that_temporal_lost(self, stage: Stage, decided: bool):
        sent = await stage.send("go", [call("send")], ["Sent."])
        (approval,) = await stage.pending()
        await stage.until(sent.turn_id, TurnState.WAITING)
        for workflow_id in (turn_workflow_id(sent.turn_id), approval_workflow_id(approval.id)):
            await stage.client.get_workflow_handle(workflow_id).terminate()
        if decided:
            with pytest.raises(Conflict, match="lost"):
                await stage.decide(approval)

        assert await Reaper(stage.database, stage.rooms, stage.workflows, timedelta()).sweep() == 1

        async def closed() -> bool:
            return (await stage.get(Approval, approval.id)).state == ApprovalState.WITHDRAWN

        await eventually(closed)
        assert [one.state for one in await stage.calls(sent.turn_id)] == [CallState.NOT_RUN]
        assert (await stage.get(Turn, sent.turn_id)).error_code == "lost"
        assert [one.kind for one in await stage.all(AuditRow)].count("approval.withdrawn") == 1
        with pytest.raises(Conflict, match=r"closed: withdrawn|lost"):
            await stage.decide(approval)
        assert stage.notes.sent == []


class TestArchive:
    async def test_keeps_the_histories_of_what_is_closed_once(self, stage: Stage):
        sent = await stage.send("hi")
        await stage.ended(sent.turn_id)
        archive = Archive(stage.database, stage.client, timedelta(seconds=-1))

        assert await archive.sweep() == 1
        assert await archive.sweep() == 0

        async with stage.database.reading() as session:
            kept = await upkeep.history(session, turn_workflow_id(sent.turn_id))
        assert kept is not None
        assert kept.turn_id == sent.turn_id
        assert kept.body["events"][0]["eventType"].endswith("WORKFLOW_EXECUTION_STARTED")
