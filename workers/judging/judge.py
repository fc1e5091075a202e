"""The judge: collects what policy looks at, applies it, and turns "ask" into a request with its preview and digest."""

import asyncio
from dataclasses import dataclass, field
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
from core.lookalikes import warnings_of
from core.masking import mask, scrub
from core.store import deciders, plans, policies, requesters
from core.tables.consent import Approval
from core.tables.work import ToolCall, Turn
from core.values import ApprovalState, CallVerdict
from core.views import MAX_COST, PreviewView
from workers.calling import bind, context_of

PREVIEW_SECONDS = 10.0
OUTSIDE = "api"
"""The channel of a request that no message led to."""


@dataclass(frozen=True)
class Judge:
    """Judges one call at a time. `expiry`: the time to decide where no rule names one."""

    registry: Registry
    expiry: timedelta
    documents: policies.Documents = field(default_factory=policies.Documents)

    async def rule(
        self,
        session: AsyncSession,
        call: ToolCall,
        bound: BoundAction,
        *,
        repeats: bool = False,
        untrusted: bool | None = None,
    ) -> policy.Ruling:
        """Say what policy makes of a call now. Raises Conflict when who asks is not here any more.

        `untrusted`: the model had read what outsiders wrote; None: whatever its turn had read when it asked for this.
        """
        turn = await session.get_one(Turn, call.turn_id)
        if untrusted is None:
            untrusted = turn.untrusted_at is not None and turn.untrusted_at <= call.created_at
        asker = await self._asker(session, call.workspace_id, call.user_id)
        facts = policy.CallFacts(
            action=call.action,
            risk=bound.spec.risk,
            effect=bound.spec.effect,
            allow_reason=bound.spec.allow_reason,
            repeats_once_only=repeats,
            arguments=call.arguments,
            door=turn.door,
            conversation_id=call.conversation_id,
            at=now(),
            untrusted=untrusted,
            **_about(asker),
        )
        return await self._evaluate(session, call.workspace_id, facts)

    async def rule_outside(
        self, session: AsyncSession, approval: Approval, action: OutsideAction, arguments: dict[str, Any]
    ) -> policy.Ruling:
        """Say what policy makes of an outside request now. Raises Conflict when who asks is not here any more."""
        asker = await self._asker(session, approval.workspace_id, approval.requester_id)
        facts = policy.CallFacts(
            action=action.name,
            risk=action.spec.risk,
            effect=action.spec.effect,
            allow_reason=action.spec.allow_reason,
            arguments=arguments,
            door=OUTSIDE,
            at=now(),
            **_about(asker),
        )
        return await self._evaluate(session, approval.workspace_id, facts)

    async def _evaluate(self, session: AsyncSession, workspace_id: str, facts: policy.CallFacts) -> policy.Ruling:
        try:
            current = await self.documents.current(session, workspace_id)
        except policies.BrokenPolicy as broken:
            return policy.Ruling(verdict=CallVerdict.DENY, rule=broken.detail)
        return policy.evaluate(facts, current.document, current.version)

    async def _asker(self, session: AsyncSession, workspace_id: str, user_id: str) -> requesters.Requester:
        asker = await requesters.requester_of(session, workspace_id, user_id)
        if asker is None:
            message = "who asked for this is no longer here"
            raise Conflict(message)
        return asker

    async def plan_of(self, session: AsyncSession, call: ToolCall, ruling: policy.Ruling) -> dict[str, Any]:
        """Give the plan of a ruling that asks, as it is stored and bound. Raises NobodyToAsk."""
        resolved = await self.resolve(session, ruling, call.workspace_id, call.user_id)
        return resolved.plan.model_dump(mode="json")

    async def resolve(
        self, session: AsyncSession, ruling: policy.Ruling, workspace_id: str, requester_id: str
    ) -> plans.Resolved:
        """Say who is asked by a ruling that asks, and until when. Raises NobodyToAsk."""
        if ruling.asking is None:
            message = "this ruling asks nobody"
            raise ValueError(message)
        current = await self.documents.current(session, workspace_id)
        return await plans.resolve(
            session, ruling.asking, workspace_id, requester_id, now(), self.expiry, current.document
        )

    async def preview(self, bound: BoundAction, call: ToolCall) -> PreviewView:
        """Let the connector say what a call would do, without its secrets. Raises its errors, and TimeoutError."""
        async with asyncio.timeout(PREVIEW_SECONDS):
            preview = await bound.connector.preview(
                bound.spec.name, call.arguments, context_of(call, seconds=PREVIEW_SECONDS)
            )
        told = scrub(bound.spec.secrets, call.arguments, preview.model_dump())
        told["cost"] = told["cost"] and told["cost"][:MAX_COST]  # a mask may be longer than what it hides
        shown = PreviewView.model_validate(told)
        odd = warnings_of(mask(bound.spec.secrets, call.arguments))
        return shown.model_copy(update={"warnings": (*shown.warnings, *odd)})

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
        """Make the request for consent to a call, as its row. Raises ValueError for what no digest can cover.

        Raises CannotAsk when the rules want more than there is: people who could decide, a reason.
        """
        plans.check_reason(ruling.asking, reason)
        resolved = await self.resolve(session, ruling, call.workspace_id, call.user_id)
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
            reason=scrub(call.secrets, call.arguments, reason or None),
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


def _about(asker: requesters.Requester) -> dict[str, Any]:
    """Give what policy looks at of who asks, and of their workspace."""
    return {
        "requester_role": asker.role,
        "requester_id": asker.user_id,
        "requester_email": asker.email,
        "requester_groups": asker.groups,
        "mode": asker.mode,
    }
