"""Memory over a fresh database and a folder of its own, with an embedder that counts words."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.testing import ActivityEnvironment

from core.clock import now
from core.ids import new_id
from core.messages import MemoryDone, MemoryVerdict
from core.permissions import Principal
from core.store import changes, memory_status, messages
from core.store.database import Database
from core.store.work import change
from core.tables.memory import Chunk, Document, Fact, MemoryChange
from core.tables.talk import Message
from core.tables.work import Turn
from core.views import MemoryView
from tests.doubles.embedder import WordEmbedder
from tests.world import World
from workers.memory.check import Checker
from workers.memory.index import LanceIndex
from workers.memory.keeper import Keeper
from workers.memory.place import Place
from workers.memory.port import Hit, HitKind, Scope
from workers.memory.writer import Writer

AT_ONCE = timedelta(0)


class Stage(World):
    """Who talks, and what memory makes of it."""

    def __init__(self, database: Database, folder: Path) -> None:
        super().__init__(database)
        self.folder = folder
        self.place = Place(folder)
        self.embedder = WordEmbedder()
        self.use(self.embedder)

    def use(self, embedder: WordEmbedder) -> None:
        """Go on as a new process with this embedder."""
        self.embedder = embedder
        self.writer = Writer(self.database, self.place, embedder, None)  # type: ignore[arg-type]
        self.checker = Checker(self.database, self.place)
        self.index = LanceIndex(self.folder, AT_ONCE)

    # What people do

    async def talk(self, who: Principal, conversation_id: str, text: str, reply: str = "") -> str:
        """Say something and hear an answer, to the end; gives the turn."""
        turn, _ = await self.say(who, conversation_id, text)
        answer = Message(
            id=messages.reply_id(turn.id), conversation_id=conversation_id, workspace_id=who.workspace_id,
            turn_id=turn.id, position=10_000 + turn.place, role="assistant", text=reply or "I see.", channel="rest",
            created_at=now(),
        )  # fmt: skip
        await self.add(answer)
        await self.alter(Turn, turn.id, state="finished", ended_at=now())
        await self.note("turn", turn.id)
        return turn.id

    async def know(self, who: Principal, text: str) -> str:
        at = now()
        fact = Fact(
            id=new_id("fct"), workspace_id=who.workspace_id, user_id=who.user_id, text=text, folded=text.lower(),
            origin="said", created_at=at, updated_at=at,
        )  # fmt: skip
        await self.add(fact)
        await self.note("fact", fact.id)
        return fact.id

    async def upload(self, who: Principal, conversation_id: str | None, *texts: str) -> str:
        at = now()
        document = Document(
            id=new_id("doc"), workspace_id=who.workspace_id, conversation_id=conversation_id, owner_id=who.user_id,
            name="a.txt", media_type="text/plain", size=1, sha256="", storage_key="k", state="ready",
            created_at=at, updated_at=at,
        )  # fmt: skip
        chunks = [
            Chunk(id=new_id("chk"), document_id=document.id, number=number, text=text)
            for number, text in enumerate(texts)
        ]
        await self.add(document, *chunks)
        await self.note("document", document.id)
        return document.id

    async def delete(self, table: Any, key: str) -> None:
        async with self.database.writing() as session:
            await session.delete(await session.get_one(table, key))

    async def forget_message(self, turn_id: str) -> None:
        for row in await self.all(Message, Message.turn_id == turn_id):
            await self.alter(Message, row.id, forgotten_at=now())

    async def note(self, kind: changes.Kind, ref: str) -> None:
        async with change(self.database, self.rooms) as work:
            changes.note(work, kind, ref)

    # What memory does

    async def learn(self) -> MemoryDone:
        """What the writer does when it is woken: build when that is due, then learn."""
        done: MemoryDone = await self.run(self.writer.learn_memory)
        if done.broken:
            await self.run(self.writer.rebuild_memory)
            done = await self.run(self.writer.learn_memory)
        return done

    async def tend(self) -> MemoryDone:
        done: MemoryDone = await self.run(self.writer.tend_memory)
        return done

    async def verify(self) -> MemoryVerdict:
        verdict: MemoryVerdict = await self.run(self.checker.verify_memory)
        return verdict

    async def run(self, step: Any) -> Any:
        return await ActivityEnvironment().run(step)

    async def find(
        self, who: Principal, text: str, *, conversation_id: str = "", alone: bool = True,
        kinds: Sequence[HitKind] = ("message", "fact", "document"), limit: int = 10,
    ) -> list[Hit]:  # fmt: skip
        scope = Scope(who.workspace_id, who.user_id, conversation_id, alone)
        return await self.index.search(scope, text, (await self.embedder.embed([text]))[0], kinds=kinds, limit=limit)

    async def waiting(self) -> int:
        return len(await self.all(MemoryChange))

    async def ghosts(self) -> int:
        """How many removed rows are still in the files of the index."""
        edition = self.place.edition()
        assert edition is not None
        keeper = await Keeper.open(self.place, edition)
        count = 0
        for shelf in keeper.shelves.values():
            stats: Any = await shelf._table.stats()
            fragments = stats["fragment_stats"]
            count += round(fragments["num_fragments"] * fragments["lengths"]["mean"]) - stats["num_rows"]
        return count

    def holds(self, text: str) -> list[str]:
        """The files of the index in which the text stands, as bytes."""
        return [str(file) for file in self.folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


async def view(stage: Stage) -> MemoryView:
    """How memory is told to be."""
    async with stage.database.reading() as session:
        return await memory_status.view(session)


async def within(seconds: float, work: Any) -> bool:
    """Whether something ends in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await work
            return True
    return False
