"""What is made of an outside request: its action, its plan as policy and the asker want it, its digest, its edits."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from connectors.outside import OutsideAction, outside_action
from core import policy
from core.consent import ConsentPlan
from core.digest import Bound, digest_of
from core.ids import new_secret
from core.masking import mask, unmask
from core.store import asks, plans, wishes
from core.store.database import Database
from core.tables.consent import Approval
from core.values import CallVerdict
from core.views import ChangeView, PreviewView
from workers.judging.judge import Judge

_MAX_SHOWN = 500
_MAX_CHANGES = 20


def action_of(judge: Judge, row: Approval) -> OutsideAction:
    """Give the action of a request as it was asked. Raises Invalid when there is no such action any more."""
    return outside_action(
        judge.registry.of(row.workspace_id), row.action, row.risk, asks.asked_of(row).effect, row.schema_
    )


async def plan_of(
    judge: Judge, session: AsyncSession, row: Approval, ruling: policy.Ruling
) -> tuple[ConsentPlan, datetime]:
    """Give how people decide, and until when: as policy says, stricter where the asker wished. Raises CannotAsk."""
    plans.check_reason(ruling.asking, row.reason)
    resolved = await judge.resolve(session, ruling, row.workspace_id, row.requester_id)
    plan = await wishes.as_wished(session, row, resolved.plan, judge.expiry)
    return plan, resolved.expires_at


def bind_outside(
    row: Approval,
    action: OutsideAction,
    arguments: dict[str, Any],
    policy_version: int,
    expires_at: datetime,
    plan: dict[str, Any] | None,
) -> Bound:
    """Give what consent to an outside request is bound to."""
    return Bound(
        workspace_id=row.workspace_id,
        conversation_id=None,
        turn_id=None,
        tool_call_id=None,
        action=row.action,
        schema_digest=action.schema_digest,
        connection_id=None,
        principal_id=row.requester_id,
        arguments=arguments,
        policy_version=policy_version,
        expires_at=expires_at,
        nonce=new_secret(),
        plan=plan,
    )


async def revision_of(database: Database, judge: Judge, row: Approval, arguments: dict[str, Any]) -> dict[str, Any]:
    """Judge a request with other arguments. Where policy would not even ask, those asked before still decide.

    Raises ValueError and AssentError that say why there is none.
    """
    action = action_of(judge, row)
    if row.schema_ is None:
        message = "It came without a schema of its arguments, so nobody can tell which others it could take"
        raise ValueError(message)
    if action.schema_digest != asks.asked_of(row).schema_digest:
        message = "The action has changed since this was asked"
        raise ValueError(message)
    changed = action.check(unmask(action.secrets, row.arguments, arguments))
    async with database.reading() as session:
        ruling = await judge.rule_outside(session, row, action, changed)
        if ruling.verdict is CallVerdict.DENY:
            raise ValueError(ruling.rule)
        plan = row.plan
        if ruling.asking is not None:
            plan = (await plan_of(judge, session, row, ruling))[0].model_dump(mode="json")
    expires_at = Bound.model_validate(row.bound).expires_at
    binding = bind_outside(row, action, changed, ruling.policy_version, expires_at, plan)
    return {
        "arguments": changed,
        "preview": _edited(row, action, changed).model_dump(mode="json"),
        "plan": plan,
        "bound": binding.model_dump(mode="json"),
        "digest": digest_of(binding),
        "rule": ruling.rule,
        "policy_version": ruling.policy_version,
    }


def _edited(row: Approval, action: OutsideAction, changed: dict[str, Any]) -> PreviewView:
    """Show what the edit changed; what the asker said of the old arguments may not be true of these."""
    before, after = mask(action.secrets, row.arguments), mask(action.secrets, changed)
    every = {**row.arguments, **changed}
    names = [name for name in every if name not in row.arguments or row.arguments[name] != changed.get(name)]
    names += [name for name in every if name not in changed and name not in names]
    warnings = PreviewView.model_validate(row.preview).warnings
    if len(names) > _MAX_CHANGES:
        warnings += (f"{len(names) - _MAX_CHANGES} more arguments were changed.",)
    return PreviewView(
        summary=row.title,
        changes=tuple(
            ChangeView(label=one, before=_said(before, one), after=_said(after, one)) for one in names[:_MAX_CHANGES]
        ),
        reversible=False,
        warnings=warnings,
    )


def _said(arguments: Mapping[str, Any], name: str) -> str | None:
    if name not in arguments:
        return None
    value = arguments[name]
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_MAX_SHOWN]
