"""One change of the truth: a writing transaction, and the streams to ring for once it is committed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from core.rooms import Rooms
from core.store.database import Database


@dataclass(frozen=True)
class Stopped:
    """A turn that had a workflow until this change stopped it, and what its workflow has to withdraw."""

    turn_id: str
    approval_ids: tuple[str, ...]
    user_id: str


class Work:
    """A running change: its session, which streams got events, which turns it stopped."""

    def __init__(self, session: AsyncSession) -> None:
        """Begin with nobody to tell."""
        self.session = session
        self.streams: set[str] = set()
        self.stopped: list[Stopped] = []


@asynccontextmanager
async def change(database: Database, rooms: Rooms) -> AsyncIterator[Work]:
    """Open one writing transaction; after its commit, ring for each stream that got events."""
    async with database.writing() as session:
        work = Work(session)
        yield work
    for stream in work.streams:
        rooms.ring(stream)
