"""What a model asked for becomes tool calls: checked, judged by policy, previewed where people are to be asked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.registry import BoundAction, Registry
from core import policy
from core.clock import now
from core.digest import canonical
from core.errors import AssentError
from core.ids import derived_id
from core.masking import has_mask
from core.modes import NOT_IN_THIS_MODE
from core.store import approvals, turns
from core.store.audit import AuditTrail
from core.store.context import Talk
from core.store.database import Database
from core.store.plans import CannotAsk
from core.store.work import Work
from core.tables.consent import Approval
from core.tables.work import ToolCall
from core.text import check_json, check_text, clean_text
from core.values import CallState, CallVerdict
from workers.judging import granting
from workers.judging.judge import Judge
from workers.llm.port import CallAsked, Recalled
from workers.thinking.manner import mode_of

MAX_NAME = 200
MASKED = "A value is masked, so it is not known here: ask the person for it."


@dataclass(frozen=True)
class Planner:
    """Plans the calls of a round."""

    database: Database
    registry: Registry
    judge: Judge
    max_calls: int
    max_pending: int = 20
    audit: AuditTrail | None = None

    async def plan(
        self,
        talk: Talk,
        number: int,
        asked: Sequence[CallAsked],
        reason: str,
        concerns: Mapping[str, str] | None = None,
        recalled: Sequence[Recalled] = (),
    ) -> list[tuple[ToolCall, Approval | None]]:
        """Give each call its row, and its approval where people are to be asked; `concerns` by call id.

        `recalled`: what the model was given from memory.
        """
        await self._note_untrusted(talk, recalled)
        before, most = len(talk.current.calls), self._most(talk)
        planned = [
            await self._plan(talk, number, place, one, reason, over=most if before + place >= most else None)
            for place, one in enumerate(asked)
        ]
        for (_, approval), one in zip(planned, asked, strict=True):
            if approval is not None and concerns and one.call_id in concerns:
                warnings = [concerns[one.call_id], *approval.preview.get("warnings", [])]
                approval.preview = approval.preview | {"warnings": warnings}
        planned = await self._within(talk, planned)
        _batch(talk, number, [approval for _, approval in planned if approval is not None])
        return planned

    async def _note_untrusted(self, talk: Talk, recalled: Sequence[Recalled]) -> None:
        """Keep that the model reads what outsiders wrote: in an earlier turn that is told to it, or in a document."""
        turn = talk.current.turn
        reads = is_untrusted(talk) or any(one.origin == "document" for one in recalled)
        if turn.untrusted_at is None and reads:
            async with self.database.writing() as session:
                turn.untrusted_at = await turns.mark_untrusted(session, turn.id)

    async def _within(
        self, talk: Talk, planned: list[tuple[ToolCall, Approval | None]]
    ) -> list[tuple[ToolCall, Approval | None]]:
        """Refuse what would have more requests wait in the conversation than people can look at."""
        asking = [call for call, approval in planned if approval is not None]
        if not asking:
            return planned
        async with self.database.reading() as session:
            waiting = await approvals.count_open(session, talk.conversation.id)
        over = asking[max(0, self.max_pending - waiting) :]
        if not over:
            return planned
        waits = waiting + len(asking) - len(over)
        rule = f"{waits} requests for consent wait in this conversation already: they have to be decided first"
        for call in over:
            call.rule = rule
            _refuse(call, CallState.DENIED, rule)
        await self._record(over, waits)
        refused = {call.id for call in over}
        return [(call, None if call.id in refused else approval) for call, approval in planned]

    async def _record(self, over: Sequence[ToolCall], waiting: int) -> None:
        if self.audit is None:
            return
        async with self.database.writing() as session:
            for call in over:
                facts = {"action": call.action, "reason": "too many requests wait", "waiting": waiting}
                await self.audit.record(
                    Work(session), call.workspace_id, call.user_id, "call.refused", call.id, **facts
                )

    def _most(self, talk: Talk) -> int:
        """Give the calls that a turn may make: the mode can only lower it."""
        allowed = mode_of(talk).tool_calls
        return self.max_calls if allowed is None else min(allowed, self.max_calls)

    async def _plan(
        self, talk: Talk, number: int, place: int, asked: CallAsked, reason: str, *, over: int | None
    ) -> tuple[ToolCall, Approval | None]:
        call = _row(talk, number, place, asked)
        fault = _fault(asked)
        if fault is not None:
            return _refuse(call, CallState.FAILED, fault), None
        if not mode_of(talk).allows(call.action):
            call.rule = NOT_IN_THIS_MODE
            return _refuse(call, CallState.DENIED, NOT_IN_THIS_MODE), None
        if over is not None:
            return _refuse(call, CallState.DENIED, f"a turn makes at most {over} calls"), None
        try:
            bound = self.registry.of(call.workspace_id).action(asked.name)
            call.secrets = bound.spec.secrets
            call.arguments = bound.check(asked.arguments)
            if has_mask(call.secrets, call.arguments):
                return _refuse(call, CallState.FAILED, MASKED), None
            ruling = await self._judge(talk, call, bound)
        except AssentError as error:
            return _refuse(call, CallState.FAILED, error.detail), None
        if ruling.verdict is CallVerdict.DENY:
            return _refuse(call, CallState.DENIED, ruling.rule), None
        if ruling.verdict is CallVerdict.ALLOW:
            return call, None
        return await self._ask(call, bound, ruling, reason)

    async def _judge(self, talk: Talk, call: ToolCall, bound: BoundAction) -> policy.Ruling:
        spec = bound.spec
        call.schema_digest, call.risk, call.effect = bound.schema_digest, spec.risk, spec.effect
        repeats = (spec.effect == "at_most_once" and _was_sent_before(talk, call)) or (
            spec.effect != "read" and _is_done_elsewhere(talk, call)
        )
        async with self.database.reading() as session:
            untrusted = is_untrusted(talk)
            ruling = await self.judge.rule(session, call, bound, repeats=repeats, untrusted=untrusted)
            if not repeats and not untrusted:
                ruling = await granting.allow(session, self.judge, call, bound, ruling)
        call.verdict, call.rule = ruling.verdict, ruling.rule
        return ruling

    async def _ask(
        self, call: ToolCall, bound: BoundAction, ruling: policy.Ruling, reason: str
    ) -> tuple[ToolCall, Approval | None]:
        try:
            preview = await self.judge.preview(bound, call)
            async with self.database.reading() as session:
                approval = await self.judge.request(session, call, bound, ruling, preview, reason)
        except CannotAsk as error:
            return _refuse(call, CallState.DENIED, error.detail), None
        except AssentError as error:
            return _refuse(call, CallState.FAILED, error.detail), None
        except (ValueError, TimeoutError) as error:
            detail = str(error) or "the connector took too long to say what this would do"
            return _refuse(call, CallState.FAILED, detail), None
        call.state = CallState.AWAITING
        return call, approval


def is_untrusted(talk: Talk) -> bool:
    """Whether the model reads what outsiders wrote: in this turn, or in one that is told to it."""
    return any(record.turn.untrusted_at is not None for record in talk.turns)


def _batch(talk: Talk, number: int, asked: Sequence[Approval]) -> None:
    """Let people see that requests of one round for the same action belong together; each is decided by itself."""
    often = Counter(approval.action for approval in asked)
    for approval in asked:
        if often[approval.action] > 1:
            approval.batch = derived_id("bat", talk.current.turn.id, number, approval.action)


def _fault(asked: CallAsked) -> str | None:
    """Say why no store or event can hold what the model asked for: models send anything."""
    try:
        check_text(asked.name)
        check_json(asked.arguments)
        canonical(asked.arguments)
    except ValueError as error:
        return str(error)
    return None


def _row(talk: Talk, number: int, place: int, asked: CallAsked) -> ToolCall:
    turn = talk.current.turn
    return ToolCall(
        id=derived_id("cal", turn.id, number, place),
        turn_id=turn.id,
        conversation_id=turn.conversation_id,
        workspace_id=turn.workspace_id,
        user_id=turn.user_id,
        round=number,
        place=place,
        action=clean_text(asked.name)[:MAX_NAME],
        arguments=asked.arguments if _fault(asked) is None else {},
        schema_digest="",
        risk="unknown",
        effect="unknown",
        verdict=CallVerdict.DENY,
        rule="not checked",
        state=CallState.PROPOSED,
        created_at=now(),
    )


def _refuse(call: ToolCall, state: CallState, detail: str) -> ToolCall:
    call.state, call.detail, call.verdict, call.ended_at = state, detail, CallVerdict.DENY, now()
    return call


def _was_sent_before(talk: Talk, call: ToolCall) -> bool:
    if talk.current.turn.retry_of is None:
        return False
    return any(
        one.action == call.action and one.arguments == call.arguments and one.started_at is not None
        for record in talk.turns
        for one in record.calls
    )


def _is_done_elsewhere(talk: Talk, call: ToolCall) -> bool:
    """Whether another version of the talk made this very call: a replaced turn's work is not repeated unasked."""
    return any(one.action == call.action and one.arguments == call.arguments for one in talk.elsewhere)
