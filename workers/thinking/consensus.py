"""Several models for one answer, where a policy asks for it: what most of them would do is done, or nothing is.

Only calls of the policy's risks count: each model's are compared as canonical JSON, whatever else it said or read. More
than half of those asked have to agree, and one that fails does not agree. No text can be taken back that was said.
"""

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from connectors.registry import Registry
from core.digest import canonical
from core.errors import AssentError, BudgetExhausted, PriceUnknown
from core.masking import mask
from core.rooms import Rooms
from core.settings import ConsensusRule
from core.store import usage
from core.store.database import Database
from core.store.work import change
from core.views import ConsensusAnswer, ConsensusView
from workers.llm.errors import ModelError, ModelTimedOut
from workers.llm.port import CallAsked, ChatModel, ModelRequest, UsageReported
from workers.llm.router import Router
from workers.thinking.attempt import Attempt, Chosen
from workers.thinking.calls import Gathered, ModelCalls
from workers.thinking.speech import Speech

SECONDS = 30.0
PURPOSE = "consensus"
_SHOWN = 300
_NOT_AGREED = "The models that were asked did not agree on what to do here, so it was not done ({spread})."


@dataclass
class _Vote:
    """What one model would do; `fault` says why it gave nothing."""

    model: str
    calls: list[CallAsked] = field(default_factory=list)
    usage: UsageReported | None = None
    fault: str | None = None


