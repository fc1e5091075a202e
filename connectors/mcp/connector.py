"""An MCP server as a connector: each call is a session of its own, to the very tool that was reviewed."""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

from mcp_types import (
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ElicitResult,
    InputRequiredResult,
    InputResponse,
)
from pydantic import Discriminator, Tag, TypeAdapter

from connectors.base import (
    Answered,
    CallContext,
    Change,
    InputRequired,
    OutcomeUnknown,
    PermanentFailure,
    Preview,
    Unreachable,
)
from connectors.manifest import ConnectorManifest, Effect
from connectors.mcp.forms import question_of
from connectors.mcp.manifest import Pinned, pin_of
from connectors.mcp.results import result_of
from connectors.mcp.server import Server
from connectors.mcp.session import Lost, Talk, talk
from core.store.service_health import CHOSEN

MAX_STATE = 65_536
_MAX_QUESTIONS = 5
_MAX_LEGS = 8
_PAUSE_SECONDS = 0.5
_MIDWAY = "It asked something in the middle of the call, in a way that cannot wait for people; it was told no."
_TOO_LARGE = "The server asks more than can be kept until somebody answers."


def _kind(raw: Any) -> str:
    return "asks" if isinstance(raw, Mapping) and raw.get("resultType") == "input_required" else "done"


_RESULT: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(
    Annotated[
        Annotated[CallToolResult, Tag("done")] | Annotated[InputRequiredResult, Tag("asks")], Discriminator(_kind)
    ]
)


class McpConnector:
    """The tools of one server that somebody enabled. Any of them that has changed since is refused."""

    def __init__(self, manifest: ConnectorManifest, pins: Mapping[str, Pinned], server: Server) -> None:
        """Take what was reviewed, and where the server is."""
        self._manifest = manifest
        self._pins = dict(pins)
        self._server = server

    @property
    def manifest(self) -> ConnectorManifest:
        """What may be used of it."""
        return self._manifest

    def host_of(self, _action: str, _arguments: dict[str, Any]) -> str:
        """Stand for the server by a hash: other workspaces are not told where it is."""
        return CHOSEN + hashlib.sha256(self._server.row.id.encode()).hexdigest()[:24]

    async def preview(self, action: str, arguments: dict[str, Any], context: CallContext) -> Preview:
        """Say which tool of which server would be called with what. The server is not asked: it could say anything."""
        del context
        spec, pin = self._manifest.action(action), self._pins[action]
        where = self._server.named
        changes = (Change(label="Server", after=where), Change(label="Tool", after=pin.tool[:200]))
        warnings = () if arguments or not spec.properties else ("It is called without any arguments.",)
        return Preview(
            summary=f"Call the tool {spec.title} of the MCP server {self._manifest.id}",
            changes=changes,
            warnings=warnings,
        )

    async def execute(self, action: str, arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
        """Call the tool; raises a ConnectorError, InputRequired when its server asks people something first."""
        pin, effect = self._pins[action], self._manifest.action(action).effect

        async def do(one: Talk) -> dict[str, Any]:
            await self._check(one, pin)
            return await _Call(one, pin.tool, arguments, self._manifest.title).run(context.answer)

        try:
            return await talk(await self._server.place(action), do)
        except Lost as lost:
            if effect is Effect.AT_MOST_ONCE:
                raise OutcomeUnknown(
                    f"The MCP server gave no answer ({lost}): nobody knows whether it took effect."
                ) from lost
            raise Unreachable(f"The MCP server gave no answer: {lost}.") from lost

    async def _check(self, one: Talk, pin: Pinned) -> None:
        """See that the tool is the one that was reviewed; when not, nothing of the server may be used until it is."""
        found = [tool for tool in one.tools if tool.name == pin.tool]
        if len(found) == 1 and pin_of(found[0]) == pin.digest:
            return
        what = "is gone" if not found else "is another than was reviewed"
        await self._server.changed(f"Its tool {pin.tool[:100]} {what}.")
        message = f"The server's tool {what}: somebody has to review it again before it is used."
        raise PermanentFailure(message)


class _Call:
    """One call as the server has it: sent, sent again with what it wants back, until it is done or people are asked."""

    def __init__(self, one: Talk, tool: str, arguments: dict[str, Any], title: str) -> None:
        self._talk = one
        self._tool = tool
        self._arguments = arguments
        self._title = title
        self._notes: list[str] = []

    async def run(self, answer: Answered | None) -> dict[str, Any]:
        responses = {key: _response(answer, key) for key in answer.actions} if answer else {}
        state = answer.state if answer else None
        for leg in range(_MAX_LEGS):
            result = await self._send(responses, state)
            if isinstance(result, CallToolResult):
                midway = (_MIDWAY,) if self._talk.asked_midway else ()
                return result_of(result, (*self._notes, *midway))
            responses, state = self._refusals(result), result.request_state
            if not responses:
                await asyncio.sleep(_PAUSE_SECONDS * leg)
        message = "it wants to be called again and again for one and the same call"
        raise Lost(message)

    async def _send(
        self, responses: dict[str, InputResponse], state: str | None
    ) -> CallToolResult | InputRequiredResult:
        parameters = CallToolRequestParams(
            name=self._tool, arguments=self._arguments, input_responses=responses or None, request_state=state
        )
        self._talk.send()
        # Not the SDK's call_tool: that checks the result by the server's own schema, whose patterns may take for ever.
        return await self._talk.session.send_request(CallToolRequest(params=parameters), _RESULT)

    def _refusals(self, asked: InputRequiredResult) -> dict[str, InputResponse]:
        """Raise what people are asked; else give the answers that need nobody."""
        requests = asked.input_requests or {}
        if len(requests) > _MAX_QUESTIONS:
            message = f"The server asks more than {_MAX_QUESTIONS} things at once."
            raise PermanentFailure(message)
        questions = [question_of(key, request, self._title) for key, request in requests.items()]
        if (
            len(asked.request_state or "") > MAX_STATE
            or sum(len(one.model_dump_json()) for one in questions) > MAX_STATE
        ):
            raise PermanentFailure(_TOO_LARGE)
        if any(one.refused is None for one in questions):
            raise InputRequired(questions, asked.request_state)
        self._notes += [one.refused for one in questions if one.refused is not None]
        return {one.key: ElicitResult(action="decline") for one in questions}


def _response(answer: Answered, key: str) -> InputResponse:
    action = answer.actions[key]
    return ElicitResult(action=action, content=answer.content.get(key, {}) if action == "accept" else None)
