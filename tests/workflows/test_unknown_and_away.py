"""Calls of unknown fate, who decides for others, and how much may wait, on a Temporal server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from connectors.base import OutcomeUnknown
from core.clock import now
from core.ids import new_id
from core.keys import KeyRing
from core.permissions import Principal, Role
from core.store import approvals, outcomes
from core.store.database import Database
from core.store.work import change
from core.tables.consent import Approval, Delegation
from core.tables.records import AuditRow
from core.tables.work import ToolCall
from core.values import ApprovalState, CallState
from tests.workflows.script import call
from tests.workflows.stage import Stage, open_stage
from tests.world import eventually
from workers.llm.port import ToolAnswered
from workers.main import QUEUES, build_workers
from workflows.policies import ACTIONS_QUEUE

pytestmark = pytest.mark.server


class TestPending:
    async def test_no_more_wait_than_people_can_look_at(
        self, tmp_path: Path, sqlite_database: Database, client: Client, ring: KeyRing
    ):
        async with (
            open_stage(tmp_path, sqlite_database, client, ring, pending_approvals=2) as stage,
            stage.working(),
        ):
            calls = [call("put", name, name) for name in "abc"]
            sent = await stage.send("many", calls)
            await stage.pending(2)

            states = [(one.state, one.rule) for one in await stage.calls(sent.turn_id)]

            assert [state for state, _ in states] == [CallState.AWAITING, CallState.AWAITING, CallState.DENIED]
            assert states[2][1].startswith("2 requests for consent wait")
            assert "call.refused" in [one.kind for one in await stage.all(AuditRow)]


class TestUnknown:
    async def test_a_persons_word_is_told_in_the_next_turn(self, stage: Stage):
        stage.notes.failures.append(OutcomeUnknown("the line broke"))
        sent = await stage.send("send", [call("send", "hi")])
        (approval,) = await stage.pending()
        await stage.decide(approval)
        await stage.ended(sent.turn_id)
        (made,) = await stage.calls(sent.turn_id)
        assert made.state == CallState.UNKNOWN

        async with change(stage.database, stage.rooms) as work:
            await outcomes.say(work, stage.audit, stage.ana, made.id, outcomes.Outcome.DONE, "It is in the outbox")
        await stage.ended((await stage.send("and?")).turn_id)

        (told,) = [one for one in stage.model.requests[-1].entries if isinstance(one, ToolAnswered)]
        assert (told.status, told.content) == ("done", f"{stage.ana.name} says that it was done: It is in the outbox")

    async def test_a_late_outcome_does_not_undo_a_persons_word(self, stage: Stage):
        stage.notes.hold = asyncio.Event()
        sent = await stage.send("send", [call("send", "hi")])
        (approval,) = await stage.pending()
        await stage.decide(approval)
        await stage.until_sent(1)
        (made,) = await stage.calls(sent.turn_id)
        await stage.alter(ToolCall, made.id, state=CallState.UNKNOWN)
        async with change(stage.database, stage.rooms) as work:
            await outcomes.say(work, stage.audit, stage.ana, made.id, outcomes.Outcome.FAILED, None)

        stage.notes.hold.set()
        await stage.ended(sent.turn_id)

        assert [one.state for one in await stage.calls(sent.turn_id)] == [CallState.FAILED]


@asynccontextmanager
async def without_actions(stage: Stage) -> AsyncIterator[None]:
    async with AsyncExitStack() as keep:
        for worker in build_workers(stage.client, stage.parts, QUEUES - {ACTIONS_QUEUE}, prefix=stage.prefix):
            await keep.enter_async_context(worker)
        yield


class TestDelegate:
    async def setting(self, stage: Stage) -> tuple[Principal, Delegation]:
        """Zoe, the only owner, is away until tomorrow; Ben decides for her."""
        zoe = await stage.person(stage.ana.workspace_id, Role.OWNER)
        ben = await stage.person(stage.ana.workspace_id)
        stage.ana = await stage.person(stage.ana.workspace_id)
        stage.conversation_id = await stage.conversation(stage.ana)
        row = Delegation(
            id=new_id("dlg"),
            workspace_id=zoe.workspace_id,
            from_user_id=zoe.user_id,
            to_user_id=ben.user_id,
            starts_at=now(),
            ends_at=now() + timedelta(days=1),
            created_by=zoe.user_id,
            created_at=now(),
        )
        await stage.add(row)
        return ben, row

    async def test_decides_and_is_shown_in_whose_place(self, stage: Stage):
        ben, _ = await self.setting(stage)
        sent = await stage.send("go", [call("drop", "hi")])
        (approval,) = await stage.pending()

        await stage.decide(approval, who=ben)
        await stage.ended(sent.turn_id)

        assert stage.notes.actions == ["drop"]
        (vote,) = (await stage.get(Approval, approval.id)).votes
        assert (vote["name"], vote["user_id"]) == (ben.name, ben.user_id)
        zoe = vote["in_place_of"]
        async with stage.database.reading() as session:
            view = await approvals.one(session, stage.ana, approval.id)
        assert view.decided_by_name == f"{ben.name} for {zoe}"
        assert "approval.requested" in await stage.told(ben.membership_id)

    async def test_what_was_decided_falls_with_the_delegation(
        self, tmp_path: Path, sqlite_database: Database, client: Client, ring: KeyRing
    ):
        async with open_stage(tmp_path, sqlite_database, client, ring) as stage:
            ben, row = await self.setting(stage)
            async with without_actions(stage):
                sent = await stage.send("go", [call("drop", "hi")])
                (approval,) = await stage.pending()
                await stage.decide(approval, who=ben)

                async def closed() -> bool:
                    return (await stage.get(Approval, approval.id)).state == ApprovalState.APPROVED

                await eventually(closed)
                await stage.alter(Delegation, row.id, revoked_at=now())
            async with stage.working():
                (again,) = await stage.pending()

                assert again.id != approval.id
                assert (await stage.get(Approval, approval.id)).state == ApprovalState.VOID
                assert stage.notes.sent == []
                await stage.intake.stop_turn(stage.ana, sent.turn_id)
                await stage.ended(sent.turn_id)
