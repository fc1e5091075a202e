"""Relay, reaper and archive: what a crash left is told, freed, kept."""

from datetime import timedelta

import pytest

from core.permissions import Door
from core.store import decisions, outbox, submissions, upkeep
from core.store.work import change
from core.tables.consent import Decision
from core.tables.work import Outbox
from core.values import DecisionVerdict, TurnState
from tests.workflows.script import call
from tests.workflows.stage import Stage
from tests.world import eventually
from workers.records.archive import Archive
from workers.records.reaper import Reaper
from workflows.handles import turn_workflow_id

pytestmark = pytest.mark.server


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
        answer = decisions.Answer(
            door=Door.REST,
            approval_id=approval.id,
            update_id="left",
            verdict=DecisionVerdict.APPROVE,
            digest=approval.digest,
            comment=None,
        )
        async with change(stage.database, stage.rooms) as work:
            row = await decisions.receive(work, stage.audit, stage.ana, answer, None)
        await stage.alter(Decision, row.id, created_at=row.created_at - timedelta(minutes=1))

        turn = await stage.ended(sent.turn_id)

        async def settled() -> bool:
            return (await stage.get(Decision, row.id)).state == decisions.ACCEPTED

        await eventually(settled)
        assert turn.state == TurnState.FINISHED
        assert len(stage.notes.sent) == 1


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
