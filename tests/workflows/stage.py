"""Everything between intake and the connectors, on a real Temporal server, with a scripted model."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from temporalio.client import Client, WorkflowHistory
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from api.intake import Accepted, Decided, Intake
from connectors.base import Connector
from connectors.registry import Registry
from core.clock import now
from core.errors import Unavailable
from core.ids import new_id
from core.keys import KeyRing
from core.permissions import Door, Principal, Role
from core.rooms import LocalRooms
from core.settings import Settings
from core.store import approvals, messages
from core.store.audit import AuditTrail
from core.store.database import Database
from core.tables.consent import Approval, Policy
from core.tables.talk import Conversation
from core.tables.work import ToolCall, Turn
from core.values import DecisionVerdict, TurnState
from core.views import ApprovalView
from tests.doubles.connector import LedgerConnector
from tests.workflows.script import Item, ScriptedModel
from tests.world import World, eventually
from workers.llm.choose import build_router
from workers.llm.router import Router
from workers.main import QUEUES, Parts, build_parts, build_workers
from workflows.handles import Workflows, turn_workflow_id

TERMINAL = ("turn.finished", "turn.failed", "turn.stopped")


class Stage(World):
    """The parts, and what people do."""

    def __init__(
        self, settings: Settings, database: Database, client: Client, ring: KeyRing, connectors: Sequence[Connector]
    ) -> None:
        super().__init__(database)
        self.prefix = new_id("tst") + "-"
        self.client = client
        self.rooms = LocalRooms()
        self.model = ScriptedModel()
        self.notes = LedgerConnector()
        registry = Registry.load([self.notes, *connectors])
        self.workflows = Workflows(
            client, prefix=self.prefix, max_rounds=settings.rounds, limit_seconds=settings.turn_limit_seconds
        )
        self.ring = ring
        self.audit = AuditTrail(ring)
        self.intake = Intake(database, self.rooms, self.workflows, self.audit, settings, registry)
        self.router = build_router(settings) if settings.models else Router((self.model,))
        self.parts: Parts = build_parts(
            settings, database, client, self.rooms, ring, registry, self.router, prefix=self.prefix
        )
        self.ana: Principal
        self.conversation_id: str

    @asynccontextmanager
    async def working(self, *, upkeep: bool = True) -> AsyncIterator[None]:
        """Run the workers, sandboxed, and the relay."""
        stop = asyncio.Event()
        async with AsyncExitStack() as keep:
            for worker in build_workers(
                self.client, self.parts, QUEUES, prefix=self.prefix, runner=SandboxedWorkflowRunner()
            ):
                await keep.enter_async_context(worker)
            relaying = asyncio.create_task(self.parts.relay.run(stop)) if upkeep else None
            try:
                yield
            finally:
                stop.set()
                await self.intake.aclose()
                if relaying is not None:
                    await relaying

    async def settle_in(self) -> None:
        """Ana, an owner, has a conversation."""
        self.ana = await self.person(role=Role.OWNER)
        self.conversation_id = await self.conversation(self.ana)

    async def rule(self, action: str, **ask: Any) -> None:
        """Let the workspace's rules ask like this about an action; what was ruled before holds no more."""
        rules = await self.all(Policy)
        body = {"rules": [{"name": f"{action} is asked", "when": {"action": action}, "verdict": "ask", "ask": ask}]}
        await self.add(
            Policy(
                id=new_id("pol"),
                workspace_id=self.ana.workspace_id,
                version=len(rules) + 1,
                body=body,
                created_by=self.ana.user_id,
                created_at=now(),
            )
        )

    async def owners(self, count: int = 2) -> list[Principal]:
        """So many more owners of Ana's workspace, who take no part in her conversation."""
        return [await self.person(self.ana.workspace_id, Role.OWNER) for _ in range(count)]

    # What people do

    async def send(self, text: str, *lines: Sequence[Item], client_id: str | None = None) -> Accepted:
        """Say something that the model answers with these lines."""
        if lines:
            self.model.lines[text] = list(lines)
        return await self.intake.submit_message(
            self.ana, Door.REST, self.conversation_id, text, client_id or new_id("cli")
        )

    async def decide(
        self,
        approval: ApprovalView,
        verdict: str = "approve",
        decision_id: str | None = None,
        who: Principal | None = None,
        arguments: dict[str, Any] | None = None,
    ) -> Decided:
        return await self.intake.submit_decision(
            who or self.ana,
            Door.REST,
            approval.id,
            DecisionVerdict(verdict),
            approval.digest,
            decision_id or new_id("dec"),
            "because" if verdict == "reject" else None,
            arguments,
        )

    @asynccontextmanager
    async def deciding(self, approval: ApprovalView) -> AsyncIterator[None]:
        """Approve; Temporal is away until the block ends, so only then the approval's workflow hears of it."""
        decision_id = new_id("dec")
        with patch.object(self.workflows, "decide", side_effect=Unavailable("away")):
            await self.decide(approval, decision_id=decision_id)
        yield
        await self.decide(approval, decision_id=decision_id)

    # What is to be seen

    async def now(self) -> datetime:
        return now()

    async def pending(self, count: int = 1) -> list[ApprovalView]:
        """Wait until so many approvals are shown; the newest is last."""

        async def enough() -> bool:
            return len(await self._pending()) >= count

        await eventually(enough)
        return await self._pending()

    async def _pending(self) -> list[ApprovalView]:
        async with self.database.reading() as session:
            rows, _, _ = await approvals.page(session, self.ana, state="pending", limit=20, cursor=None)
        return rows[::-1]

    async def until(self, turn_id: str, *states: TurnState) -> Turn:
        async def reached() -> bool:
            return (await self.get(Turn, turn_id)).state in states

        await eventually(reached)
        return await self.get(Turn, turn_id)

    async def ended(self, turn_id: str) -> Turn:
        """Wait until the turn has ended and its workflow is closed."""
        turn = await self.until(turn_id, TurnState.FINISHED, TurnState.FAILED, TurnState.STOPPED)

        async def closed() -> bool:
            return await self.workflows.is_closed(turn_workflow_id(turn_id))

        await eventually(closed)
        return turn

    async def until_sent(self, count: int) -> None:
        """Wait until the connector was asked so often."""

        async def enough() -> bool:
            return len(self.notes.sent) >= count

        await eventually(enough)

    async def reply(self, turn_id: str) -> str:
        async with self.database.reading() as session:
            view = await messages.reply_of(session, turn_id)
        return view.text if view else ""

    async def calls(self, turn_id: str) -> list[ToolCall]:
        rows = await self.all(ToolCall, ToolCall.turn_id == turn_id)
        return sorted(rows, key=lambda row: (row.round, row.place))

    async def approval_ids(self, turn_id: str) -> list[str]:
        return [row.id for row in await self.all(Approval, Approval.turn_id == turn_id)]

    async def history(self, workflow_id: str) -> WorkflowHistory:
        return await self.client.get_workflow_handle(workflow_id).fetch_history()

    async def terminal_events(self, turn_id: str) -> list[str]:
        events = await self.events(self.conversation_id)
        return [row.type for row in events if row.type in TERMINAL and row.body["turn"]["id"] == turn_id]

    async def holder(self) -> str | None:
        return (await self.get(Conversation, self.conversation_id)).active_turn_id


@asynccontextmanager
async def open_stage(
    folder: Path, database: Database, client: Client, ring: KeyRing, **given: Any
) -> AsyncIterator[Stage]:
    """Set the stage; workers run only inside `stage.working()`."""
    settings = Settings(data_dir=folder, **({"learn_facts": False} | given))
    stage = Stage(settings, database, client, ring, ())
    await stage.settle_in()
    yield stage
    await stage.router.aclose()
