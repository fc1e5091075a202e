"""The activity that turns edited arguments into a revision: checked, judged, previewed and bound anew."""

from typing import Any

import structlog
from temporalio import activity

from connectors.registry import Registry
from core.consent import ConsentPlan
from core.digest import Bound, digest_of
from core.errors import AssentError
from core.faults import crash_point
from core.ids import new_secret
from core.masking import unmask
from core.messages import Revised
from core.store.approvals import QUESTION
from core.store.database import Database
from core.tables.consent import Approval, Decision
from core.tables.work import ToolCall
from core.values import CallVerdict
from workers.asking.outside import revision_of
from workers.calling import bind
from workers.heartbeat import beating
from workers.judging.judge import Judge
from workers.judging.question import answer_revision

_log = structlog.get_logger()


class Reviser:
    """Makes revisions; the approval's workflow says whether they count."""

    def __init__(self, database: Database, registry: Registry, judge: Judge) -> None:
        """Take what it checks and judges with."""
        self._database = database
        self._registry = registry
        self._judge = judge

    @activity.defn(name="revise_approval")
    async def revise_approval(self, decision_id: str) -> Revised:
        """Give the revision of a decision, the same at each attempt; or why there is none (the sentence is in SQL)."""
        async with beating():
            async with self._database.reading() as session:
                decision = await session.get_one(Decision, decision_id)
                approval = await session.get_one(Approval, decision.approval_id)
                call = await session.get(ToolCall, approval.tool_call_id) if approval.tool_call_id else None
            if decision.revision is not None:
                return _revised(decision_id, decision.revision)
            arguments = decision.arguments or {}
            try:
                if approval.origin == QUESTION:
                    async with self._database.reading() as session:
                        revision = await answer_revision(session, approval, arguments)
                elif call is None:
                    revision = await revision_of(self._database, self._judge, approval, arguments)
                else:
                    revision = await self._make(approval, call, arguments)
            except (AssentError, ValueError, TimeoutError) as error:
                sentence = error.detail if isinstance(error, AssentError) else str(error)
                return await self._refuse(decision_id, sentence or "The connector took too long")
            except Exception:  # noqa: BLE001  a connector may raise anything, and people wait
                # A traceback may quote the arguments.
                _log.error(
                    "a connector cannot say what it would do",
                    action=approval.action,
                    decision_id=decision_id,
                    exc_info=not approval.secrets,
                )
                return await self._refuse(decision_id, "The connector does not say what this would do")
            async with self._database.writing() as session:
                row = await session.get_one(Decision, decision_id)
                row.revision = row.revision or revision
                kept = row.revision
        crash_point("approval.revised")
        return _revised(decision_id, kept)

    async def _make(self, approval: Approval, call: ToolCall, arguments: dict[str, Any]) -> dict[str, Any]:
        """Judge the call with other arguments. Where policy would not even ask, those asked before still decide."""
        bound = self._registry.of(call.workspace_id).action(call.action)
        if bound.schema_digest != call.schema_digest:
            message = "The action has changed since this was asked"
            raise ValueError(message)
        arguments = unmask(bound.spec.secrets, approval.arguments, arguments)
        changed = ToolCall.model_validate({**call.model_dump(), "arguments": bound.check(arguments)})
        async with self._database.reading() as session:
            ruling = await self._judge.rule(session, changed, bound)
        if ruling.verdict is CallVerdict.DENY:
            raise ValueError(ruling.rule)
        preview = await self._judge.preview(bound, changed)
        async with self._database.reading() as session:
            plan = approval.plan if ruling.asking is None else await self._judge.plan_of(session, changed, ruling)
        asked = Bound.model_validate(approval.bound)
        binding = bind(changed, ruling.policy_version, asked.expires_at, new_secret(), plan)
        return {
            "arguments": changed.arguments,
            "preview": preview.model_dump(mode="json"),
            "plan": plan,
            "bound": binding.model_dump(mode="json"),
            "digest": digest_of(binding),
            "rule": ruling.rule,
            "policy_version": ruling.policy_version,
        }

    async def _refuse(self, decision_id: str, sentence: str) -> Revised:
        async with self._database.writing() as session:
            row = await session.get_one(Decision, decision_id)
            row.detail = sentence
        return Revised(decision_id=decision_id, refusal="not_valid")


def _revised(decision_id: str, revision: dict[str, Any]) -> Revised:
    return Revised(
        decision_id=decision_id,
        digest=revision["digest"],
        plan=ConsentPlan.model_validate(revision["plan"]),
    )
