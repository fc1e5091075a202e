"""The webhooks of channels: verify, read, keep, and only then say that it arrived."""

from collections.abc import Mapping

import structlog
from fastapi import APIRouter, Request, Response

from connectors.channel import Channel, Hook, HookAnswer, NotVerified
from core.errors import Invalid, NotFound, TooLarge
from core.rooms import Rooms
from core.store import inbound
from core.store.database import Database

PREFIX = "/hooks/"
router = APIRouter(prefix="/hooks", include_in_schema=False)
_log = structlog.get_logger()


class Hooks:
    """Takes calls in. One for each api process."""

    def __init__(
        self, database: Database, rooms: Rooms, channels: Mapping[tuple[str, str], Channel], max_bytes: int
    ) -> None:
        """Take where calls are kept, for which channels, and how large they may be."""
        self._database = database
        self._rooms = rooms
        self._channels = channels
        self.max_bytes = max_bytes

    async def take(self, name: str, account: str, hook: Hook) -> HookAnswer:
        """Keep what a channel tells. Raises NotFound, NotVerified, Invalid."""
        channel = self._channels.get((name, account))
        if channel is None:
            message = "There is no such channel."
            raise NotFound(message)
        _verify(channel, hook)
        answer = channel.greet(hook)
        if answer is not None:
            return answer
        try:
            events = channel.parse(hook.body)
        except (ValueError, RecursionError) as error:
            message = "This is not what the channel sends."
            raise Invalid(message) from error
        async with self._database.writing() as session:
            await inbound.keep(session, name, account, events)
        self._rooms.ring(inbound.DOORBELL)
        return HookAnswer()


def _verify(channel: Channel, hook: Hook) -> None:
    """Let through only what the channel's own check lets through: any other failure of it is a refusal too."""
    try:
        channel.verify(hook)
    except NotVerified:
        raise
    except Exception as error:
        _log.warning("a call could not be verified", error=type(error).__name__)
        message = "Nothing shows who sent this."
        raise NotVerified(message) from error


@router.api_route("/{channel}/{account}", methods=["GET", "POST"])
async def hook(request: Request, channel: str, account: str) -> Response:
    """Take what a channel tells by calling us."""
    hooks: Hooks = request.app.state.hooks
    called = Hook(
        method=request.method,
        url=str(request.url),
        headers=_headers(request),
        query=dict(request.query_params),
        body=await _read(request, hooks.max_bytes),
    )
    answer = await hooks.take(channel, account, called)
    return Response(answer.body, status_code=answer.status, media_type=answer.media_type)


def _headers(request: Request) -> dict[str, str]:
    """Give the headers by lower-case name; what is sent twice is joined, so that it equals neither."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
    return found


async def _read(request: Request, most: int) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            message = f"A call carries at most {most} bytes."
            raise TooLarge(message)
    return body
