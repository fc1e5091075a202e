"""Follows a turn from wherever it stands to its end, or to where it waits for people, as steps to tell a client."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from api.openai.ears import Ears, Hearing
from core.errors import NotSignedIn, Unavailable
from core.permissions import Principal
from core.store import approvals, audience, messages, partials, turns
from core.store.database import Database
from core.values import TurnState
from core.views import ApprovalView, MessageView, PartialView, TurnView

POLL_SECONDS = 1.0
MISSED_SECONDS = 0.25
ALIVE_SECONDS = 10.0
_MANY = 50
_FAILURES = 20


@dataclass(frozen=True)
class Standing:
    """How a turn stands: its reply once it has ended, else its text so far and the approvals that it waits for."""

    turn: TurnView
    reply: MessageView | None = None
    partial: PartialView | None = None
    waits_for: tuple[ApprovalView, ...] = ()

    @property
    def state(self) -> TurnState:
        """The turn's state."""
        return TurnState(self.turn.state)

    @property
    def text(self) -> str:
        """The answer so far."""
        return self.reply.text if self.reply else self.partial.text if self.partial else ""


@dataclass(frozen=True)
class Said:
    """The whole text of the answer so far."""

    text: str


@dataclass(frozen=True)
class Quiet:
    """Nothing new for a while."""


@dataclass(frozen=True)
class Waits:
    """People are asked; `fresh` are the approvals that were not told yet."""

    fresh: tuple[ApprovalView, ...]
    standing: Standing


@dataclass(frozen=True)
class Done:
    """The last step: the turn has ended, or it still waits, or runs, when the time is over."""

    standing: Standing


Step = Said | Quiet | Waits | Done


@dataclass
class _Patience:
    """How long is still waited: for the answer, and from the first question to people on, for them."""

    until: float | None
    for_people: float
    people_until: float | None = None
    told: set[str] = field(default_factory=set)

    def is_over(self, standing: Standing) -> bool:
        at = time.monotonic()
        if standing.waits_for:
            self.people_until = self.people_until or at + self.for_people
            return at >= self.people_until
        self.people_until = None
        return self.until is not None and at >= self.until

    def fresh(self, standing: Standing) -> tuple[ApprovalView, ...]:
        found = tuple(one for one in standing.waits_for if one.id not in self.told)
        self.told.update(one.id for one in found)
        return found


async def look(database: Database, who: Principal, turn_id: str) -> Standing:
    """Read how a turn stands. Raises NotFound, and NotSignedIn when the person may not ask any more."""
    async with database.reading() as session:
        if not await audience.standing(session, {who.session_id}):
            message = "The sign-in behind this is over."
            raise NotSignedIn(message)
        turn = await turns.one(session, who, turn_id)
        state = TurnState(turn.state)
        if state.is_terminal:
            return Standing(turn, await messages.reply_of(session, turn_id))
        partial = await partials.of_turn(session, who, turn_id)
        if state is not TurnState.WAITING:
            return Standing(turn, partial=partial)
        found, _, _ = await approvals.page(
            session, who, state="pending", conversation_id=turn.conversation_id, limit=_MANY, cursor=None
        )
        waits_for = tuple(one for one in reversed(found) if one.turn_id == turn_id)
        return Standing(turn, partial=partial, waits_for=waits_for)


async def follow(
    database: Database, ears: Ears, who: Principal, standing: Standing, *, seconds: float | None, for_people: float
) -> AsyncIterator[Step]:
    """Give the steps from where the turn stands. `seconds`: longest wait for the answer; `for_people`: for them."""
    turn_id = standing.turn.id
    patience = _Patience(None if seconds is None else time.monotonic() + seconds, for_people)
    with ears.hearing(standing.turn.conversation_id, turn_id) as hearing:
        told_at = time.monotonic()
        while True:
            standing = await _look_patiently(database, who, turn_id)
            hearing.meet(standing.partial)
            if standing.state.is_terminal:
                yield Done(standing)
                return
            if hearing.text:
                yield Said(hearing.text)
            if fresh := patience.fresh(standing):
                yield Waits(fresh, standing)
            if patience.is_over(standing):
                yield Done(standing)
                return
            async for step in _hear(hearing, told_at):
                told_at = time.monotonic()
                yield step


async def _hear(hearing: Hearing, told_at: float) -> AsyncIterator[Step]:
    """Pass text on until there is something to look at."""
    hearing.rang = False
    while not hearing.rang:
        before = hearing.text
        await hearing.listen(MISSED_SECONDS if hearing.missed else POLL_SECONDS)
        if hearing.text != before:
            told_at = time.monotonic()
            yield Said(hearing.text)
    if time.monotonic() - told_at >= ALIVE_SECONDS:
        yield Quiet()


async def _look_patiently(database: Database, who: Principal, turn_id: str) -> Standing:
    """Look again when the database does not answer; raises Unavailable when it does not come back."""
    for left in reversed(range(_FAILURES)):
        try:
            return await look(database, who, turn_id)
        except (SQLAlchemyError, OSError, TimeoutError):
            if not left:
                break
            await asyncio.sleep(POLL_SECONDS)
    message = "The database does not answer; the turn goes on when it is back. Ask again."
    raise Unavailable(message)
