"""A turn's timeline, from SQL alone and with a real Temporal server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from api.history import Histories
from api.timeline import Entry, Timeline
from cli.serve.temporal_server import TemporalServer
from core.clock import now
from core.consent import Party, asks
from core.errors import NotFound
from core.ids import derived_id, new_id
from core.keys import load_ring
from core.messages import Acted, ActInput, DecisionMade, PlannedCall, ThinkInput, Thought
from core.permissions import Door, Principal, Role
from core.store import approvals, decisions, rounds, upkeep
from core.store.audit import AuditTrail
from core.store.decisions import Answer as PersonsAnswer
from core.store.rounds import Answer
from core.store.usage import Charge, Figures
from core.store.work import change
from core.tables.consent import Approval as ApprovalRow
from core.tables.work import ToolCall, Turn
from core.temporal import connect, data_converter
from core.values import ApprovalState, CallState, CallVerdict, DecisionVerdict
from tests.api.gateway.stage import Stage, eventually, open_stage
from workers.asking.ask import Asker
from workers.records.steps import Steps
from workflows.approval import Approval
from workflows.chat_turn import ChatTurn
from workflows.handles import Workflows

SECRET = "hunter2"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(tmp_path_factory) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("history")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def ana(stage) -> Principal:
    return await stage.person(await stage.workspace())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def unreachable() -> Client:
    return await Client.connect("127.0.0.1:1", lazy=True, data_converter=data_converter(None))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory) -> AsyncIterator[TemporalServer]:
    place = tmp_path_factory.mktemp("temporal")
    async with TemporalServer(place, namespace="default", retention_hours=24, ui_port=None) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(server, stage) -> Client:
    return await connect(server.address, "default", load_ring(stage.settings.data_dir))


class Doubles:
    """A model that fails once and then asks for one call, or answers; a connector that does nothing."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @activity.defn(name="think")
    async def think(self, step: ThinkInput) -> Thought:
        if activity.info().attempt == 1 and step.round == 0:
            raise ApplicationError("gone", "The model is away.", type="model_away")
        async with self.stage.database.reading() as session:
            turn = await session.get_one(Turn, step.turn_id)
        answer = Answer(
            turn_id=step.turn_id, number=step.round, attempt=turn.attempt, lease_epoch=step.lease_epoch, text="Done.",
            said="Done.", was_kept=True, usage_id=None, started_at=now(),
            charge=Charge(
                workspace_id=turn.workspace_id, user_id=turn.user_id, turn_id=turn.id, round=step.round, model="double"
            ),
            figures=Figures(model="double", input_tokens=7, output_tokens=2),
        )  # fmt: skip
        if step.round:
            async with change(self.stage.database, self.stage.rooms) as work:
                await rounds.finish(work, answer)
            return Thought(ended=True)
        call, approval = _asked(turn)
        async with change(self.stage.database, self.stage.rooms) as work:
            await rounds.propose(work, answer, [(call, approval)])
        planned = PlannedCall(
            tool_call_id=call.id, verdict=CallVerdict.ASK, timeout_seconds=5, approval=approvals.as_input(approval)
        )
        return Thought(ended=False, calls=(planned,))

    @activity.defn(name="act")
    async def act(self, step: ActInput) -> Acted:
        return Acted(tool_call_id=step.tool_call_id, state=CallState.DONE)


def _asked(turn: Turn) -> tuple[ToolCall, ApprovalRow]:
    call = ToolCall(
        id=derived_id("cal", turn.id, 0, 0), turn_id=turn.id, conversation_id=turn.conversation_id,
        workspace_id=turn.workspace_id, user_id=turn.user_id, round=0, place=0, action="vault.open",
        arguments={"password": SECRET}, schema_digest="d", risk="destructive", effect="at_most_once",
        verdict=CallVerdict.ASK, rule="destructive asks an owner", state=CallState.AWAITING, created_at=now(),
    )  # fmt: skip
    approval = ApprovalRow(
        id=derived_id("apr", call.id), tool_call_id=call.id, turn_id=turn.id, conversation_id=turn.conversation_id,
        workspace_id=turn.workspace_id, requester_id=turn.user_id, action=call.action, risk=call.risk,
        title="Open the vault", arguments=call.arguments, preview={"summary": "Opens it"},
        plan=asks(Party(roles=("owner",))).model_dump(mode="json"), bound={}, digest="abc",
        state=ApprovalState.REQUESTED, expires_at=now() + timedelta(hours=1), created_at=now(),
    )  # fmt: skip
    return call, approval


