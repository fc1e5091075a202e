"""Consent and questions as tools: whoever calls again with the same words joins the request that is open."""

import hashlib
from typing import Annotated, Any

from mcp_types import Tool, ToolAnnotations
from pydantic import Field, StringConstraints

from api.asks import Cost, Long, NewAsk, NewPreview, Short
from api.mcp.tool import DEFAULT_SECONDS, MOST_SECONDS, Called, OneTool, Waited
from api.rest.context import Context
from api.scopes import check_asked
from connectors.outside import MAX_NAME
from core.digest import canonical
from core.errors import Invalid
from core.ids import Id
from core.permissions import Principal, Role, Scope
from core.store import approvals, programs
from core.text import SafeStr, SpokenStr
from core.values import ApprovalState, Value
from core.views import ApprovalView

_Wait = Annotated[float, Field(ge=0, le=MOST_SECONDS, description="Seconds to wait for people in this call.")]
_QUESTION = "human.answer"
_ANSWER = 4_000


class ApprovalAsked(Value):
    """What `request_approval` takes."""

    title: Annotated[SpokenStr, StringConstraints(max_length=200)] = Field(description="What is asked, in a sentence.")
    action: Annotated[SafeStr, StringConstraints(max_length=MAX_NAME)] = Field(
        description="What you would do, as `area.verb`: deploy.production."
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Exactly what it would be done with.")
    risk: Annotated[SafeStr, StringConstraints(max_length=40)] = Field(
        "write", description="write, external_comms, money, destructive or admin."
    )
    reason: Long | None = Field(None, description="Why; shown as your own word.")
    summary: Short = Field("", description="What would change.")
    cost: Cost | None = Field(None, description="What it costs, in words with the currency, if you know.")
    expires_in: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = Field(None, description="Seconds.")
    wait_seconds: _Wait = DEFAULT_SECONDS


class QuestionAsked(Value):
    """What `ask_human` takes."""

    question: Annotated[SpokenStr, StringConstraints(max_length=1_000)] = Field(description="What you want to know.")
    choices: Annotated[tuple[Short, ...], Field(max_length=20)] = Field((), description="Answers to choose from.")
    wait_seconds: _Wait = DEFAULT_SECONDS


class StatusAsked(Value):
    """What `approval_status` takes."""

    approval_id: Id
    wait_seconds: _Wait = DEFAULT_SECONDS


class Asking:
    """Lists and calls these tools."""

    def __init__(self, context: Context) -> None:
        """Take what it works with."""
        self._context = context

    def offered(self, who: Principal) -> list[OneTool]:
        """Give what this client may call: asking needs the scope `ask`, looking what reads."""
        scopes = who.scopes
        found = [self._status()] if scopes is None or scopes & {Scope.READ, Scope.ASK} else []
        if who.role is not Role.VIEWER and (scopes is None or Scope.ASK in scopes):
            found += [self._request(), self._question()]
        return found

    def _request(self) -> OneTool:
        described = Tool(
            name="request_approval",
            title="Ask for consent",
            description=(
                "Asks people for consent to something that you would do yourself, and waits. Do it only when the state "
                "is `approved`, and exactly with the `arguments` of the answer: people may have changed them."
            ),
            input_schema=ApprovalAsked.model_json_schema(),
            annotations=ToolAnnotations(destructive_hint=False, idempotent_hint=True),
        )

        async def call(called: Called) -> dict[str, Any]:
            asked = ApprovalAsked.model_validate(called.arguments)
            known = asked.model_dump(exclude={"wait_seconds", "summary", "cost"})
            new = NewAsk(**known, preview=NewPreview(summary=asked.summary, cost=asked.cost))
            return await self._ask(called, new, asked.wait_seconds)

        return OneTool(described, call)

    def _question(self) -> OneTool:
        described = Tool(
            name="ask_human",
            title="Ask a person",
            description="Asks people a question and waits. `answer` is what they wrote or chose; empty: nothing.",
            input_schema=QuestionAsked.model_json_schema(),
            annotations=ToolAnnotations(destructive_hint=False, idempotent_hint=True),
        )

        async def call(called: Called) -> dict[str, Any]:
            asked = QuestionAsked.model_validate(called.arguments)
            new = NewAsk(
                title=asked.question[:200],
                action=_QUESTION,
                arguments={"question": asked.question, "answer": ""},
                schema_=_answer_schema(asked),
                preview=NewPreview(summary=asked.question, reversible=True),
            )
            told = await self._ask(called, new, asked.wait_seconds)
            return told | {"answer": told["arguments"].get("answer") or told["comment"] or ""}

        return OneTool(described, call)

    def _status(self) -> OneTool:
        described = Tool(
            name="approval_status",
            title="How a request stands",
            description="Tells what people decided about a request that was still open, and waits a while for it.",
            input_schema=StatusAsked.model_json_schema(),
            annotations=ToolAnnotations(read_only_hint=True),
        )

        async def call(called: Called) -> dict[str, Any]:
            asked = StatusAsked.model_validate(called.arguments)
            async with self._context.database.reading() as session:
                check_asked(called.who, await approvals.one(session, called.who, asked.approval_id))
            return await self._wait(called, asked.approval_id, asked.wait_seconds)

        return OneTool(described, call)

    async def _ask(self, called: Called, new: NewAsk, seconds: float) -> dict[str, Any]:
        await self._context.limits.check("ask", called.who.user_id)
        key = await self._key(called, new)
        view, _ = await self._context.asks.ask(called.who, new.model_copy(update={"client_key": key}))
        return await self._wait(called, view.id, seconds)

    async def _key(self, called: Called, new: NewAsk) -> str:
        """Give the key of the request: the client's own, else one that the same words give while they are open."""
        if called.key is not None:
            return f"mcp-{hashlib.sha256(called.key.encode()).hexdigest()[:40]}"
        try:
            words = hashlib.sha256(canonical(new.model_dump(mode="json", by_alias=True))).hexdigest()[:40]
        except ValueError as error:
            raise Invalid(f"{error}.".capitalize()) from error
        async with self._context.database.reading() as session:
            number = await programs.closed_asks(session, called.who, f"mcp-{words}-")
        return f"mcp-{words}-{number}"

    async def _wait(self, called: Called, approval_id: str, seconds: float) -> dict[str, Any]:
        async def stretch(part: float) -> Waited:
            view = await self._context.asks.decided(called.who, approval_id, part)
            return Waited(not ApprovalState(view.state).is_open, _told(view))

        return (await called.waiting(seconds, stretch, "waiting for people")).value


def _answer_schema(asked: QuestionAsked) -> dict[str, Any]:
    answer: dict[str, Any] = {"type": "string", "maxLength": _ANSWER, "description": "The answer."}
    if asked.choices:
        answer["enum"] = ["", *asked.choices]
    question = {"type": "string", "const": asked.question, "description": "What is asked."}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["question", "answer"],
        "properties": {"question": question, "answer": answer},
    }


def _told(view: ApprovalView) -> dict[str, Any]:
    """Tell how a request stands: `requested` and `pending` are open."""
    return {
        "approval_id": view.id,
        "state": view.state,
        "arguments": view.arguments,
        "edited": view.revision > 0,
        "digest": view.digest,
        "decided_by": view.decided_by_name,
        "comment": view.comment,
        "rule": view.rule,
        "expires_at": view.expires_at.isoformat(),
    }