class Consensus:
    """Asks the rule's other models about calls of the rule's risks."""

    def __init__(
        self,
        database: Database,
        rooms: Rooms,
        router: Router,
        calls: ModelCalls,
        registry: Registry,
        rule: ConsensusRule,
    ) -> None:
        """Take the rule; without models in it, nobody is ever asked."""
        self._database = database
        self._rooms = rooms
        self._router = router
        self._calls = calls
        self._registry = registry
        self._rule = rule

    async def weigh(self, attempt: Attempt, gathered: Gathered, speech: Speech) -> Gathered:
        """Give the answer with the calls that most models agree on; as it is when the rule has no say in it."""
        registry = self._registry.of(attempt.chosen.charge.workspace_id)
        here = Consensus(self._database, self._rooms, self._router, self._calls, registry, self._rule)
        return await here._weigh(attempt, gathered, speech)

    async def _weigh(self, attempt: Attempt, gathered: Gathered, speech: Speech) -> Gathered:
        if not self._rule.models or not any(self._is_weighty(call) for call in gathered.calls):
            return gathered
        name = attempt.chosen.charge.model
        others = await self._ask_all(attempt, [one for one in self._rule.models if one != name])
        votes = [_Vote(name, gathered.calls), *others]
        keys = [None if vote.fault else self._key(vote) for vote in votes]
        winner, count = Counter(key for key in keys if key is not None).most_common(1)[0]
        reached = count > len(votes) // 2
        view = self._view(votes, keys, winner if reached else None, count)
        calls = [call for call in gathered.calls if not self._is_weighty(call)]
        if reached:
            theirs = [call for call in votes[keys.index(winner)].calls if self._is_weighty(call)]
            weighty = [replace(call, call_id=f"agreed-{place}") for place, call in enumerate(theirs)]
            calls = gathered.calls if keys[0] == winner else [*calls, *weighty]
        if not any(self._is_weighty(call) for call in calls):
            await self._say(speech, view)
        concerns = {call.call_id: _spread(view) for call in calls if self._is_weighty(call)}
        return replace(gathered, calls=calls, consensus=view, concerns=concerns)

    def _is_weighty(self, call: CallAsked) -> bool:
        """Whether the rule asks for several models here; a call of an unknown action is refused anyway."""
        try:
            return self._registry.action(call.name).spec.risk in self._rule.risks
        except AssentError:
            return False

    def _shown(self, call: CallAsked) -> str:
        arguments = mask(self._registry.action(call.name).spec.secrets, call.arguments)
        text = f"{call.name} {canonical(arguments).decode()}"
        return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"

    def _key(self, vote: _Vote) -> bytes:
        """Give what compares two answers: their weighty calls, whatever their order and ids."""
        calls = sorted(canonical([one.name, one.arguments]) for one in vote.calls if self._is_weighty(one))
        return b"\n".join(calls)

    async def _ask_all(self, attempt: Attempt, names: list[str]) -> list[_Vote]:
        """Ask the others at the same time; each is reserved before and settled or released after."""
        chosen = attempt.chosen
        askable: list[Chosen] = []
        missing: list[_Vote] = []
        for name in names:
            model = self._router.named(name)
            if model is None or (chosen.allowed is not None and name not in chosen.allowed):
                missing.append(_Vote(name, fault="may not be asked" if model else "is not there"))
                continue
            askable.append(self._calls.beside(chosen, model, PURPOSE))
        try:
            async with change(self._database, self._rooms) as work:
                ids = [await usage.reserve(work, one.charge) if one.reserve else None for one in askable]
        except (BudgetExhausted, PriceUnknown) as error:
            return [*missing, *(_Vote(one.charge.model, fault=error.detail) for one in askable)]
        votes = await asyncio.gather(*(self._ask(one.model, attempt.briefing.request) for one in askable if one.model))
        await self._account(askable, ids, votes)
        return [*missing, *votes]

    async def _ask(self, model: ChatModel, request: ModelRequest) -> _Vote:
        vote = _Vote(model.name)
        try:
            async with asyncio.timeout(SECONDS), aclosing(model.stream(request)) as stream:
                async for item in stream:
                    if isinstance(item, CallAsked):
                        vote.calls.append(item)
                    elif isinstance(item, UsageReported):
                        vote.usage = item
            canonical([one.arguments for one in vote.calls])
        except TimeoutError:
            vote.fault = ModelTimedOut().detail
        except ModelError as error:
            self._router.health.failed(model.name, error)
            vote.fault = error.detail
        except ValueError:
            vote.fault = "asked for something that cannot be written down"
        return vote

    async def _account(self, asked: list[Chosen], ids: list[str | None], votes: list[_Vote]) -> None:
        async with change(self._database, self._rooms) as work:
            for one, usage_id, vote in zip(asked, ids, votes, strict=True):
                if vote.fault:
                    if usage_id is None:
                        usage.failed(work, one.charge)
                    else:
                        await usage.release(work, usage_id)
                    continue
                figures = self._calls.figures(one, Gathered(calls=vote.calls, usage=vote.usage), "")
                if usage_id is None:
                    usage.record(work, one.charge, figures)
                else:
                    await usage.settle(work, usage_id, figures)

    def _view(self, votes: list[_Vote], keys: list[bytes | None], winner: bytes | None, count: int) -> ConsensusView:
        answers = tuple(
            ConsensusAnswer(
                model=vote.model,
                agrees=winner is not None and key == winner,
                calls=tuple(self._shown(call) for call in vote.calls if self._is_weighty(call)),
                fault=vote.fault,
            )
            for vote, key in zip(votes, keys, strict=True)
        )
        return ConsensusView(agreed=count, asked=len(votes), reached=winner is not None, answers=answers)

    async def _say(self, speech: Speech, view: ConsensusView) -> None:
        said = _NOT_AGREED.format(spread=_spread(view))
        await speech.add(said if speech.is_silent else f"\n\n{said}")
        speech.end()


def _spread(view: ConsensusView) -> str:
    """Say who agreed in one line, for people who are to decide."""
    others = [one for one in view.answers if not one.agrees]
    told = "; ".join(f"{one.model} {one.fault or 'would do something else'}" for one in others) if view.reached else ""
    most = f"{view.agreed} of {view.asked} models" + (" would do exactly this" if view.reached else " agreed at most")
    return f"{most}; {told}" if told else most
