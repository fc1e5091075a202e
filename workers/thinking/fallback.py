"""Asking until somebody answers: the chosen model, and those after it when it fails before it said anything.

A call that failed is released before the next one is reserved, in one commit: nothing is charged twice.
"""

import asyncio
from dataclasses import replace

import structlog

from core.errors import BudgetExhausted, PriceUnknown
from core.faults import crash_point
from core.rooms import Rooms
from core.store import model_health, usage
from core.store.database import Database
from core.store.work import Work, change
from workers.llm.errors import CallUnreadable, ContextTooLong, ModelBrokeOff, ModelError, NoModelAnswered
from workers.llm.port import AssistantSaid, ModelRequest, UserSaid
from workers.llm.router import Router
from workers.thinking.attempt import Attempt, Chosen
from workers.thinking.calls import Gathered, ModelCalls
from workers.thinking.consensus import Consensus
from workers.thinking.speech import Speech

_log = structlog.get_logger()
_REPAIR = (
    "[the server] Your tool call could not be read: its arguments have to be one JSON object that fits the tool's "
    "schema. Make the call again. Do not repeat what you already said."
)


class Fallback:
    """Asks for one round; each model at most once, and once more for a call that could not be read."""

    def __init__(
        self, database: Database, rooms: Rooms, router: Router, calls: ModelCalls, consensus: Consensus
    ) -> None:
        """Take the models, and where their use and their faults are written down; `consensus` may ask more of them."""
        self._consensus = consensus
        self._database = database
        self._rooms = rooms
        self._router = router
        self._calls = calls

    async def answer(self, attempt: Attempt, speech: Speech) -> tuple[Attempt, Gathered]:
        """Give what a model answered, and the attempt that says which one. Raises ModelError."""
        failures: list[ModelError] = []
        while True:
            try:
                gathered = await self._ask(attempt, speech)
            except ModelError as error:
                failures.append(error)
                attempt = await self._go_on(attempt, failures, speech)
            else:
                return attempt, await self._weigh(attempt, gathered, speech)

    async def _ask(self, attempt: Attempt, speech: Speech) -> Gathered:
        model, wellness = attempt.chosen.model, self._router.health
        if model is None:
            message = "nobody is to be asked"
            raise AssertionError(message)
        wellness.asked(model.name)
        try:
            gathered = await self._calls.listen(model, attempt.briefing.request, speech)
        except asyncio.CancelledError:
            wellness.left(model.name)
            await self.abandon(attempt, Gathered(), speech)
            raise
        if wellness.answered(model.name):
            async with change(self._database, self._rooms) as work:
                await model_health.note(work, model.name, ok=True)
        return gathered

    async def _weigh(self, attempt: Attempt, gathered: Gathered, speech: Speech) -> Gathered:
        """Let the others have their say; the answer that was given until a stop is paid all the same."""
        try:
            return await self._consensus.weigh(attempt, gathered, speech)
        except asyncio.CancelledError:
            await self.abandon(attempt, gathered, speech)
            raise

    async def abandon(self, attempt: Attempt, gathered: Gathered, speech: Speech) -> None:
        """Account for a call whose answer is not wanted any more: a stopped one is paid by what it said until then."""
        figures = self._calls.figures(attempt.chosen, gathered, speech.text)
        try:
            async with change(self._database, self._rooms) as work:
                await usage.abandon(work, attempt.chosen.charge, attempt.usage_id, figures)
        except Exception:  # noqa: BLE001 - what ended the call is told, whatever becomes of its account
            _log.exception("a call that was given up could not be accounted for")

    async def _go_on(self, attempt: Attempt, failures: list[ModelError], speech: Speech) -> Attempt:
        """Release what failed and reserve what is asked next; raise when there is nobody, or somebody heard a part."""
        error, chosen = failures[-1], attempt.chosen
        following = self._following(chosen, failures, silent=speech.is_silent)
        request = attempt.briefing.request
        if isinstance(error, CallUnreadable) and following is not None and following.model is chosen.model:
            request = _with_repair(request, speech.text)
        usage_id, refused = None, None
        async with change(self._database, self._rooms) as work:
            await self._release(work, attempt, error)
            await self._note(work, chosen, error)
            if following is not None and following.reserve:
                try:
                    usage_id = await usage.reserve(work, following.charge)
                except (BudgetExhausted, PriceUnknown) as over:
                    refused = over  # raised once what failed is released
        crash_point("think.fell_back")
        if refused is not None:
            raise refused
        if following is None:
            last = _conclusion(failures, chosen, silent=speech.is_silent)
            if last is error:
                raise error
            raise last from error
        briefing = replace(attempt.briefing, request=request)
        return replace(attempt, chosen=following, briefing=briefing, usage_id=usage_id)

    def _following(self, chosen: Chosen, failures: list[ModelError], *, silent: bool) -> Chosen | None:
        """Give who is asked next: the same model once for an unreadable call, else one after it."""
        error = failures[-1]
        if isinstance(error, CallUnreadable) and not any(isinstance(one, CallUnreadable) for one in failures[:-1]):
            return chosen
        if not silent:
            return None
        others = chosen.others
        if isinstance(error, ContextTooLong):
            size = self._router.traits(chosen.charge.model).context_tokens
            others = tuple(one for one in others if self._router.traits(one.name).context_tokens > size)
        if not others:
            return None
        return self._calls.instead(chosen, others)

    async def _release(self, work: Work, attempt: Attempt, error: ModelError) -> None:
        if error.reported is not None:
            figures = self._calls.figures(attempt.chosen, Gathered(usage=error.reported), "")
            usage.unusable(work, attempt.chosen.charge, figures)
        if attempt.usage_id is not None:
            await usage.release(work, attempt.usage_id)
        else:
            usage.failed(work, attempt.chosen.charge)

    async def _note(self, work: Work, chosen: Chosen, error: ModelError) -> None:
        name = chosen.charge.model
        if self._router.health.failed(name, error):
            await model_health.note(work, name, ok=False, code=error.code, sentence=error.detail)


def _with_repair(request: ModelRequest, said: str) -> ModelRequest:
    spoken = (AssistantSaid(said),) if said else ()
    return replace(request, entries=(*request.entries, *spoken, UserSaid(_REPAIR)))


def _conclusion(failures: list[ModelError], chosen: Chosen, *, silent: bool) -> ModelError:
    """Give the error of the whole: the only model's own, or one that speaks for all of them."""
    last = failures[-1]
    if not silent and chosen.others and not last.temporary:
        return ModelBrokeOff()
    if (
        len(failures) == 1
        or isinstance(last, ContextTooLong)
        or chosen.others
        or all(isinstance(one, CallUnreadable) for one in failures)
    ):
        return last
    waits = [one.retry_after for one in failures if one.retry_after is not None]
    temporary = any(one.temporary for one in failures)
    return NoModelAnswered(len(failures), last, temporary=temporary, retry_after=min(waits) if waits else None)
