"""The judge: collects what policy looks at, applies it, and turns "ask" into a request with its preview and digest."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from connectors.outside import OutsideAction
from connectors.registry import BoundAction, Registry
from core import policy
from core.clock import now
from core.digest import digest_of
from core.errors import Conflict
from core.ids import derived_id, new_secret
from core.masking import scrub
from core.store import context, deciders, plans
from core.tables.consent import Approval
from core.tables.work import ToolCall
from core.values import ApprovalState
from core.views import PreviewView
from workers.calling import bind, context_of

PREVIEW_SECONDS = 10.0
OUTSIDE = "api"
"""The channel of a request that no message led to."""


@dataclass(frozen=True)
class Judge:
    """Judges one call at a time. `expiry`: the time to decide where no rule names one."""

    registry: Registry
    expiry: timedelta

    async def rule(
        self, session: AsyncSession, call: ToolCall, bound: BoundAction, *, repeats: bool = False
    ) -> policy.Ruling:
        """Say what policy makes of a call now. Raises Conflict when who asks is not here any more."""
        facts = policy.CallFacts(
            action=call.action,
            risk=bound.spec.risk,
            effect=bound.spec.effect,
            allow_reason=bound.spec.allow_reason,
            requester_role=await self._role(session, call.workspace_id, call.user_id),
            requester_id=call.user_id,
            repeats_once_only=repeats,
            arguments=call.arguments,
            conversation_id=call.conversation_id,
            at=now(),
        )
        return policy.evaluate(facts)

    async def rule_outside(
        self, session: AsyncSession, approval: Approval, action: OutsideAction, arguments: dict[str, Any]
    ) -> policy.Ruling:
        """Say what policy makes of an outside request now. Raises Conflict when who asks is not here any more."""
        facts = policy.CallFacts(
            action=action.name,
            risk=action.spec.risk,
            effect=action.spec.effect,
            allow_reason=action.spec.allow_reason,
            requester_role=await self._role(session, approval.workspace_id, approval.requester_id),
            requester_id=approval.requester_id,
            arguments=arguments,
            door=OUTSIDE,
            at=now(),
        )
        return policy.evaluate(facts)

    async def _role(self, session: AsyncSession, workspace_id: str, user_id: str) -> str:
        role = await context.role_of(session, workspace_id, user_id)
        if not role:
            message = "who asked for this is no longer here"
            raise Conflict(message)
        return role

    async def plan_of(self, session: AsyncSession, call: ToolCall, ruling: policy.Ruling) -> dict[str, Any]:
        """Give the plan of a ruling that asks, as it is stored and bound."""
        return (await self._resolve(session, call, ruling)).plan.model_dump(mode="json")

    async def _resolve(self, session: AsyncSession, call: ToolCall, ruling: policy.Ruling) -> plans.Resolved:
        if ruling.asking is None:
            message = "this ruling asks nobody"
            raise ValueError(message)
        return await plans.resolve(session, ruling.asking, call.workspace_id, call.user_id, now(), self.expiry)

    async def preview(self, bound: BoundAction, call: ToolCall) -> PreviewView:
        """Let the connector say what a call would do, without its secrets. Raises its errors, and TimeoutError."""
        async with asyncio.timeout(PREVIEW_SECONDS):
            preview = await bound.connector.preview(
                bound.spec.name, call.arguments, context_of(call, seconds=PREVIEW_SECONDS)
            )
        return PreviewView.model_validate(scrub(bound.spec.secrets, call.arguments, preview.model_dump()))

    async def request(
        self,
        session: AsyncSession,
        call: ToolCall,
        bound: BoundAction,
        ruling: policy.Ruling,
        preview: PreviewView,
        reason: str | None,
        generation: int = 0,
    ) -> Approval:
        """Make the request for consent to a call, as its row. Raises ValueError for what no digest can cover."""
        resolved = await self._resolve(session, call, ruling)
        plan = resolved.plan.model_dump(mode="json")
        binding = bind(call, ruling.policy_version, resolved.expires_at, new_secret(), plan)
        return Approval(
            id=derived_id("apr", call.id, generation) if generation else derived_id("apr", call.id),
            tool_call_id=call.id,
            generation=generation,
            turn_id=call.turn_id,
            conversation_id=call.conversation_id,
            workspace_id=call.workspace_id,
            requester_id=call.user_id,
            requester_person_id=await deciders.person_of(session, call.workspace_id, call.user_id),
            action=call.action,
            risk=call.risk,
            title=bound.spec.title,
            arguments=call.arguments,
            secrets=call.secrets,
            preview=preview.model_dump(mode="json"),
            reason=reason or None,
            rule=ruling.rule,
            policy_version=ruling.policy_version,
            plan=plan,
            deciders=[],
            votes=[],
            bound=binding.model_dump(mode="json"),
            digest=digest_of(binding),
            state=ApprovalState.REQUESTED,
            expires_at=resolved.expires_at,
            created_at=now(),
        )
