"""The endpoints under /v1."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from api.openai.asked import Refused, unsupported
from api.openai.bodies import ChatBody, ResponsesBody
from api.openai.chat import Completion
from api.openai.desk import Call, Desk, Submitted, named_conversation
from api.openai.follow import Done, Standing, Step, follow, look
from api.openai.names import NoSuchModel
from api.openai.responses import Reply, turn_id_of
from api.openai.told import headers_of
from api.rest.context import PathId, Who
from core.errors import AssentError, NotFound
from core.permissions import Principal
from core.store import prompts, turns
from core.text import SafeStr
from core.values import Value

LONGEST_ANSWER = 570.0
"""Seconds after which a whole answer is not waited for any longer: official clients give up at 600."""
LONGEST_WAIT = 3600.0
MODELS_CREATED = 1_767_225_600  # 1 January 2026: the format wants a time, and a name has none

_OF_THE_NPM_CLIENT = (
    "Arch",
    "Helper-Method",
    "Lang",
    "OS",
    "Package-Version",
    "Retry-Count",
    "Runtime",
    "Runtime-Version",
    "Timeout",
)
ASKED_HEADERS = (
    "X-Assent-Conversation",
    "X-Assent-Wait",
    "X-Assent-Stop-On-Disconnect",
    "X-Client-Message-Id",
    "Idempotency-Key",
    "OpenAI-Organization",
    "OpenAI-Project",
    *(f"X-Stainless-{name}" for name in _OF_THE_NPM_CLIENT),
)
"""What pages of other origins may send here, where the settings allow such pages."""

router = APIRouter(prefix="/v1", include_in_schema=False)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.openai
    return desk


There = Annotated[Desk, Depends(_desk)]


class Ways(Value):
    """What a request's headers say: which talk, under which id, how long to wait for people, when to stop."""

    conversation: str | None
    key: str | None
    tries: int | None
    for_people: float
    stops: bool
    base: str


def _ways(
    request: Request,
    here: There,
    x_assent_conversation: Annotated[SafeStr | None, Header()] = None,
    x_client_message_id: Annotated[SafeStr | None, Header(max_length=300)] = None,
    idempotency_key: Annotated[SafeStr | None, Header(max_length=300)] = None,
    x_stainless_retry_count: Annotated[int | None, Header(ge=0)] = None,
    x_assent_wait: Annotated[float, Header(ge=0, le=LONGEST_WAIT, allow_inf_nan=False)] = 0.0,
    x_assent_stop_on_disconnect: Annotated[bool, Header()] = False,
) -> Ways:
    return Ways(
        conversation=x_assent_conversation,
        key=x_client_message_id or idempotency_key,
        tries=x_stainless_retry_count,
        for_people=x_assent_wait,
        stops=x_assent_stop_on_disconnect,
        base=here.settings.public_url or str(request.base_url).rstrip("/"),
    )


Wayward = Annotated[Ways, Depends(_ways)]


@router.get("/models")
async def list_models(here: There, who: Who) -> dict[str, Any]:
    """List the names that `model` may have."""
    return {"object": "list", "data": [_model(name) for name in await here.names.listed(who)]}


@router.get("/models/{name:path}")
async def get_model(here: There, who: Who, name: str) -> dict[str, Any]:
    """Show one of them."""
    if name not in await here.names.listed(who):
        message = "There is no such model here."
        raise NoSuchModel(message, param="model")
    return _model(name)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": MODELS_CREATED, "owned_by": "assent"}


@router.post("/chat/completions")
async def complete(here: There, who: Who, ways: Wayward, request: Request, body: ChatBody) -> Response:
    """Answer the last message."""
    asked = body.asked()
    conversation_id = named_conversation(ways.conversation, (body.metadata or {}).get("conversation_id"))
    call = Call(asked=asked, model=body.model, conversation_id=conversation_id, key=ways.key, tries=ways.tries)
    submitted = await here.submit(who, call)
    first = await look(here.database, who, submitted.turn_id)
    answer = Completion(here, submitted, body.model, ways.base, include_usage=body.include_usage)
    if body.stream:
        return _stream(submitted, answer.chunks(_steps(here, who, ways, first, None)))
    standing = await _wait(here, who, ways, request, first)
    return JSONResponse(await answer.whole(standing), headers=headers_of(submitted))


