"""A finished turn to learn from, a model that answers what it is told to, and the activities."""

from collections.abc import AsyncGenerator

import pytest

from connectors.registry import Registry
from core.clock import now
from core.permissions import Principal
from core.store import rounds
from core.store.rounds import Answer
from core.store.usage import Charge, Figures
from core.store.work import change
from core.tables.work import Turn
from tests.doubles.connector import LedgerConnector
from tests.world import World
from workers.llm.aside import Aside
from workers.llm.port import ModelItem, ModelRequest, TextDelta, UsageReported, UserSaid
from workers.llm.router import Router
from workers.reflecting.learn import Learner
from workers.reflecting.summarise import Summariser


class SayingModel:
    """Says the next of its answers, the last one again and again; an exception is raised."""

    name = "saying"

    def __init__(self, *answers: str | Exception, offline: bool = False) -> None:
        self.answers = list(answers)
        self.offline = offline
        self.requests: list[ModelRequest] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem]:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        yield TextDelta(answer)
        yield UsageReported(input_tokens=3, output_tokens=2, model="saying-1")

    async def ping(self) -> str:
        return "here"

    async def aclose(self) -> None:
        return


def told_to(model: SayingModel, number: int) -> str:
    """What the model was told at one of its calls."""
    (entry,) = model.requests[number].entries
    assert isinstance(entry, UserSaid)
    return entry.text


class Told(World):
    """A world in which turns are answered."""

    async def answer(self, turn: Turn, text: str = "I see.", *, learn: bool = True) -> None:
        """Finish a running turn with this reply."""
        charge = Charge(workspace_id=turn.workspace_id, user_id=turn.user_id, turn_id=turn.id, model="m")
        given = Answer(
            turn_id=turn.id,
            number=0,
            attempt=1,
            lease_epoch=(await self.get(Turn, turn.id)).lease_epoch,
            text=text,
            said=text,
            was_kept=False,
            charge=charge,
            figures=Figures(model="m"),
            usage_id=None,
            learn=learn,
            started_at=now(),
        )
        async with change(self.database, self.rooms) as work:
            await rounds.finish(work, given)

    async def talk(self, who: Principal, conversation_id: str, said: str, reply: str = "I see.") -> Turn:
        turn, _ = await self.say(who, conversation_id, said)
        await self.answer(turn, reply)
        return turn

    def aside(self, model: SayingModel) -> Aside:
        return Aside(self.database, self.rooms, Router((model,)))

    def learner(self, model: SayingModel, *, asks: bool = True) -> Learner:
        registry = Registry.load([LedgerConnector()])
        return Learner(self.database, self.rooms, registry, self.aside(model), asks=asks)

    def summariser(self, model: SayingModel, context_tokens: int = 400) -> Summariser:
        return Summariser(self.database, self.rooms, self.aside(model), context_tokens)


@pytest.fixture
def world(sqlite_database) -> Told:
    return Told(sqlite_database)


@pytest.fixture
async def ana(world: Told) -> Principal:
    return await world.person()


@pytest.fixture
async def talk_id(world: Told, ana: Principal) -> str:
    return await world.conversation(ana)