@pytest_asyncio.fixture(loop_scope="session")
async def worker(stage, client) -> AsyncIterator[str]:
    prefix = f"{new_id('que')}-"
    doubles = Doubles(stage)
    asker = Asker(stage.database, stage.rooms, AuditTrail(load_ring(stage.settings.data_dir)))
    steps = Steps(stage.database, stage.rooms)
    local: list[Callable[..., Any]] = [steps.park_turn, steps.resume_turn, steps.end_turn]
    async with (
        Worker(client, task_queue=f"{prefix}turns", workflows=[ChatTurn, Approval], activities=local),
        Worker(client, task_queue=f"{prefix}steps", activities=[asker.open_approval, asker.close_approval]),
        Worker(client, task_queue=f"{prefix}models", activities=[doubles.think]),
        Worker(client, task_queue=f"{prefix}actions", activities=[doubles.act]),
    ):
        yield prefix


async def sent(stage: Stage, who: Principal, text: str = "Open the vault") -> str:
    conversation_id = await stage.conversation(who)
    accepted = await stage.intake.submit_message(who, Door.REST, conversation_id, text, "m1")
    return accepted.turn_id


def kinds(timeline: Timeline) -> list[str]:
    return [entry.kind for entry in timeline.entries]


def the(timeline: Timeline, kind: str) -> Entry:
    return next(entry for entry in timeline.entries if entry.kind == kind)


class TestFromSql:
    async def test_without_temporal_it_tells_what_sql_knows_and_says_so(self, stage, ana, unreachable):
        turn_id = await sent(stage, ana)
        timeline = await Histories(stage.database, unreachable, None).timeline(ana, turn_id)

        assert set(kinds(timeline)) == {"message.created", "outbox.pending", "turn.started", "temporal.missing"}
        assert the(timeline, "message.created").who == ana.name
        assert timeline.temporal_url is None
        assert timeline.turn.id == turn_id

    async def test_a_stopped_turn_names_who_stopped_it(self, stage, ana, unreachable):
        turn_id = await sent(stage, ana)
        await stage.intake.stop_turn(ana, turn_id)
        timeline = await Histories(stage.database, unreachable, None).timeline(ana, turn_id)

        assert the(timeline, "turn.stopped").who == ana.name

    async def test_hidden_characters_are_shown(self, stage, ana, unreachable):
        turn_id = await sent(stage, ana, "pay \u202eabc")
        timeline = await Histories(stage.database, unreachable, None).timeline(ana, turn_id)

        assert the(timeline, "message.created").detail == "pay [U+202E]abc"

    async def test_it_is_not_there_for_others(self, stage, ana, unreachable):
        turn_id = await sent(stage, ana)
        histories = Histories(stage.database, unreachable, None)
        same_workspace = await stage.person(ana.workspace_id, Role.OWNER)
        elsewhere = await stage.person(await stage.workspace(), Role.OWNER)

        for who in (same_workspace, elsewhere):
            with pytest.raises(NotFound):
                await histories.timeline(who, turn_id)


