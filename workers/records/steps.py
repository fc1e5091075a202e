"""The short SQL steps of a turn: park, resume, end."""

from temporalio import activity

from core.messages import LeaseAnswer, TurnEnding, TurnStep
from core.rooms import Rooms
from core.store import turns
from core.store.database import Database
from core.store.work import change


class Steps:
    """Writes what becomes of turns."""

    def __init__(self, database: Database, rooms: Rooms) -> None:
        """Take where turns are kept and who is told."""
        self._database = database
        self._rooms = rooms

    @activity.defn(name="park_turn")
    async def park_turn(self, step: TurnStep) -> None:
        """Give the conversation back while only people's decisions are missing."""
        async with change(self._database, self._rooms) as work:
            await turns.park(work, step)

    @activity.defn(name="resume_turn")
    async def resume_turn(self, step: TurnStep) -> LeaseAnswer:
        """Take the conversation again, or say that a signal will tell when."""
        async with change(self._database, self._rooms) as work:
            return await turns.resume(work, step)

    @activity.defn(name="end_turn")
    async def end_turn(self, step: TurnEnding) -> None:
        """End a turn that could not answer."""
        async with change(self._database, self._rooms) as work:
            await turns.fail(work, step)
