"""The activity that lets policy judge an outside request: settled at once, or planned for people to decide."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from connectors.outside import OutsideAction
from core import policy
from core.clock import now
from core.consent import ConsentPlan
from core.digest import digest_of
from core.errors import AssentError
from core.faults import crash_point
from core.messages import ApprovalOutcome, AskInput, Prepared
from core.policy.built_in import built_in_asking
from core.rooms import Rooms
from core.store import approvals, asks, consents, deciders
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.work import Work, change
from core.tables.consent import Approval
from core.values import ApprovalState, CallVerdict
from workers.asking.outside import action_of, bind_outside, plan_of
from workers.heartbeat import beating
from workers.judging.judge import Judge

NOBODY = "nobody whom this was to ask may decide it"


@dataclass(frozen=True)
class Preparer:
    """Judges outside requests; made anew at each attempt until it is written down, then the same."""

    database: Database
    rooms: Rooms
    audit: AuditTrail
    judge: Judge

    @activity.defn(name="prepare_ask")
    async def prepare_ask(self, ask: AskInput) -> Prepared:
        """Settle a request by policy, or give what starts the approval of people."""
        async with beating(), change(self.database, self.rooms) as work:
            row = await approvals.lock(work.session, ask.approval_id)
            if row.state == ApprovalState.REQUESTED and not row.digest:
                await self._judge(work, row)
            is_open = ApprovalState(row.state).is_open
            prepared = Prepared(approval=approvals.as_input(row) if is_open else None)
        crash_point("ask.prepared")
        return prepared

    async def _judge(self, work: Work, row: Approval) -> None:
        if now() >= row.expires_at:
            await self._settle(work, row, ApprovalState.EXPIRED)
            return
        try:
            action = action_of(self.judge, row)
            ruling = await self.judge.rule_outside(work.session, row, action, row.arguments)
        except AssentError as error:
            row.rule = error.detail
            await self._settle(work, row, ApprovalState.REJECTED)
            return
        ruling = _as_wished(row, action, ruling)
        row.rule, row.policy_version = ruling.rule, ruling.policy_version
        if ruling.verdict is CallVerdict.ASK:
            await self._plan(work, row, action, ruling)
        else:
            verdict = ApprovalState.APPROVED if ruling.verdict is CallVerdict.ALLOW else ApprovalState.REJECTED
            self._bind(row, action, None)
            await self._settle(work, row, verdict)

    async def _plan(self, work: Work, row: Approval, action: OutsideAction, ruling: policy.Ruling) -> None:
        try:
            plan, expires_at = await plan_of(self.judge, work.session, row, ruling)
        except (AssentError, ValueError) as error:
            row.rule = error.detail if isinstance(error, AssentError) else str(error)
            await self._settle(work, row, ApprovalState.REJECTED)
            return
        row.plan = plan.model_dump(mode="json")
        row.expires_at = min(row.expires_at, expires_at) if asks.asked_of(row).expires_seconds else expires_at
        self._bind(row, action, row.plan)
        if not await self._somebody(work.session, row, plan):
            row.rule = NOBODY
            await self._settle(work, row, ApprovalState.REJECTED)

    async def _somebody(self, session: AsyncSession, row: Approval, plan: ConsentPlan) -> bool:
        """Whether anybody at all may consent: nobody should wait for what cannot come."""
        entitled = deciders.ways(plan, 0, row.requester_id, escalated=plan.escalate_to is not None)
        people = {view.user_id for _, view in await deciders.people_for(session, row.workspace_id, entitled)}
        if plan.exclude_requester:
            people -= {row.requester_id}
        return bool(await deciders.wished(session, row.workspace_id, plan, row.requester_id, people))

    def _bind(self, row: Approval, action: OutsideAction, plan: dict[str, Any] | None) -> None:
        binding = bind_outside(row, action, row.arguments, row.policy_version, row.expires_at, plan)
        row.bound, row.digest = binding.model_dump(mode="json"), digest_of(binding)

    async def _settle(self, work: Work, row: Approval, state: ApprovalState) -> None:
        """Close it without asking anybody; the rule says why."""
        outcome = ApprovalOutcome(approval_id=row.id, state=state, digest=row.digest, at=now())
        await work.session.flush()
        await consents.close(work, outcome)
        facts = {"digest": row.digest, "rule": row.rule, "by": "policy", "policy_version": row.policy_version}
        await self.audit.record(work, row.workspace_id, "policy", f"approval.{state}", row.id, **facts)


def _as_wished(row: Approval, action: OutsideAction, ruling: policy.Ruling) -> policy.Ruling:
    """Ask people where the asker names some, though policy would allow it: a wish only makes it stricter."""
    if ruling.verdict is not CallVerdict.ALLOW or not asks.asked_of(row).wished.names_people:
        return ruling
    facts = policy.CallFacts(action=action.name, risk=action.spec.risk, requester_role="")
    asked = {"verdict": CallVerdict.ASK, "rule": "who asked wants people to decide", "asking": built_in_asking(facts)}
    return ruling.model_copy(update=asked)
