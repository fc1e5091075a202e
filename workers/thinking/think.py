"""The activity `think`: one model call of a turn, and the one commit of what it gave."""

from collections.abc import Sequence
from dataclasses import replace

from temporalio import activity

from connectors.registry import Registry
from core.clock import now
from core.errors import AssentError, LeaseLost
from core.faults import crash_point
from core.messages import ThinkInput, Thought
from core.rooms import Rooms
from core.store import context, recalls, rounds, turns, usage
from core.store.context import Talk
from core.store.database import Database
from core.store.rounds import Answer
from core.store.work import change
from core.tables.work import Round
from core.values import TurnState
from workers.failures import as_failure
from workers.heartbeat import beating
from workers.llm.errors import ContextTooLong, ModelError
from workers.llm.offline.direct import coerce, parse_do
from workers.llm.port import CallAsked
from workers.reflecting.after import Afterwards
from workers.thinking.attempt import Attempt
from workers.thinking.brief import Briefer
from workers.thinking.calls import Gathered, ModelCalls
from workers.thinking.fallback import Fallback
from workers.thinking.manner import mode_of, within
from workers.thinking.neutral import Neutralizer, hosts_in
from workers.thinking.plan import Planner
from workers.thinking.speech import Speech

TRIMS = 2


class Thinker:
    """Makes model calls."""

    def __init__(
        self,
        database: Database,
        rooms: Rooms,
        registry: Registry,
        briefer: Briefer,
        calls: ModelCalls,
        fallback: Fallback,
        planner: Planner,
        afterwards: Afterwards,
        hosts: frozenset[str] = frozenset(),
    ) -> None:
        """Take all that a call needs; `hosts` are those that links in answers may lead to."""
        self._database = database
        self._rooms = rooms
        self._registry = registry
        self._briefer = briefer
        self._calls = calls
        self._fallback = fallback
        self._planner = planner
        self._afterwards = afterwards
        self._hosts = hosts

    @activity.defn(name="think")
    async def think(self, step: ThinkInput) -> Thought:
        """Give a stored answer again, or ask the model; a lost lease or an ended turn ends the work quietly."""
        async with beating():
            try:
                return await self._think(step)
            except LeaseLost:
                return Thought(ended=True)
            except ModelError as error:
                raise as_failure(error, again=error.temporary, after_seconds=error.retry_after) from None
            except AssentError as error:
                raise as_failure(error, again=False) from None

    async def _think(self, step: ThinkInput) -> Thought:
        async with self._database.reading() as session:
            talk = await context.load(session, step.turn_id, self._briefer.tokens)
        asked = any(row.number == step.round for row in talk.current.rounds)
        if asked or talk.current.turn.state != TurnState.RUNNING:
            return await self._stored(step, talk)
        before = said_before(talk.current.rounds)
        number = await self._number(step, talk, len(before))
        attempt = await self._begin(step, talk, number)
        crash_point("think.before_model")
        speech = Speech(
            self._database,
            self._rooms,
            conversation_id=talk.conversation.id,
            turn_id=step.turn_id,
            attempt=number,
            before=before,
            neutral=Neutralizer(self._hosts | hosts_in(record.message.text for record in talk.turns)),
        )
        attempt, gathered = await self._ask(step, talk, attempt, speech)
        try:
            return await self._commit(step, talk, attempt, speech, gathered)
        except LeaseLost:
            await self._fallback.abandon(attempt, gathered, speech)
            raise

    async def _number(self, step: ThinkInput, talk: Talk, offset: int) -> int:
        if activity.info().attempt == 1:
            return talk.current.turn.attempt
        async with change(self._database, self._rooms) as work:
            return await turns.restart(work, step.turn_id, step.lease_epoch, offset)

    async def _stored(self, step: ThinkInput, talk: Talk) -> Thought:
        if talk.current.turn.state != TurnState.RUNNING:
            return Thought(ended=True)
        async with self._database.reading() as session:
            calls = await rounds.planned(
                session, step.turn_id, step.round, self._registry.of(talk.conversation.workspace_id).timeouts()
            )
        return Thought(ended=False, calls=tuple(calls))

    async def _begin(self, step: ThinkInput, talk: Talk, number: int, tokens: int | None = None) -> Attempt:
        """Brief and choose; tell what was recalled and reserve what it may cost, in one commit where there is need.

        `tokens`: the most that the call may take, after a model found it too long.
        """
        began = now()
        mode = mode_of(talk)
        briefing = await self._briefer.brief(talk, step.round, tokens=tokens, mode_prompt=mode.prompt)
        briefing = within(talk, step.round, briefing)
        direct = talk.current.turn.direct is not None or parse_do(talk.current.message.text) is not None
        if direct and step.round == 0:
            chosen = self._calls.typed(step, talk, briefing, number)
        else:
            tried = [] if tokens is not None else await self._tried(step)
            chosen = self._calls.choose(step, talk, briefing, number, direct=direct, tried=tried)
            briefing = self._calls.capped(chosen, briefing)
        usage_id: str | None = None
        if briefing.recall is not None or chosen.reserve:
            async with change(self._database, self._rooms) as work:
                if briefing.recall is not None:
                    await recalls.note(work, talk.conversation.id, briefing.recall)
                if chosen.reserve:
                    usage_id = await usage.reserve(work, chosen.charge)
        return Attempt(number, briefing, chosen, usage_id, began)

    async def _tried(self, step: ThinkInput) -> list[str]:
        """Give the models that failed at this round in an earlier attempt; the first attempt need not look."""
        if activity.info().attempt == 1:
            return []
        async with self._database.reading() as session:
            return await usage.tried(session, step.turn_id, step.round)

    async def _ask(self, step: ThinkInput, talk: Talk, attempt: Attempt, speech: Speech) -> tuple[Attempt, Gathered]:
        """Ask; what a model finds too long is told again in half the room, twice at most. Raises ModelError."""
        if attempt.chosen.model is None:
            return attempt, Gathered(calls=[self._typed(talk)])
        for _ in range(TRIMS):
            try:
                return await self._fallback.answer(attempt, speech)
            except ContextTooLong:
                if not speech.is_silent:
                    raise
                attempt = await self._begin(step, talk, attempt.number, attempt.briefing.tokens // 2)
        return await self._fallback.answer(attempt, speech)

    def _typed(self, talk: Talk) -> CallAsked:
        """Give the call that a program asked for, or that a person typed, with the types of the action's schema.

        Raises UnknownAction.
        """
        asked = talk.current.turn.direct
        if asked is not None:
            return CallAsked("direct", asked["action"], asked["arguments"])
        direct = parse_do(talk.current.message.text)
        if direct is None:
            message = "this is no command"
            raise AssertionError(message)
        schema = self._registry.of(talk.conversation.workspace_id).action(direct.name).spec.schema_
        return replace(direct, arguments=coerce(direct.arguments, schema))

    async def _commit(
        self, step: ThinkInput, talk: Talk, attempt: Attempt, speech: Speech, gathered: Gathered
    ) -> Thought:
        answer = Answer(
            turn_id=step.turn_id,
            number=step.round,
            attempt=attempt.number,
            lease_epoch=step.lease_epoch,
            text=speech.text,
            said=speech.said,
            was_kept=speech.was_kept or attempt.number > 1,
            charge=attempt.chosen.charge,
            figures=self._calls.figures(attempt.chosen, gathered, speech.text),
            usage_id=attempt.usage_id,
            consensus=gathered.consensus,
            intent=attempt.briefing.intent,
            confidence=attempt.briefing.confidence,
            profile=attempt.briefing.profile,
            started_at=attempt.began,
        )
        crash_point("think.before_commit")
        if not gathered.calls:
            return await self._finish(talk, attempt, answer)
        planned = await self._planner.plan(
            talk, step.round, gathered.calls, speech.text, gathered.concerns, attempt.briefing.request.recalled
        )
        async with change(self._database, self._rooms) as work:
            await rounds.propose(work, answer, planned)
        crash_point("think.proposed")
        async with self._database.reading() as session:
            calls = await rounds.planned(
                session, step.turn_id, step.round, self._registry.of(talk.conversation.workspace_id).timeouts()
            )
        return Thought(ended=False, calls=tuple(calls))

    async def _finish(self, talk: Talk, attempt: Attempt, answer: Answer) -> Thought:
        """Commit the reply, with what it is followed by."""
        after = await self._afterwards.follow(talk, attempt.chosen.model, answer.said)
        known = {"learn": after.learn, "sum_up": after.sum_up, "suggestions": after.suggestions}
        async with change(self._database, self._rooms) as work:
            await rounds.finish(work, answer.model_copy(update=known))
        crash_point("think.committed")
        return Thought(ended=True)


def said_before(earlier: Sequence[Round]) -> str:
    """Give what the turn's earlier rounds said, as one text."""
    return rounds.SEPARATOR.join(row.text for row in earlier if row.text)
