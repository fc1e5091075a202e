"""Waits for a turn or an approval: the doorbell wakes it, and every two seconds SQL is asked anyway."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from core.events import VolatileEvent
from core.permissions import Principal
from core.rooms import Rooms
from core.store import approvals, messages, turns
from core.store.database import Database
from core.values import ApprovalState, TurnState, Value
from core.views import ApprovalView, MessageView, ProblemView, TurnView

Seen = TypeVar("Seen")
_POLL = 2.0
_MANY = 100


class Outcome(Value):
    """Where a turn stands, with its reply, or with the approval that it waits for."""

    state: TurnState
    reply: MessageView | None
    approval_id: str | None
    error: ProblemView | None

    @property
    def is_settled(self) -> bool:
        """Whether nothing more happens unless somebody does something."""
        return self.state.is_terminal or self.approval_id is not None


class _Bell:
    """Rings for one stream."""

    def __init__(self, stream_id: str) -> None:
        self._stream_id = stream_id
        self.event = asyncio.Event()

    def rang(self, stream_id: str) -> None:
        """Hear of new durable events."""
        if stream_id == self._stream_id:
            self.event.set()

    def said(self, stream_id: str, event: VolatileEvent) -> None:
        """Hear a volatile event: nothing to do."""


async def outcome(database: Database, rooms: Rooms, who: Principal, turn_id: str, seconds: float) -> Outcome:
    """Wait at most `seconds` for the turn to end or to wait for people; tells where it stands then. Raises NotFound."""
    async with database.reading() as session:
        turn = await turns.one(session, who, turn_id)
    return await watch(
        rooms, turn.conversation_id, lambda: _look(database, who, turn_id), lambda found: found.is_settled, seconds
    )


async def watch(
    rooms: Rooms,
    stream_id: str,
    look: Callable[[], Awaitable[Seen]],
    is_enough: Callable[[Seen], bool],
    seconds: float,
) -> Seen:
    """Look again whenever the stream rings, and every two seconds; gives what was seen once it is enough, or late."""
    bell = _Bell(stream_id)
    cease = rooms.listen(bell)
    until = time.monotonic() + seconds
    try:
        while True:
            bell.event.clear()
            found = await look()
            left = until - time.monotonic()
            if is_enough(found) or left <= 0:
                return found
            await _listen(bell.event, min(left, _POLL))
    finally:
        cease()


async def decided(database: Database, rooms: Rooms, who: Principal, approval_id: str, seconds: float) -> ApprovalView:
    """Wait at most `seconds` until an approval is not open any more; gives it as it stands then. Raises NotFound."""

    async def look() -> ApprovalView:
        async with database.reading() as session:
            return await approvals.one(session, who, approval_id)

    stream_id = (await look()).conversation_id or who.membership_id
    return await watch(rooms, stream_id, look, lambda found: not ApprovalState(found.state).is_open, seconds)


async def _listen(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


async def _look(database: Database, who: Principal, turn_id: str) -> Outcome:
    async with database.reading() as session:
        turn = await turns.one(session, who, turn_id)
        state = TurnState(turn.state)
        reply = await messages.reply_of(session, turn_id) if state.is_terminal else None
        pending = await _pending(session, who, turn) if state is TurnState.WAITING else None
    return Outcome(state=state, reply=reply, approval_id=pending, error=turn.error)


async def _pending(session: AsyncSession, who: Principal, turn: TurnView) -> str | None:
    found, _, _ = await approvals.page(
        session, who, state="pending", conversation_id=turn.conversation_id, limit=_MANY, cursor=None
    )
    return next((one.id for one in reversed(found) if one.turn_id == turn.id), None)
