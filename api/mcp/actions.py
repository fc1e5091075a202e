"""Connectors' actions as tools: each call is a turn of its own, through the same policy, people, gate and audit.

A client that lost its connection calls again with the same arguments (or the same key) and joins the call that runs.
"""

import hashlib
from typing import Any

from mcp_types import Tool, ToolAnnotations
from pydantic import Field

from api.mcp.tool import DEFAULT_SECONDS, MOST_SECONDS, Called, OneTool, Waited
from api.rest.context import Context
from api.waiting import watch
from connectors.manifest import Effect, Risk
from connectors.registry import BoundAction
from core.digest import canonical
from core.errors import Invalid
from core.ids import Id, new_id
from core.masking import mask
from core.permissions import Principal, Role, Scope
from core.store import calls, conversations, programs, turns
from core.store.submissions import DirectCall, Wishes
from core.store.work import change
from core.values import CallState, TurnState, Value
from core.views import ToolCallView, TurnView

DOOR = "mcp"
_TITLE = "MCP"
_SAID = 1000
_SETTLED = {
    CallState.DONE,
    CallState.FAILED,
    CallState.DENIED,
    CallState.REJECTED,
    CallState.EXPIRED,
    CallState.NOT_RUN,
    CallState.UNKNOWN,
}


class StatusAsked(Value):
    """What `call_status` takes."""

    call_id: Id
    wait_seconds: float = Field(DEFAULT_SECONDS, ge=0, le=MOST_SECONDS)


class Actions:
    """Lists the actions that a client may call, and calls them."""

    def __init__(self, context: Context) -> None:
        """Take what it works with."""
        self._context = context

    async def offered(self, who: Principal) -> list[OneTool]:
        """Give the actions' tools: none to viewers, and none to tokens that may not talk."""
        if who.role is Role.VIEWER or (who.is_program and Scope.CHAT not in (who.scopes or ())):
            return []
        actions = self._context.registry.of(who.workspace_id).actions()
        return [*(self._tool(tool_name(bound), bound) for bound in actions), self._status()]

    def _tool(self, name: str, bound: BoundAction) -> OneTool:
        spec = bound.spec
        described = Tool(
            name=name,
            title=spec.title,
            description=f"{spec.description} Risk: {spec.risk}. People may be asked first.",
            input_schema=spec.schema_,
            annotations=ToolAnnotations(
                title=spec.title,
                read_only_hint=spec.effect is Effect.READ,
                destructive_hint=spec.risk in {Risk.DESTRUCTIVE, Risk.ADMIN, Risk.MONEY},
                idempotent_hint=spec.effect is not Effect.AT_MOST_ONCE,
            ),
        )

        async def call(called: Called) -> dict[str, Any]:
            return await self._call(called, bound)

        return OneTool(described, call)

    def _status(self) -> OneTool:
        described = Tool(
            name="call_status",
            title="How a call stands",
            description="Tells what became of a call that still waited for people, and waits a while for it.",
            input_schema=StatusAsked.model_json_schema(),
            annotations=ToolAnnotations(read_only_hint=True),
        )

        async def call(called: Called) -> dict[str, Any]:
            asked = StatusAsked.model_validate(called.arguments)
            async with self._context.database.reading() as session:
                turn = await turns.one(session, called.who, asked.call_id)
            return await self._wait(called, turn, asked.wait_seconds)

        return OneTool(described, call)

    async def _call(self, called: Called, bound: BoundAction) -> dict[str, Any]:
        arguments = bound.check(called.arguments)
        turn = await self._joined(called, bound, arguments) or await self._begun(called, bound, arguments)
        return await self._wait(called, turn, DEFAULT_SECONDS)

    async def _joined(self, called: Called, bound: BoundAction, arguments: dict[str, Any]) -> TurnView | None:
        """Find the very call that this client began before and has no answer of yet."""
        if called.key is not None:
            return None
        async with self._context.database.reading() as session:
            return await programs.open_call(session, called.who, DOOR, bound.name, arguments)

    async def _begun(self, called: Called, bound: BoundAction, arguments: dict[str, Any]) -> TurnView:
        who, direct = called.who, DirectCall(action=bound.name, arguments=arguments)
        await self._context.limits.check("message", who.user_id)
        key = _client_id(called.key) if called.key else new_id("cli")
        async with change(self._context.database, self._context.rooms) as work:
            conversation_id = await programs.conversation(work.session, who, DOOR)
            if conversation_id is None:
                view = await conversations.create(work, who, DOOR, title=_TITLE, mode="full")
                conversation_id = view.id
        accepted = await self._context.intake.submit_message(
            *(who, DOOR, conversation_id, _said(bound, arguments), key), Wishes(direct=direct)
        )
        async with self._context.database.reading() as session:
            return await turns.one(session, who, accepted.turn_id)

    async def _wait(self, called: Called, turn: TurnView, seconds: float) -> dict[str, Any]:
        context = self._context

        async def look() -> Waited:
            async with context.database.reading() as session:
                now = await turns.one(session, called.who, turn.id)
                made = await calls.of_turn(session, called.who, turn.id)
            return _told(now, made[0] if made else None)

        async def stretch(seconds: float) -> Waited:
            return await watch(context.rooms, turn.conversation_id, look, lambda found: found.is_over, seconds)

        return (await called.waiting(seconds, stretch, "waiting for the call")).value


def tool_name(bound: BoundAction) -> str:
    """Name an action as every client takes it: letters, digits and underscores."""
    return bound.name.replace(".", "__")


def _client_id(key: str) -> str:
    """Make the message's client id of a client's key: with other arguments the same key is refused by intake."""
    return f"mcp-{hashlib.sha256(key.encode()).hexdigest()[:40]}"


def _said(bound: BoundAction, arguments: dict[str, Any]) -> str:
    """Write the call as a person would read it in the conversation, its secrets masked."""
    try:
        canonical(arguments)
        shown = canonical(mask(bound.spec.secrets, arguments)).decode()
    except ValueError as error:
        raise Invalid(f"{error}.") from error
    return f"/do {bound.name} {shown}"[:_SAID]


def _told(turn: TurnView, call: ToolCallView | None) -> Waited:
    """Tell how a call stands. One that nobody made says why in the turn's error."""
    state = call.state if call is not None else turn.state
    is_over = state in _SETTLED if call is not None else TurnState(turn.state).is_terminal
    value: dict[str, Any] = {"call_id": turn.id, "conversation_id": turn.conversation_id, "state": state}
    if call is not None:
        value |= {"result": call.result, "detail": call.detail, "approval_id": call.approval_id}
        value |= {"arguments": call.arguments}
    elif turn.error is not None:
        value |= {"detail": turn.error.detail}
    return Waited(is_over, value)