@router.post("/responses")
async def respond(here: There, who: Who, ways: Wayward, request: Request, body: ResponsesBody) -> Response:
    """Answer the last input."""
    asked = body.asked()
    conversation_id = named_conversation(
        ways.conversation,
        (body.metadata or {}).get("conversation_id"),
        body.conversation_id,
        await _conversation_of(here, who, body.previous_response_id),
    )
    call = Call(asked=asked, model=body.model, conversation_id=conversation_id, key=ways.key, tries=ways.tries)
    submitted = await here.submit(who, call)
    first = await look(here.database, who, submitted.turn_id)
    answer = Reply(
        here,
        submitted,
        body.model,
        ways.base,
        instructions=asked.instructions,
        previous=body.previous_response_id,
        background=bool(body.background),
    )
    if body.stream:
        return _stream(submitted, answer.events(_steps(here, who, ways, first, None), first))
    if body.background:
        return JSONResponse(await answer.whole(first), headers=headers_of(submitted))
    standing = await _wait(here, who, ways, request, first)
    return JSONResponse(await answer.answered(standing), headers=headers_of(submitted))


async def _conversation_of(here: Desk, who: Principal, previous: str | None) -> str | None:
    if previous is None:
        return None
    try:
        async with here.database.reading() as session:
            return (await turns.one(session, who, turn_id_of(previous))).conversation_id
    except NotFound:
        message = "There is no such response."
        raise NotFound(message, param="previous_response_id", error_code="previous_response_not_found") from None


@router.get("/responses/{name}")
async def get_response(
    here: There,
    who: Who,
    ways: Wayward,
    name: PathId,
    *,
    stream: bool = False,
    starting_after: Annotated[int | None, Query()] = None,
) -> Response:
    """Show how a response stands, or stream it from its beginning."""
    if starting_after is not None:
        unsupported("A stream is told from its beginning: events are not numbered for ever.", "starting_after")
    answer, standing = await _found(here, who, ways, name)
    if stream:
        return _stream(answer.submitted, answer.events(_steps(here, who, ways, standing, None), standing))
    return JSONResponse(await answer.whole(standing), headers=headers_of(answer.submitted))


@router.post("/responses/{name}/cancel")
async def cancel(here: There, who: Who, ways: Wayward, name: PathId) -> Response:
    """Stop the turn; what was sent already is not undone."""
    answer, _ = await _found(here, who, ways, name)
    await here.intake.stop_turn(who, answer.submitted.turn_id)
    standing = await look(here.database, who, answer.submitted.turn_id)
    return JSONResponse(await answer.whole(standing), headers=headers_of(answer.submitted))


async def _found(here: Desk, who: Principal, ways: Ways, name: str) -> tuple[Reply, Standing]:
    try:
        standing = await look(here.database, who, turn_id_of(name))
    except NotFound:
        message = "There is no such response."
        raise NotFound(message, error_code="response_not_found") from None
    async with here.database.reading() as session:
        prompt = await prompts.of_turn(session, standing.turn.id)
    submitted = Submitted(
        turn_id=standing.turn.id,
        conversation_id=standing.turn.conversation_id,
        client_message_id=prompt.client_message_id if prompt else "",
        duplicate=True,
    )
    model = prompt.asked if prompt else standing.turn.asked_model or "assent"
    instructions = prompt.instructions if prompt else None
    return Reply(here, submitted, model, ways.base, instructions=instructions), standing


# ------------------------------------------------------------------------------------------------- waiting, streaming


def _stream(submitted: Submitted, parts: AsyncIterator[bytes]) -> StreamingResponse:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"} | headers_of(submitted)
    return StreamingResponse(parts, media_type="text/event-stream", headers=headers)


async def _steps(here: Desk, who: Principal, ways: Ways, first: Standing, seconds: float | None) -> AsyncIterator[Step]:
    """Follow a turn; stop it when nobody reads on, where the client wants that."""
    steps = follow(here.database, here.ears, who, first, seconds=seconds, for_people=ways.for_people)
    ended = False
    try:
        async for step in steps:
            ended = isinstance(step, Done)
            yield step
    finally:
        if ways.stops and not ended:
            await asyncio.shield(_stop(here, who, first))


async def _stop(here: Desk, who: Principal, standing: Standing) -> None:
    with suppress(AssentError):
        await here.intake.stop_turn(who, standing.turn.id)


async def _wait(here: Desk, who: Principal, ways: Ways, request: Request, first: Standing) -> Standing:
    """Wait until the turn has ended, or waits for people, or the time is over; while the client is there to hear."""
    waiting = asyncio.create_task(_last(_steps(here, who, ways, first, LONGEST_ANSWER)))
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            message = "The client went away; the turn goes on."
            raise Refused(message)
        return await waiting
    finally:
        for task in (waiting, leaving):
            task.cancel()
        await asyncio.gather(waiting, leaving, return_exceptions=True)


async def _last(steps: AsyncIterator[Step]) -> Standing:
    standing: Standing | None = None
    async for step in steps:
        if isinstance(step, Done):
            standing = step.standing
    if standing is None:
        message = "a turn was followed to no end"
        raise AssertionError(message)
    return standing


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
