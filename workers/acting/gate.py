"""The gate: what may pass to a connector, decided in one transaction with the intent that makes it happen once.

It fails closed: whatever is not exactly as it was allowed or approved is not run, and says why.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from connectors.base import Answered
from connectors.manifest import Effect
from connectors.registry import BoundAction, Registry
from core.digest import Bound, canonical, digest_of
from core.errors import AssentError, Conflict
from core.masking import mask
from core.messages import ActInput, ApprovalInput, ApprovalOutcome
from core.policy import Ruling
from core.store import approvals, calls, consents
from core.store.audit import AuditTrail
from core.store.work import Work
from core.tables.consent import Approval
from core.tables.work import Intent, ToolCall, Turn
from core.values import ApprovalState, CallState, CallVerdict, TurnState
from workers.acting.consent import is_still_given, what_is_missing
from workers.calling import bind
from workers.judging import granting
from workers.judging.judge import Judge

_CHANGED = "the action has changed since this was asked"
_USED = "this consent was used before"


@dataclass(frozen=True)
class Passage:
    """The gate's answer: `action` to run now, or None with the state that stands.

    `void` says why the consent that was given holds no more, and people are to be asked again; `again`: they are.
    `answer`: the call goes on with what people said. `number` is this attempt's; a greater one is newer.
    `hides`: where the answers have secrets, and the answers.
    """

    call: ToolCall
    action: BoundAction | None
    refusal: str | None = None
    void: str | None = None
    again: ApprovalInput | None = None
    answer: Answered | None = None
    number: int = 0
    hides: tuple[tuple[list[list[str]], dict[str, Any]], ...] = ()


class Shut(Exception):
    """The call must not run; the sentence says why. `code` is for programs that read the audit trail."""

    def __init__(self, sentence: str, code: str = "not_run") -> None:
        """Keep why."""
        super().__init__(sentence)
        self.code = code


class Void(Exception):
    """What let the call through holds no more, though somebody may consent to it anew; the sentence says why."""


@dataclass(frozen=True)
class Gate:
    """Decides about one call at a time."""

    registry: Registry
    audit: AuditTrail
    judge: Judge

    async def pass_through(self, work: Work, step: ActInput, attempt: int) -> Passage:
        """Let the call pass, once; give what stands already; or shut it, with the reason stored and told."""
        turn, call = await calls.lock(work.session, step.tool_call_id)
        intent = await calls.intent_of(work.session, call.id)
        if intent is not None:
            return await self._again(work, call, step.outcome, intent, attempt)
        if call.state not in {CallState.PROPOSED, CallState.AWAITING}:
            return Passage(call, None)
        again = await self.asked_again(work, call, step.outcome)
        if again is not None:
            return Passage(call, None, again=again)
        try:
            action, ruling = await self._check(work, turn, call, step)
        except Shut as shut:
            return await self.shut(work, call, str(shut), shut.code)
        except Void as void:
            return Passage(call, None, void=str(void))
        approval_id = step.outcome.approval_id if step.outcome else None
        await calls.begin(work, call, approval_id, call.id, attempt)
        await self._record_start(work, call, approval_id, ruling)
        return Passage(call, action, number=attempt)

    async def _record_start(self, work: Work, call: ToolCall, approval_id: str | None, ruling: Ruling) -> None:
        facts = {
            "action": call.action,
            "approval_id": approval_id,
            "rule": call.rule,
            "grant_id": call.grant_id,
            "policy_version": ruling.policy_version,
            "arguments_digest": arguments_digest(call),
        }
        await self.audit.record(work, call.workspace_id, call.user_id, "call.started", call.id, **facts)

    async def asked_again(self, work: Work, call: ToolCall, outcome: ApprovalOutcome | None) -> ApprovalInput | None:
        """Give the request that an attempt before this one made anew, and did not live to tell of."""
        newest = await calls.approval_of(work.session, call.id)
        if newest is None or not ApprovalState(newest.state).is_open:
            return None
        told = outcome is not None and outcome.approval_id == newest.id
        return None if told else approvals.as_input(newest)

    async def _again(
        self, work: Work, call: ToolCall, outcome: ApprovalOutcome | None, intent: Intent, attempt: int
    ) -> Passage:
        """An intent is there: another attempt sent, or was about to. Only what is safe to repeat is sent again."""
        if intent.outcome is not None or call.state == CallState.UNKNOWN or attempt < intent.attempt:
            return Passage(call, None)
        intent.attempt = attempt
        try:
            return Passage(call, await self._check_repeatable(work, call, outcome), number=attempt)
        except Shut as shut:
            detail = f"{shut}: nobody knows whether it took effect"
            await calls.settle(work, call, CallState.UNKNOWN, detail=detail)
            await self._record(work, call, "call.unknown", detail)
            return Passage(call, None)

    async def _check_repeatable(self, work: Work, call: ToolCall, outcome: ApprovalOutcome | None) -> BoundAction:
        action = self.same_action(call)
        if action.spec.effect == Effect.AT_MOST_ONCE:
            raise Shut("the server stopped while this was being sent")
        if call.verdict == CallVerdict.ASK:
            await self._check_unchanged(work, call, outcome)
        return action

    async def _check(self, work: Work, turn: Turn, call: ToolCall, step: ActInput) -> tuple[BoundAction, Ruling]:
        if TurnState(turn.state).is_terminal:
            raise Shut("the turn was stopped before this ran")
        action = self._fitting_action(call)
        try:
            ruling = await self.judge.rule(work.session, call, action)
        except Conflict as gone:
            raise Shut(gone.detail) from gone
        if ruling.verdict is CallVerdict.DENY:
            message = f"the rules became stricter since this was asked: {ruling.rule}"
            raise Shut(message, "denied")
        if call.verdict == CallVerdict.ASK:
            await self._check_consent(work, call, action, step.outcome, ruling)
        elif call.verdict != CallVerdict.ALLOW:
            raise Shut("policy does not allow this")
        else:
            await self._check_allowed(work, call, action, ruling)
        return action, ruling

    async def _check_allowed(self, work: Work, call: ToolCall, action: BoundAction, ruling: Ruling) -> None:
        if action.schema_digest != call.schema_digest:
            raise Shut(_CHANGED)
        if ruling.verdict is not CallVerdict.ASK:
            return
        if call.grant_id is None:
            raise Void("the rules became stricter since this was allowed")
        if not await granting.use(work, self.judge, call, action, ruling):
            raise Void('what was "always allowed" is so no more')

    def _fitting_action(self, call: ToolCall) -> BoundAction:
        try:
            action = self.registry.of(call.workspace_id).action(call.action)
            action.check(call.arguments)
        except AssentError as error:
            raise Shut(error.detail) from error
        return action

    def same_action(self, call: ToolCall) -> BoundAction:
        """Give the action when it still is what the call was planned with; raises Shut."""
        action = self._fitting_action(call)
        if action.schema_digest != call.schema_digest:
            raise Shut(_CHANGED)
        return action

    async def _check_consent(
        self, work: Work, call: ToolCall, action: BoundAction, outcome: ApprovalOutcome | None, ruling: Ruling
    ) -> None:
        approval, consent = await self._check_unchanged(work, call, outcome)
        if approval.consumed_at is not None or approval.state != ApprovalState.APPROVED:
            raise Shut(_USED)
        if action.schema_digest != call.schema_digest:
            raise Void(_CHANGED)
        if not await calls.is_connected(work.session, call):
            raise Void("the connection to the service was removed")
        if not await is_still_given(work.session, approval, consent):
            raise Void("who approved this may no longer do so")
        missing = await what_is_missing(work.session, self.judge, approval, consent, ruling)
        if missing is not None:
            raise Void(missing)
        if not await consents.consume(work.session, approval.id):
            raise Shut(_USED)

    async def _check_unchanged(
        self, work: Work, call: ToolCall, outcome: ApprovalOutcome | None
    ) -> tuple[Approval, ApprovalOutcome]:
        approval = await calls.approval_of(work.session, call.id)
        if outcome is None or approval is None or outcome.approval_id != approval.id:
            raise Shut("nobody was asked")
        if outcome.state is not ApprovalState.APPROVED:
            raise Shut("nobody approved it")
        if _digest_now(call, approval) != outcome.digest:
            raise Shut("what would run is not what was approved", "digest_mismatch")
        return approval, outcome

    async def shut(self, work: Work, call: ToolCall, reason: str, code: str = "not_run") -> Passage:
        """Settle a call that must not run, and say so in the audit trail."""
        await calls.settle(work, call, CallState.NOT_RUN, detail=reason)
        await self._record(work, call, "call.refused", reason, code=code)
        return Passage(call, None, refusal=reason)

    async def _record(self, work: Work, call: ToolCall, kind: str, reason: str, **more: str) -> None:
        facts = {"action": call.action, "reason": reason} | more
        await self.audit.record(work, call.workspace_id, call.user_id, kind, call.id, **facts)


def arguments_digest(call: ToolCall) -> str:
    """Give the SHA-256, in hex, of the canonical JSON of a call's arguments, secrets masked: they could be guessed."""
    return hashlib.sha256(canonical(mask(call.secrets, call.arguments))).hexdigest()


def _digest_now(call: ToolCall, approval: Approval) -> str:
    """Recompute from the arguments about to be sent; only expiry, nonce and policy version come from the asking."""
    asked = Bound.model_validate(approval.bound)
    plan = None if asked.version == 1 else approval.plan
    return digest_of(bind(call, asked.policy_version, asked.expires_at, asked.nonce, plan))