@pytest.mark.server
class TestWithTemporal:
    @pytest_asyncio.fixture(loop_scope="session")
    async def owner(self, stage, ana) -> Principal:
        return await stage.person(ana.workspace_id, Role.OWNER)

    @pytest_asyncio.fixture(loop_scope="session")
    async def turn_id(self, stage, ana, client, worker) -> str:
        """A turn whose approval is shown."""
        turn_id = await sent(stage, ana)
        async with stage.database.reading() as session:
            turn = await session.get_one(Turn, turn_id)
        await Workflows(client, prefix=worker).start_turn(turn_id, turn.conversation_id, turn.lease_epoch)

        async def is_asked() -> bool:
            async with stage.database.reading() as session:
                row = await session.get(ApprovalRow, _approval_id(turn_id))
                now_ = await session.get_one(Turn, turn_id)
            return row is not None and row.state == ApprovalState.PENDING and now_.state == "waiting"

        await eventually(is_asked)
        return turn_id

    @pytest_asyncio.fixture(loop_scope="session")
    async def ended(self, stage, owner, client, worker, turn_id) -> str:
        """The same, approved and answered."""
        trail = AuditTrail(load_ring(stage.settings.data_dir))
        answer = PersonsAnswer(
            door=Door.CLI, approval_id=_approval_id(turn_id), update_id=new_id("upd"), verdict=DecisionVerdict.APPROVE,
            digest="abc", comment="go on",
        )  # fmt: skip
        async with change(stage.database, stage.rooms) as work:
            decision = await decisions.receive(work, trail, owner, answer, None, None)
        message: DecisionMade = decisions.as_message(decision)
        await Workflows(client, prefix=worker).decide(decision.approval_id, message, decision.update_id)
        async with change(stage.database, stage.rooms) as work:
            await decisions.settle(work, trail, decision.id, None)
        await client.get_workflow_handle(f"turn-{turn_id}").result()
        return turn_id

    async def test_a_waiting_turn(self, stage, client, server, ana, turn_id):
        histories = Histories(stage.database, client, server.ui_url)

        async def is_waiting() -> bool:
            entries = (await histories.timeline(ana, turn_id)).entries
            return any(one.kind == "timer.running" for one in entries)

        await eventually(is_waiting)
        timeline = await histories.timeline(ana, turn_id)
        failed_before = the(timeline, "activity.completed")
        run_id = (await client.get_workflow_handle(f"turn-{turn_id}").describe()).run_id

        assert failed_before.title == "Activity think completed"
        assert (failed_before.attempt, failed_before.failure) == (2, "before: The model is away. (model_away)")
        assert the(timeline, "timer.running").lane == "approval"
        assert the(timeline, "approval.requested").title == "Consent was asked: Open the vault"
        url = f"{server.ui_url}/namespaces/default/workflows/turn-{turn_id}/{run_id}/history"
        assert timeline.temporal_url == url

    async def test_an_ended_turn_is_told_in_order_without_secrets(self, stage, client, server, ana, owner, ended):
        timeline = await Histories(stage.database, client, server.ui_url).timeline(ana, ended)
        told = kinds(timeline)

        order = ["message.created", "tool.proposed", "approval.requested", "decision.received", "approval.approved"]
        assert [told.index(one) for one in order] == sorted(told.index(one) for one in order)
        assert all(first.at <= second.at for first, second in pairwise(timeline.entries))
        assert the(timeline, "decision.received").who == owner.name
        assert the(timeline, "update.accepted").title == "Update decide was accepted"
        assert {"round.answered", "turn.finished", "audit.decision.accepted", "workflow.completed"} <= set(told)
        assert "Local activity park_turn completed" in [entry.title for entry in timeline.entries]
        assert SECRET not in timeline.model_dump_json()

    async def test_the_archive_stands_in_when_temporal_forgot(self, stage, client, unknown, ana, ended):
        history = await client.get_workflow_handle(f"turn-{ended}").fetch_history()
        async with stage.database.writing() as session:
            upkeep.keep_history(session, f"turn-{ended}", history.run_id, ended, json.loads(history.to_json()))
        timeline = await Histories(stage.database, unknown, "http://ui").timeline(ana, ended)

        assert the(timeline, "activity.completed").attempt == 2
        assert the(timeline, "temporal.missing").title.endswith("from the archive")
        assert timeline.temporal_url is None

    async def test_an_activity_between_attempts_is_told(self, stage, client, ana):
        prefix = f"{new_id('que')}-"
        turn_id = await sent(stage, ana)
        await Workflows(client, prefix=prefix).start_turn(turn_id, new_id("cnv"), 1)
        handle = client.get_workflow_handle(f"turn-{turn_id}")

        async def is_pending() -> bool:
            return bool((await handle.describe()).raw_description.pending_activities)

        async with Worker(client, task_queue=f"{prefix}turns", workflows=[ChatTurn]):
            await eventually(is_pending)
        timeline = await Histories(stage.database, client, None).timeline(ana, turn_id)
        await handle.terminate()

        assert the(timeline, "activity.pending").title == "Activity think: not ended yet"

    @pytest_asyncio.fixture(loop_scope="session")
    async def unknown(self, client, server, stage) -> Client:
        """A client that finds no workflow: another namespace of the same server."""
        request = RegisterNamespaceRequest(namespace="empty")
        request.workflow_execution_retention_period.FromTimedelta(timedelta(days=1))
        await client.workflow_service.register_namespace(request)
        other = await connect(server.address, "empty", load_ring(stage.settings.data_dir))
        async with asyncio.timeout(30):
            while not await _serves(other):
                await asyncio.sleep(0.1)
        return other


async def _serves(client: Client) -> bool:
    try:
        await client.get_workflow_handle("none").describe()
    except RPCError as error:
        return error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message
    return True


def _approval_id(turn_id: str) -> str:
    return derived_id("apr", derived_id("cal", turn_id, 0, 0))
