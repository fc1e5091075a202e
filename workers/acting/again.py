"""Consent that holds no more is void, and people are asked again: a new request for the same call."""

from dataclasses import dataclass

import structlog

from connectors.registry import BoundAction
from core.errors import AssentError
from core.faults import crash_point
from core.messages import Acted, ActInput
from core.policy import Asking, Ruling
from core.rooms import Rooms
from core.store import approvals, calls, consents, plans
from core.store.database import Database
from core.store.work import Work, change
from core.tables.consent import Approval
from core.tables.work import ToolCall, Turn
from core.values import CallState, TurnState
from core.views import PreviewView
from workers.acting.gate import Gate

MOST_REQUESTS = 3
"""For one call: who is asked the same again and again stops to look."""
_log = structlog.get_logger()


class NotAsked(Exception):
    """Nobody can be asked about the call; the sentence says why."""


@dataclass(frozen=True)
class Prospect:
    """What would be asked now about a call, worked out outside the transaction that asks."""

    call: ToolCall
    old: Approval | None
    action: BoundAction
    ruling: Ruling
    preview: PreviewView


@dataclass(frozen=True)
class Again:
    """Asks again, once for each time that consent turns out void."""

    database: Database
    rooms: Rooms
    gate: Gate

    async def ask(self, step: ActInput, reason: str) -> Acted:
        """Void the consent and request it anew; where that cannot be, the call is not run and says why."""
        try:
            prospect = await self._look(step)
            return await self._ask(step, prospect, reason)
        except NotAsked as why:
            return await self._give_up(step, f"{reason}: {why}")

    async def _ask(self, step: ActInput, prospect: Prospect, reason: str) -> Acted:
        async with change(self.database, self.rooms) as work:
            turn, call = await calls.lock(work.session, step.tool_call_id)
            newest = await calls.approval_of(work.session, call.id)
            if not _still_stands(turn, call, newest, step):
                again = await self.gate.asked_again(work, call, step.outcome)
                return Acted(tool_call_id=call.id, state=CallState(call.state), again=again)
            new = await self._request(work, call, prospect, reason)
            await consents.ask_again(work, call, newest, new)
            await self._record(work, call, newest, new, reason)
            made = Acted(tool_call_id=call.id, state=CallState(call.state), again=approvals.as_input(new))
        crash_point("act.asked_again")
        return made

    async def _look(self, step: ActInput) -> Prospect:
        async with self.database.reading() as session:
            call = await session.get_one(ToolCall, step.tool_call_id)
            old = await calls.approval_of(session, call.id)
        if (
            old is not None
            and old.generation + 1 >= MOST_REQUESTS
            and step.outcome
            and old.id == step.outcome.approval_id
        ):
            message = f"it was asked {MOST_REQUESTS} times"
            raise NotAsked(message)
        try:
            action = self.gate.registry.of(call.workspace_id).action(call.action)
            call = _renewed(call, action)
            async with self.database.reading() as session:
                ruling = await self.gate.judge.rule(session, call, action)
                plans.check_reason(_asking_of(ruling), old.reason if old else None)
                await self.gate.judge.plan_of(session, call, ruling)
            return Prospect(call, old, action, ruling, await self.gate.judge.preview(action, call))
        except AssentError as error:
            raise NotAsked(error.detail) from error
        except NotAsked:
            raise
        except Exception as error:  # a connector may raise anything
            # A traceback may quote the arguments.
            _log.error(
                "a connector cannot say what it would do",
                action=call.action,
                tool_call_id=call.id,
                exc_info=not call.secrets,
            )
            message = "the connector does not say what this would do"
            raise NotAsked(message) from error

    async def _request(self, work: Work, call: ToolCall, prospect: Prospect, reason: str) -> Approval:
        """Make the request: of the same arguments, with whatever the action and its rules have become."""
        call.schema_digest, call.connection_id = prospect.call.schema_digest, prospect.call.connection_id
        call.risk, call.effect, call.secrets = prospect.call.risk, prospect.call.effect, prospect.call.secrets
        warnings = (f"Asked again: {reason}.", *prospect.preview.warnings)
        old = prospect.old
        try:
            return await self.gate.judge.request(
                work.session,
                call,
                prospect.action,
                prospect.ruling,
                prospect.preview.model_copy(update={"warnings": warnings}),
                old.reason if old else None,
                generation=old.generation + 1 if old else 0,
            )
        except (AssentError, ValueError) as error:
            raise NotAsked(error.detail if isinstance(error, AssentError) else str(error)) from error

    async def _give_up(self, step: ActInput, reason: str) -> Acted:
        async with change(self.database, self.rooms) as work:
            _, call = await calls.lock(work.session, step.tool_call_id)
            if call.state in {CallState.PROPOSED, CallState.AWAITING}:
                await self.gate.shut(work, call, reason, "void")
            return Acted(tool_call_id=call.id, state=CallState(call.state))

    async def _record(self, work: Work, call: ToolCall, old: Approval | None, new: Approval, reason: str) -> None:
        facts = {"reason": reason, "again": new.id, "action": call.action}
        subject, kind = (old.id, "approval.void") if old else (call.id, "call.held")
        await self.gate.audit.record(work, call.workspace_id, "server", kind, subject, **facts)


def _asking_of(ruling: Ruling) -> Asking:
    if ruling.asking is None:
        message = "the rules ask nobody about it now, so it can be tried anew"
        raise NotAsked(message)
    return ruling.asking


def _renewed(call: ToolCall, action: BoundAction) -> ToolCall:
    """Give the call as it would be planned now: the action's schema of today, its arguments checked against it."""
    return ToolCall.model_validate(
        {
            **call.model_dump(),
            "arguments": action.check(call.arguments),
            "secrets": action.spec.secrets,
            "schema_digest": action.schema_digest,
            "risk": action.spec.risk,
            "effect": action.spec.effect,
        }
    )


def _still_stands(turn: Turn, call: ToolCall, newest: Approval | None, step: ActInput) -> bool:
    """Whether nothing came in between: a stop, another attempt that asked already."""
    same = (newest.id if newest else None) == (step.outcome.approval_id if step.outcome else None)
    waits = call.state in {CallState.PROPOSED, CallState.AWAITING}
    return same and waits and not TurnState(turn.state).is_terminal
