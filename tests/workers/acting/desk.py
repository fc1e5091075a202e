"""The gate with a connector behind it, and calls that have come as far as a test needs."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from temporalio.testing import ActivityEnvironment

from connectors.manifest import ConnectorManifest
from connectors.registry import Registry
from core.clock import now
from core.consent import Party, asks
from core.digest import digest_of
from core.ids import derived_id, new_id
from core.keys import KeyRing
from core.messages import Acted, ActInput, ApprovalOutcome
from core.permissions import Principal, Role
from core.store.audit import AuditTrail
from core.tables.consent import Approval
from core.tables.records import AuditRow
from core.tables.work import ToolCall, Turn
from core.values import ApprovalState, CallState, CallVerdict
from tests.doubles.connector import LedgerConnector
from tests.world import World
from workers.acting.act import Actor
from workers.acting.gate import Gate
from workers.calling import bind
from workers.judging.judge import Judge

PLAN = asks(Party(roles=(Role.OWNER,))).model_dump(mode="json")


@dataclass(frozen=True)
class Asked:
    """A call in a running turn, with the outcome of its approval when it had one."""

    call: ToolCall
    turn: Turn
    outcome: ApprovalOutcome | None = None

    @property
    def consent(self) -> ApprovalOutcome:
        """The outcome of a call that was approved."""
        assert self.outcome is not None
        return self.outcome


class Desk:
    """One owner who asks, another who approves."""

    def __init__(self, world: World, ring: KeyRing) -> None:
        self.world = world
        self.ring = ring
        self.notes = LedgerConnector()
        self.asker: Principal
        self.owner: Principal
        self.conversation_id: str

    async def settle_in(self) -> None:
        self.asker = await self.world.person()
        self.owner = await self.world.person(self.asker.workspace_id, Role.OWNER)
        self.conversation_id = await self.world.conversation(self.asker, self.owner)

    def actor(self, manifest: ConnectorManifest | None = None, database: Any = None) -> Actor:
        """The activity's implementation; with a manifest, the connector has become another."""
        if manifest is not None:
            self.notes._manifest = manifest
        registry = Registry.load([self.notes])
        gate = Gate(registry, AuditTrail(self.ring), Judge(registry, timedelta(days=1)))
        return Actor(database or self.world.database, self.world.rooms, gate)

    async def act(
        self, asked: Asked, *, attempt: int = 1, manifest: ConnectorManifest | None = None, database: Any = None
    ) -> Acted:
        """Run the activity as Temporal would."""
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, attempt=attempt)
        step = ActInput(tool_call_id=asked.call.id, outcome=asked.outcome)
        return await environment.run(self.actor(manifest, database).act, step)

    async def call(self, name: str = "add", text: str = "x", turn: Turn | None = None, place: int = 0) -> Asked:
        """A planned call: allowed, or not yet asked about."""
        if turn is None:
            turn, _ = await self.world.say(self.asker, self.conversation_id)
        action = Registry.load([self.notes]).action(f"note.{name}")
        allowed = name in {"read", "add"}
        call = ToolCall(
            id=derived_id("cal", turn.id, 0, place),
            turn_id=turn.id,
            conversation_id=turn.conversation_id,
            workspace_id=turn.workspace_id,
            user_id=turn.user_id,
            round=0,
            place=place,
            action=action.name,
            arguments={"text": text},
            schema_digest=action.schema_digest,
            risk=action.spec.risk,
            effect=action.spec.effect,
            verdict=CallVerdict.ALLOW if allowed else CallVerdict.ASK,
            rule="a test",
            state=CallState.PROPOSED if allowed else CallState.AWAITING,
            created_at=now(),
        )
        await self.world.add(call)
        return Asked(call, turn)

    async def approved(
        self, name: str = "send", text: str = "x", turn: Turn | None = None, place: int = 0, **made: Any
    ) -> Asked:
        """A call that the owner approved, planned with what is `made` otherwise."""
        asked = await self.call(name, text, turn, place)
        if made:
            await self.world.alter(ToolCall, asked.call.id, **made)
            asked = Asked(await self.world.get(ToolCall, asked.call.id), asked.turn)
        call, expires_at = asked.call, now() + timedelta(hours=1)
        bound = bind(call, 0, expires_at, "nonce", PLAN)
        approval = Approval(
            id=derived_id("apr", call.id),
            tool_call_id=call.id,
            turn_id=call.turn_id,
            conversation_id=call.conversation_id,
            workspace_id=call.workspace_id,
            requester_id=call.user_id,
            action=call.action,
            risk=call.risk,
            title=name,
            arguments=call.arguments,
            preview={"summary": "A note"},
            plan=PLAN,
            bound=bound.model_dump(mode="json"),
            digest=digest_of(bound),
            state=ApprovalState.APPROVED,
            expires_at=expires_at,
            created_at=now(),
            decided_at=now(),
            decided_by=self.owner.user_id,
        )
        await self.world.add(approval)
        outcome = ApprovalOutcome(
            approval_id=approval.id,
            state=ApprovalState.APPROVED,
            digest=approval.digest,
            decision_id=new_id("dec"),
            user_id=self.owner.user_id,
            at=now(),
        )
        return Asked(call, asked.turn, outcome)

    async def state(self, asked: Asked) -> tuple[str, str | None]:
        """The call's state and the sentence for it, as stored."""
        row = await self.world.get(ToolCall, asked.call.id)
        return row.state, row.detail

    async def audited(self) -> list[Any]:
        """The kinds of the audit rows, in order."""
        rows = await self.world.all(AuditRow, AuditRow.workspace_id == self.asker.workspace_id)
        return [row.kind for row in sorted(rows, key=lambda row: row.number)]
