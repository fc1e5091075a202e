"""One change of the truth: a writing transaction, and the streams to ring for once it is committed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from core.rooms import Rooms
from core.store.database import Database


class Work:
    """A running change: its session, and which streams got events."""

    def __init__(self, session: AsyncSession) -> None:
        """Begin with nobody to tell."""
        self.session = session
        self.streams: set[str] = set()


@asynccontextmanager
async def change(database: Database, rooms: Rooms) -> AsyncIterator[Work]:
    """Open one writing transaction; after its commit, ring for each stream that got events."""
    async with database.writing() as session:
        work = Work(session)
        yield work
    for stream in work.streams:
        rooms.ring(stream)
