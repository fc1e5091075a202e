"""The activity `think`: one model call of a turn, and the one commit of what it gave."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime

from temporalio import activity

from connectors.registry import Registry
from core.clock import now
from core.errors import AssentError, LeaseLost
from core.faults import crash_point
from core.messages import ThinkInput, Thought
from core.rooms import Rooms
from core.store import context, rounds, turns
from core.store.context import Talk
from core.store.database import Database
from core.store.rounds import Answer
from core.store.work import change
from core.tables.work import Round
from core.values import TurnState
from workers.failures import as_failure
from workers.heartbeat import beating
from workers.llm.errors import ModelError
from workers.llm.offline.direct import coerce, parse_do
from workers.llm.port import CallAsked, ChatModel, ModelRequest, TextDelta, ToolSpec, UsageReported
from workers.thinking.entries import entries_of
from workers.thinking.plan import Planner
from workers.thinking.prompt import system_prompt
from workers.thinking.speech import Speech

DIRECT = "direct"


@dataclass
class Gathered:
    """What a model has given so far."""

    calls: list[CallAsked] = field(default_factory=list)
    usage: UsageReported | None = None


class Thinker:
    """Makes model calls. `offline` also phrases what `/do` commands gave, whatever model is configured."""

    def __init__(
        self,
        database: Database,
        rooms: Rooms,
        registry: Registry,
        model: ChatModel,
        offline: ChatModel,
        planner: Planner,
        max_rounds: int,
    ) -> None:
        """Take all that a call needs."""
        self._database = database
        self._rooms = rooms
        self._registry = registry
        self._model = model
        self._offline = offline
        self._planner = planner
        self._max_rounds = max_rounds

    @activity.defn(name="think")
    async def think(self, step: ThinkInput) -> Thought:
        """Give a stored answer again, or ask the model; a lost lease or an ended turn ends the work quietly."""
        async with beating():
            try:
                return await self._think(step)
            except LeaseLost:
                return Thought(ended=True)
            except ModelError as error:
                raise as_failure(error, again=error.temporary, after_seconds=error.retry_after) from error
            except AssentError as error:
                raise as_failure(error, again=False) from error

    async def _think(self, step: ThinkInput) -> Thought:
        async with self._database.reading() as session:
            talk = await context.load(session, step.turn_id)
        asked = any(row.number == step.round for row in talk.current.rounds)
        if asked or talk.current.turn.state != TurnState.RUNNING:
            return await self._stored(step, talk)
        before = said_before(talk.current.rounds)
        attempt = await self._attempt(step, talk, len(before))
        crash_point("think.before_model")
        began = now()
        speech = Speech(
            self._database,
            self._rooms,
            conversation_id=talk.conversation.id,
            turn_id=step.turn_id,
            attempt=attempt,
            before=before,
        )
        gathered, model_name = await self._ask(step, talk, speech)
        return await self._commit(step, talk, speech, gathered, model_name, attempt, began)

    async def _attempt(self, step: ThinkInput, talk: Talk, offset: int) -> int:
        if activity.info().attempt == 1:
            return talk.current.turn.attempt
        async with change(self._database, self._rooms) as work:
            return await turns.restart(work, step.turn_id, step.lease_epoch, offset)

    async def _stored(self, step: ThinkInput, talk: Talk) -> Thought:
        if talk.current.turn.state != TurnState.RUNNING:
            return Thought(ended=True)
        async with self._database.reading() as session:
            calls = await rounds.planned(session, step.turn_id, step.round, self._registry.timeouts())
        return Thought(ended=False, calls=tuple(calls))

    async def _ask(self, step: ThinkInput, talk: Talk, speech: Speech) -> tuple[Gathered, str]:
        direct = parse_do(talk.current.message.text)
        if direct is not None and step.round == 0:
            return Gathered(calls=[self._typed(direct)]), DIRECT
        model = self._model if direct is None else self._offline
        gathered = await self._listen(model, self._request(step, talk), speech)
        speech.show()
        return gathered, gathered.usage.model if gathered.usage else model.name

    def _typed(self, direct: CallAsked) -> CallAsked:
        """Give the values that a person typed the types of the action's schema. Raises UnknownAction."""
        schema = self._registry.action(direct.name).spec.schema_
        return replace(direct, arguments=coerce(direct.arguments, schema))

    def _request(self, step: ThinkInput, talk: Talk) -> ModelRequest:
        last = step.round + 1 >= self._max_rounds
        return ModelRequest(
            system=system_prompt(talk),
            entries=entries_of(talk),
            tools=() if last else self._tools(),
            first_reply=not any(row.text for record in talk.turns for row in record.rounds),
        )

    def _tools(self) -> tuple[ToolSpec, ...]:
        return tuple(
            ToolSpec(
                name=bound.name,
                description=bound.spec.description,
                schema=bound.spec.schema_,
                examples=bound.spec.examples,
            )
            for bound in self._registry.actions()
        )

    async def _listen(self, model: ChatModel, request: ModelRequest, speech: Speech) -> Gathered:
        gathered = Gathered()
        pieces = 0
        async with aclosing(model.stream(request)) as stream:
            async for item in stream:
                if isinstance(item, TextDelta):
                    await speech.add(item.text)
                    pieces += 1
                    if pieces > 1:
                        crash_point("think.mid_stream")
                elif isinstance(item, CallAsked):
                    gathered.calls.append(item)
                else:
                    gathered.usage = item
        return gathered

    async def _commit(
        self,
        step: ThinkInput,
        talk: Talk,
        speech: Speech,
        gathered: Gathered,
        model_name: str,
        attempt: int,
        began: datetime,
    ) -> Thought:
        usage = gathered.usage
        answer = Answer(
            turn_id=step.turn_id,
            number=step.round,
            attempt=attempt,
            lease_epoch=step.lease_epoch,
            text=speech.text,
            said=speech.said,
            was_kept=speech.was_kept or attempt > 1,
            model=model_name,
            input_tokens=usage.input_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            started_at=began,
        )
        crash_point("think.before_commit")
        if not gathered.calls:
            async with change(self._database, self._rooms) as work:
                await rounds.finish(work, answer)
            crash_point("think.committed")
            return Thought(ended=True)
        planned = await self._planner.plan(talk, step.round, gathered.calls, speech.text)
        async with change(self._database, self._rooms) as work:
            await rounds.propose(work, answer, planned)
        crash_point("think.proposed")
        async with self._database.reading() as session:
            calls = await rounds.planned(session, step.turn_id, step.round, self._registry.timeouts())
        return Thought(ended=False, calls=tuple(calls))


def said_before(earlier: Sequence[Round]) -> str:
    """Give what the turn's earlier rounds said, as one text."""
    return rounds.SEPARATOR.join(row.text for row in earlier if row.text)
