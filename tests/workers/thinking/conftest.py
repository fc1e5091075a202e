"""A thinker with its connectors, a scripted model and, if a test wants it, memory; without Temporal."""

from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from connectors.registry import Registry
from core.keys import KeyRing
from core.messages import ThinkInput, Thought
from core.permissions import Principal
from core.settings import Settings
from core.store.messages import reply_id
from core.tables.talk import Message
from core.tables.work import Turn
from tests.doubles.connector import LedgerConnector
from tests.doubles.embedder import WordEmbedder
from tests.doubles.index import BoundlessIndex
from tests.workflows.script import ScriptedModel
from tests.world import World
from workers.llm.port import ChatModel
from workers.llm.router import Router
from workers.main import Parts, build_parts


@dataclass(frozen=True)
class Memory:
    """What build_parts takes of memory."""

    embedder: WordEmbedder
    index: BoundlessIndex


class Mind:
    """Thinks about what people say."""

    def __init__(self, world: World, settings: Settings, client: Client, ring: KeyRing) -> None:
        self.world = world
        self.settings = settings
        self.model = ScriptedModel()
        embedder = WordEmbedder()
        self.memory = Memory(embedder, BoundlessIndex(world.database, embedder))
        self._client = client
        self._ring = ring

    def parts(self, *, memory: bool = True, model: ChatModel | None = None, **settings: Any) -> Parts:
        """Everything that works."""
        return build_parts(
            self.settings.model_copy(update={"recall_seconds": 20.0, **settings}),
            self.world.database,
            self._client,
            self.world.rooms,
            self._ring,
            Registry.load([LedgerConnector()]),
            Router((model or self.model,)),
            memory=self.memory if memory else None,
        )

    async def think(self, turn: Turn, parts: Parts | None = None, number: int = 0) -> Thought:
        """Run one round of a turn."""
        fresh = await self.world.get(Turn, turn.id)
        step = ThinkInput(turn_id=turn.id, round=number, lease_epoch=fresh.lease_epoch)
        thought: Thought = await ActivityEnvironment().run((parts or self.parts()).thinker.think, step)
        return thought

    async def ask(self, who: Principal, text: str, conversation_id: str | None = None, **parts: Any) -> Message:
        """Say something, and give the reply."""
        turn, _ = await self.world.say(who, conversation_id or await self.world.conversation(who), text)
        await self.think(turn, self.parts(**parts))
        return await self.world.get(Message, reply_id(turn.id))

    async def said(self, who: Principal, conversation_id: str, text: str, reply: str | None = None) -> Turn:
        """Say something that is answered at once."""
        turn, _ = await self.world.say(who, conversation_id, text)
        if reply is not None:
            self.model.lines[text] = [[reply]]
        await self.think(turn, self.parts(memory=False))
        return turn


@pytest.fixture
async def mind(world: World, settings: Settings, ring: KeyRing) -> Mind:
    client = await Client.connect("127.0.0.1:1", lazy=True)
    return Mind(world, settings, client, ring)


@pytest.fixture
async def ana(world: World) -> Principal:
    return await world.person()
