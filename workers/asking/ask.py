"""The activities that show a request for consent, and close it everywhere."""

from typing import Any

from temporalio import activity

from core.faults import crash_point
from core.messages import ApprovalOutcome, ApprovalProgress
from core.rooms import Rooms
from core.store import consents, grants
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.work import Work, change
from core.tables.consent import Approval
from core.values import ApprovalState
from workers.heartbeat import beating


class Asker:
    """Shows and closes approvals."""

    def __init__(self, database: Database, rooms: Rooms, audit: AuditTrail) -> None:
        """Take where they are kept and who is told."""
        self._database = database
        self._rooms = rooms
        self._audit = audit

    @activity.defn(name="open_approval")
    async def open_approval(self, approval_id: str) -> bool:
        """Show it to everyone who may decide. Its workflow waits durably by now: nobody's answer can be lost."""
        async with beating(), change(self._database, self._rooms) as work:
            approval, first = await consents.show(work, approval_id)
            if approval is not None and first:
                facts = _ruling(approval) | {
                    "action": approval.action,
                    "risk": approval.risk,
                    "digest": approval.digest,
                }
                await self._audit.record(
                    work, approval.workspace_id, approval.requester_id, "approval.requested", approval.id, **facts
                )
        crash_point("approval.opened")
        return approval is not None

    @activity.defn(name="note_approval")
    async def note_approval(self, progress: ApprovalProgress) -> None:
        """Store how an open approval stands after a vote, an edit, an escalation or a reminder; tell who may decide."""
        async with beating(), change(self._database, self._rooms) as work:
            editor = await consents.editor_of(work.session, progress)
            approval = await consents.note(work, progress)
            if approval is not None:
                await self._record_edit(work, approval, editor, progress)
                facts = {"digest": progress.digest, "stage": progress.stage, "escalated": progress.escalated}
                facts |= {"votes": [vote.decision_id for vote in progress.votes], "reminded": progress.remind}
                await self._audit.record(work, approval.workspace_id, "clock", "approval.updated", approval.id, **facts)
        crash_point("approval.noted")

    @activity.defn(name="close_approval")
    async def close_approval(self, outcome: ApprovalOutcome) -> None:
        """Store what it came to and tell everyone who was asked."""
        async with beating(), change(self._database, self._rooms) as work:
            editor = await consents.editor_of(work.session, outcome)
            approval = await consents.close(work, outcome)
            if approval is not None:
                facts = {"digest": outcome.digest, "decision_id": outcome.decision_id}
                actor = outcome.user_id or "clock"
                grant = await grants.give(work, approval) if outcome.state is ApprovalState.APPROVED else None
                await self._record_edit(work, approval, editor, outcome)
                await self._audit.record(
                    work, approval.workspace_id, actor, f"approval.{outcome.state}", approval.id, **facts
                )
                if grant is not None:
                    given = grants.facts_of(grant)
                    await self._audit.record(
                        work, approval.workspace_id, grant.granted_by, "grant.given", grant.id, **given
                    )
        crash_point("approval.closed")

    async def _record_edit(
        self, work: Work, approval: Approval, editor: str | None, told: ApprovalProgress | ApprovalOutcome
    ) -> None:
        """Note that somebody changed the arguments, where the workflow's word brought that."""
        if editor is not None:
            facts = _ruling(approval)
            facts |= {"digest": told.digest, "decision_id": told.revision, "revision": approval.revision}
            await self._audit.record(work, approval.workspace_id, editor, "approval.edited", approval.id, **facts)


def _ruling(approval: Approval) -> dict[str, Any]:
    """Give under which rule of which version of the policy it is asked."""
    return {"policy_version": approval.policy_version, "rule": approval.rule}
