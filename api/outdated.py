"""What became of a request's action and of the rules since it was asked: whether consent to it holds, or could help."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from connectors.outside import OutsideAction, outside_action
from connectors.registry import BoundAction, Registry
from core import policy
from core.clock import now
from core.consent import ConsentPlan
from core.errors import AssentError
from core.store import approvals, asks, deciders, plans, policies, requesters, wishes
from core.store.standing import holds_still
from core.tables.consent import Approval
from core.tables.work import ToolCall, Turn
from core.values import CallVerdict, OperationMode
from workflows import approval_rules

CHANGED, DENIED, EMERGENCY = "action_changed", "denied_now", "emergency"
IN_VAIN = frozenset({CHANGED, DENIED, EMERGENCY})
_CHANGED = "the action has changed since this was asked"
_GONE = "who asked for this is no longer here"
_DOOR = "api"
_STOPPED = "The workspace is in emergency mode: nothing that has not begun may begin, so nothing can be approved."


async def why(session: AsyncSession, registry: Registry, row: Approval) -> str | None:
    """Say what became stricter since an outside request was approved; None when nothing did.

    An emergency voids nothing: it only lets nothing begin.
    """
    try:
        action = _outside(registry, row)
    except AssentError as error:
        return error.detail
    if action.schema_digest != asks.asked_of(row).schema_digest:
        return _CHANGED
    asker = await requesters.requester_of(session, row.workspace_id, row.requester_id)
    if asker is None:
        return _GONE
    if asker.mode is OperationMode.EMERGENCY:
        return None
    ruling, current = await _rule(session, policies.Documents(), row, action, asker)
    by_rules = row.decided_by is None and not row.votes
    before = CallVerdict.ALLOW if by_rules else CallVerdict.ASK
    if ruling.is_stricter_than(before):
        return f"the rules became stricter since this was approved: {ruling.rule}"
    return await _what_is_missing(session, row, ruling, current)


async def _what_is_missing(
    session: AsyncSession, row: Approval, ruling: policy.Ruling, current: policies.Current
) -> str | None:
    """Say what the rules of now want that was not given, where they are another version than it was asked under."""
    if ruling.asking is None or ruling.policy_version == row.policy_version:
        return None
    expiry: timedelta = row.expires_at - row.created_at
    try:
        plans.check_reason(ruling.asking, row.reason)
        resolved = await plans.resolve(
            session, ruling.asking, row.workspace_id, row.requester_id, row.created_at, expiry, current.document
        )
        plan = await wishes.as_wished(session, row, resolved.plan, expiry)
    except AssentError as error:
        return error.detail
    return None if await _is_enough(session, row, plan) else plans.MORE_WANTED


async def _is_enough(session: AsyncSession, row: Approval, plan: ConsentPlan) -> bool:
    """Whether its votes would be all the consent that this plan asks for."""
    person = await deciders.person_of(session, row.workspace_id, row.requester_id)
    request = approvals.as_input(row).model_copy(update={"requester_person_id": person, "plan": plan})
    standing = replace(approval_rules.begin(request), escalated=row.escalated_at is not None)
    return await holds_still(session, row, standing, approval_rules.decide)


@dataclass(frozen=True)
class Prospects:
    """Says, before consent is taken, whether it could lead to anything. `documents` keeps what it has read."""

    registry: Registry
    documents: policies.Documents = field(default_factory=policies.Documents)

    async def refusal(self, session: AsyncSession, row: Approval, *, edits: bool) -> tuple[str | None, str | None]:
        """Give the code and the sentence of why consent to a request would be in vain now; neither when it would not.

        As a rule one look at SQL: the rules are applied only where others hold than those it was asked under. Changed
        arguments are judged by a worker, and what a service asks is part of a call that has begun.
        """
        if row.origin == approvals.QUESTION:
            return None, None
        changed = self._changed(row)
        if changed is not None:
            return CHANGED, f"{changed} Consent to it would lead to nothing: reject it, and ask anew."
        mode, version = await policies.holding(session, row.workspace_id)
        if mode is OperationMode.EMERGENCY:
            stops = row.origin == asks.ORIGIN or await self._denied(session, row) is not None
            return (EMERGENCY, _STOPPED) if stops else (None, None)
        rule = None if edits or version == row.policy_version else await self._denied(session, row)
        return (DENIED, f"The rules deny this now: {rule}.") if rule is not None else (None, None)

    def _changed(self, row: Approval) -> str | None:
        """Say how its action is another now, unless that has it asked again, as the gate does with a turn's.

        A program's own action, whose schema takes time to check, is what it was.
        """
        registry = self.registry.of(row.workspace_id)
        connectors = {manifest.id for manifest in registry.manifests()}
        is_own = row.origin == asks.ORIGIN and row.action.partition(".")[0] not in connectors
        if is_own and not asks.asked_of(row).native:
            return None
        try:
            action = self._action_of(row)
        except AssentError as error:
            return error.detail
        same = action.schema_digest == row.bound.get("schema_digest", action.schema_digest)
        return None if same or row.origin != asks.ORIGIN else "The action has changed since this was asked."

    def _action_of(self, row: Approval) -> BoundAction | OutsideAction:
        if row.origin == asks.ORIGIN:
            return _outside(self.registry, row)
        return self.registry.of(row.workspace_id).action(row.action)

    async def _denied(self, session: AsyncSession, row: Approval) -> str | None:
        """Give the rule that denies it now; None when none does."""
        asker = await requesters.requester_of(session, row.workspace_id, row.requester_id)
        if asker is None:
            return _GONE
        ruling, _ = await _rule(session, self.documents, row, self._action_of(row), asker)
        return ruling.rule if ruling.verdict is CallVerdict.DENY else None


def _outside(registry: Registry, row: Approval) -> OutsideAction:
    effect = asks.asked_of(row).effect
    return outside_action(registry.of(row.workspace_id), row.action, row.risk, effect, row.schema_)


async def _rule(
    session: AsyncSession,
    documents: policies.Documents,
    row: Approval,
    action: BoundAction | OutsideAction,
    asker: requesters.Requester,
) -> tuple[policy.Ruling, policies.Current]:
    """Say what the rules of now make of a request, and which they are. What cannot be read denies."""
    try:
        current = await documents.current(session, row.workspace_id)
    except policies.BrokenPolicy as broken:
        return policy.Ruling(verdict=CallVerdict.DENY, rule=broken.detail), policies.Current()
    facts = policy.CallFacts(
        action=action.name,
        risk=action.spec.risk,
        effect=action.spec.effect,
        allow_reason=action.spec.allow_reason,
        arguments=row.arguments,
        at=now(),
        requester_role=asker.role,
        requester_id=asker.user_id,
        requester_email=asker.email,
        requester_groups=asker.groups,
        mode=asker.mode,
        **await _whence(session, row),
    )
    return policy.evaluate(facts, current.document, current.version), current


async def _whence(session: AsyncSession, row: Approval) -> dict[str, Any]:
    """Give what policy looks at of where a request came from."""
    if row.turn_id is None:
        return {"door": _DOOR}
    turn = await session.get_one(Turn, row.turn_id)
    call = await session.get_one(ToolCall, row.tool_call_id)
    untrusted = turn.untrusted_at is not None and turn.untrusted_at <= call.created_at
    return {"door": turn.door, "conversation_id": call.conversation_id, "untrusted": untrusted}
