"""A model call from choice to outcome: which model, its reservation, what came, what it cost."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from core.faults import crash_point
from core.messages import ThinkInput
from core.model_entries import DIRECT
from core.store.context import Talk
from core.store.usage import Charge, Figures, charge_of
from core.views import ConsensusView
from workers.llm.port import CallAsked, ChatModel, ModelRequest, TextDelta, UsageReported
from workers.llm.router import Need, Router
from workers.thinking.attempt import Chosen
from workers.thinking.brief import Briefing
from workers.thinking.manner import mode_of
from workers.thinking.speech import Speech


@dataclass
class Gathered:
    """What a model has given so far; `concerns`: what a person should know of a call before deciding, by its id."""

    calls: list[CallAsked] = field(default_factory=list)
    usage: UsageReported | None = None
    consensus: ConsensusView | None = None
    concerns: dict[str, str] = field(default_factory=dict)


class ModelCalls:
    """Chooses, asks, accounts."""

    def __init__(self, router: Router, offline: ChatModel) -> None:
        """Take the models; `offline` phrases what `/do` commands gave, whatever model is configured."""
        self._router = router
        self._offline = offline

    def choose(
        self,
        step: ThinkInput,
        talk: Talk,
        briefing: Briefing,
        attempt: int,
        *,
        direct: bool,
        tried: Sequence[str] = (),
    ) -> Chosen:
        """Choose the model of a round, and those after it. Raises NoModelFits."""
        need = Need(
            tokens=briefing.tokens,
            tools=bool(briefing.request.tools),
            complexity=briefing.complexity,
            tier=mode_of(talk).tier,
            preferred=mode_of(talk).model,
            asked=talk.current.turn.asked_model,
            allowed=talk.limits.allowed,
            tried=tuple(tried),
            priced=talk.limits.in_money,
        )
        first, *others = (self._offline,) if direct else self._router.chain(need)
        charge = self._charge(step, talk, briefing, attempt, first.name)
        return self._bounded(
            Chosen(
                first,
                charge,
                others=tuple(others),
                allowed=talk.limits.allowed,
                tokens_in=briefing.tokens,
                tokens_out=self._longest(first.name, briefing),
                budgeted=talk.limits.budgeted,
            )
        )

    def instead(self, chosen: Chosen, others: tuple[ChatModel, ...]) -> Chosen:
        """Give the first of these models the call that another one failed at."""
        first, *rest = others
        provider = self._router.traits(first.name).provider
        charge = chosen.charge.model_copy(update={"model": first.name, "provider": provider})
        return self._bounded(replace(chosen, model=first, charge=charge, others=tuple(rest)))

    def beside(self, chosen: Chosen, model: ChatModel, purpose: str) -> Chosen:
        """Give the same call to another model as well, charged on its own."""
        charge = chosen.charge.model_copy(update={"purpose": purpose})
        return self.instead(replace(chosen, charge=charge), (model,))

    def _longest(self, name: str, briefing: Briefing) -> int:
        most = self._router.traits(name).max_output_tokens
        return most if briefing.request.max_tokens is None else min(most, briefing.request.max_tokens)

    def capped(self, chosen: Chosen, briefing: Briefing) -> Briefing:
        """Let no answer be longer than what is reserved for it."""
        if not chosen.reserve:
            return briefing
        return replace(briefing, request=replace(briefing.request, max_tokens=chosen.tokens_out))

    def _bounded(self, chosen: Chosen) -> Chosen:
        """Say the most that a call may use: what goes in and the longest answer. Who costs nothing reserves nothing."""
        if chosen.model is None or chosen.model.offline:
            return replace(chosen, reserve=False, charge=chosen.charge.model_copy(update={"tokens": 0, "micros": 0}))
        bounds = self._router.traits(chosen.charge.model).bounds(chosen.tokens_in, chosen.tokens_out)
        return replace(chosen, reserve=chosen.budgeted, charge=chosen.charge.model_copy(update=bounds))

    def typed(self, step: ThinkInput, talk: Talk, briefing: Briefing, attempt: int) -> Chosen:
        """Charge a call that a person typed in full: it costs nothing."""
        return Chosen(None, self._charge(step, talk, briefing, attempt, DIRECT))

    def _charge(self, step: ThinkInput, talk: Talk, briefing: Briefing, attempt: int, model: str) -> Charge:
        return charge_of(
            talk.current.turn,
            round=step.round,
            attempt=attempt,
            provider=self._router.traits(model).provider,
            model=model,
            tokens=briefing.tokens,
            complexity=briefing.complexity,
        )

    async def listen(self, model: ChatModel, request: ModelRequest, speech: Speech) -> Gathered:
        """Ask the model, and say what it says. One that has no tools is not told of any."""
        if request.tools and not self._router.traits(model.name).tools:
            request = replace(request, tools=())
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
        speech.end()
        return gathered

    def figures(self, chosen: Chosen, gathered: Gathered, said: str) -> Figures:
        """Give what a call used and cost by the provider's own count; by ours where there is none, marked as such."""
        if chosen.model is None or chosen.model.offline:
            return Figures(model=chosen.charge.model, input_tokens=0, output_tokens=0, micros=0)
        asked = "".join(str(one.arguments) for one in gathered.calls)
        return self._router.traits(chosen.model.name).figures(
            chosen.charge.model, gathered.usage, tokens_in=chosen.tokens_in, said=said + asked
        )
