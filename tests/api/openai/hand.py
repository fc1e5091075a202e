"""Does by hand what workers do: says text, ends turns, lets them wait for people."""

import asyncio
from typing import Any

import httpx2
from openai import AsyncOpenAI
from sqlalchemy import select

from core.clock import now
from core.events import TurnDelta
from core.messages import TurnEnding, TurnStep
from core.permissions import Scope
from core.store import api_tokens, partials, rounds, turns
from core.store.audit import AuditTrail
from core.store.rounds import Answer
from core.store.usage import Charge, Figures
from core.store.work import change
from core.tables.consent import Approval
from core.tables.talk import Conversation
from core.tables.work import Turn
from core.values import TurnState
from tests.api.rest.house import ADDRESS, House, Person
from tests.world import eventually

HI: list[Any] = [{"role": "user", "content": "Hi"}]


async def secret_of(house: House, person: Person, *scopes: Scope) -> str:
    """A token for a program of this person."""
    async with change(house.database, house.rooms) as work:
        _, secret = await api_tokens.create(
            work,
            AuditTrail(house.ring),
            person.principal,
            name="x",
            days=1,
            scopes=scopes or (Scope.CHAT, Scope.READ),
        )
    return secret


def client_of(house: House, secret: str, **more: Any) -> AsyncOpenAI:
    """OpenAI's own client, straight into the application."""
    transport = httpx2.ASGITransport(house.app, raise_app_exceptions=False)
    http = httpx2.AsyncClient(transport=transport, trust_env=False)
    return AsyncOpenAI(api_key=secret, base_url=f"{ADDRESS}/v1", http_client=http, **{"max_retries": 0} | more)


class Hand:
    """Works on the turns of one workspace."""

    def __init__(self, house: House, workspace_id: str) -> None:
        self._house = house
        self._workspace_id = workspace_id

    async def turns(self) -> list[Turn]:
        async with self._house.database.reading() as session:
            found = select(Turn).where(Turn.workspace_id == self._workspace_id).order_by(Turn.created_at, Turn.id)
            return list((await session.execute(found)).scalars())

    async def conversations(self) -> list[str]:
        async with self._house.database.reading() as session:
            found = select(Conversation.id).where(Conversation.workspace_id == self._workspace_id)
            return list((await session.execute(found)).scalars())

    async def running(self) -> Turn:
        """Wait for a turn that runs."""
        found: list[Turn] = []

        async def runs() -> bool:
            found[:] = [turn for turn in await self.turns() if turn.state == TurnState.RUNNING]
            return bool(found)

        await eventually(runs)
        return found[0]

    def say(self, turn: Turn, text: str, offset: int = 0) -> None:
        delta = TurnDelta(
            conversation_id=turn.conversation_id, turn_id=turn.id, attempt=turn.attempt, offset=offset, text=text
        )
        self._house.rooms.say(turn.conversation_id, delta)

    async def keep(self, turn: Turn, text: str) -> None:
        async with self._house.database.writing() as session:
            await partials.keep(session, turn.id, turn.attempt, text)

    async def finish(self, turn: Turn, text: str, *, counted: bool = True) -> None:
        tokens = {"input_tokens": 3, "output_tokens": 2} if counted else {}
        answer = Answer(
            turn_id=turn.id,
            number=0,
            attempt=turn.attempt,
            lease_epoch=turn.lease_epoch,
            text=text,
            said=text,
            was_kept=True,
            charge=Charge(workspace_id=turn.workspace_id, user_id=turn.user_id, turn_id=turn.id, model="m-1"),
            figures=Figures(model="m-1", **tokens),
            usage_id=None,
            started_at=now(),
        )
        async with change(self._house.database, self._house.rooms) as work:
            await rounds.finish(work, answer)

    async def fail(self, turn: Turn, code: str, detail: str = "The model is away.") -> None:
        async with change(self._house.database, self._house.rooms) as work:
            await turns.fail(work, TurnEnding(turn_id=turn.id, error_code=code, error_detail=detail))

    async def park(self, turn: Turn, person: Person) -> Approval:
        approval = await self._house.approval(person, turn.id)
        async with change(self._house.database, self._house.rooms) as work:
            await turns.park(work, TurnStep(turn_id=turn.id, lease_epoch=turn.lease_epoch))
        return approval

    async def resume(self, turn: Turn, approval: Approval) -> Turn:
        """Let the approval be approved, and the turn go on."""
        async with self._house.database.writing() as session:
            (await session.get_one(Approval, approval.id)).state = "approved"
        async with change(self._house.database, self._house.rooms) as work:
            await turns.resume(work, TurnStep(turn_id=turn.id, lease_epoch=turn.lease_epoch))
        return await self.running()

    async def answering(self, asking: Any, text: str) -> Any:
        """Answer what is asked meanwhile."""
        task = asyncio.ensure_future(asking)
        await self.finish(await self.running(), text)
        return await task


def talk(*texts: str) -> list[Any]:
    """What a client sends: said and answered, in turns."""
    return [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(texts)]


async def ask(client: AsyncOpenAI, hand: Hand, messages: list[Any], answer: str, **more: Any) -> Any:
    """Ask while somebody answers."""
    asking = client.chat.completions.create(model="assent", messages=messages, **more)
    return await hand.answering(asking, answer)


async def heard(stream: Any) -> str:
    """All text that a stream told."""
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
