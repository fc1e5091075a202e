"""Why consent to an outside request holds no more though its people stand by it: its action, or the rules, changed."""

from sqlalchemy.ext.asyncio import AsyncSession

from connectors.outside import OutsideAction, outside_action
from connectors.registry import Registry
from core import policy
from core.clock import now
from core.errors import AssentError
from core.store import asks, policies, requesters
from core.tables.consent import Approval
from core.values import CallVerdict, OperationMode

_CHANGED = "the action has changed since this was asked"
_DOOR = "api"


async def why(session: AsyncSession, registry: Registry, row: Approval) -> str | None:
    """Say what became stricter since an outside request was approved; None when nothing did.

    An emergency voids nothing: it only lets nothing begin.
    """
    asked = asks.asked_of(row)
    try:
        action = outside_action(registry.of(row.workspace_id), row.action, row.risk, asked.effect, row.schema_)
    except AssentError as error:
        return error.detail
    if action.schema_digest != asked.schema_digest:
        return _CHANGED
    asker = await requesters.requester_of(session, row.workspace_id, row.requester_id)
    if asker is None:
        return "who asked for this is no longer here"
    if asker.mode is OperationMode.EMERGENCY:
        return None
    ruling = await _ruling(session, row, action, asker)
    by_rules = row.decided_by is None and not row.votes
    before = CallVerdict.ALLOW if by_rules else CallVerdict.ASK
    return (
        f"the rules became stricter since this was approved: {ruling.rule}" if ruling.is_stricter_than(before) else None
    )


async def _ruling(
    session: AsyncSession, row: Approval, action: OutsideAction, asker: requesters.Requester
) -> policy.Ruling:
    try:
        current = await policies.current(session, row.workspace_id)
    except policies.BrokenPolicy as broken:
        return policy.Ruling(verdict=CallVerdict.DENY, rule=broken.detail)
    facts = policy.CallFacts(
        action=action.name,
        risk=action.spec.risk,
        effect=action.spec.effect,
        allow_reason=action.spec.allow_reason,
        arguments=row.arguments,
        door=_DOOR,
        at=now(),
        requester_role=asker.role,
        requester_id=asker.user_id,
        requester_email=asker.email,
        requester_groups=asker.groups,
        mode=asker.mode,
    )
    return policy.evaluate(facts, current.document, current.version)
