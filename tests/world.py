"""People, conversations and what they say, written straight to a database for tests below the doors."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import select
from sqlmodel import SQLModel

from core.clock import now
from core.ids import new_id
from core.permissions import Door, Principal, Role
from core.rooms import LocalRooms
from core.store import submissions
from core.store.database import Database
from core.store.work import change
from core.tables.people import Membership, User, Workspace
from core.tables.records import StoredEvent
from core.tables.talk import Conversation, Participant
from core.tables.work import Turn

WAIT = 30.0
Row = TypeVar("Row", bound=SQLModel)
_numbers = itertools.count(1)


class World:
    """Who lives in a database, and what they do there."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.rooms = LocalRooms()

    async def workspace(self) -> str:
        row = Workspace(id=new_id("wsp"), name="Work", created_at=now())
        await self.add(row)
        return row.id

    async def person(self, workspace_id: str | None = None, role: Role = Role.MEMBER) -> Principal:
        """A new person, in a new workspace when none is named."""
        workspace_id = workspace_id or await self.workspace()
        name = f"Person {next(_numbers)}"
        user = User(id=new_id("usr"), email=f"{new_id('eml')}@x.test", name=name, created_at=now())
        member = Membership(
            id=new_id("mem"),
            workspace_id=workspace_id,
            user_id=user.id,
            role=role,
            epoch=new_id("epo"),
            created_at=now(),
        )
        await self.add(user, member)
        return Principal(
            user_id=user.id,
            workspace_id=workspace_id,
            membership_id=member.id,
            session_id=new_id("ses"),
            role=role,
            name=name,
        )

    async def conversation(self, owner: Principal, *others: Principal) -> str:
        at = now()
        row = Conversation(
            id=new_id("cnv"),
            workspace_id=owner.workspace_id,
            owner_id=owner.user_id,
            title="A talk",
            origin_channel="rest",
            epoch=new_id("epo"),
            created_at=at,
            updated_at=at,
            last_activity_at=at,
        )
        parts = [Participant(conversation_id=row.id, user_id=one.user_id, joined_at=at) for one in (owner, *others)]
        await self.add(row, *parts)
        return row.id

    async def say(
        self, who: Principal, conversation_id: str, text: str = "Hello", client_id: str | None = None
    ) -> tuple[Turn, bool]:
        """Write a message with its turn, as intake does; whether it had been sent before."""
        async with change(self.database, self.rooms) as work:
            return await submissions.add_message(
                work, who, Door.REST, conversation_id, text, client_id or new_id("cli")
            )

    async def add(self, *rows: SQLModel) -> None:
        async with self.database.writing() as session:
            for row in rows:
                session.add(row)
                await session.flush()

    async def get(self, table: type[Row], key: Any) -> Row:
        async with self.database.reading() as session:
            return await session.get_one(table, key)

    async def alter(self, table: type[Row], key: Any, **values: Any) -> None:
        """Change a row behind everybody's back."""
        async with self.database.writing() as session:
            row = await session.get_one(table, key)
            for name, value in values.items():
                setattr(row, name, value)

    async def all(self, table: type[Row], *where: Any) -> list[Row]:
        async with self.database.reading() as session:
            return list((await session.execute(select(table).where(*where))).scalars())

    async def events(self, stream_id: str) -> list[StoredEvent]:
        rows = await self.all(StoredEvent, StoredEvent.stream_id == stream_id)
        return sorted(rows, key=lambda row: row.seq)

    async def told(self, stream_id: str) -> list[str]:
        """The types of a stream's events, in order."""
        return [row.type for row in await self.events(stream_id)]


async def eventually(is_true: Callable[[], Awaitable[bool]], limit: float = WAIT) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(limit):
        while not await is_true():
            await asyncio.sleep(0.02)
