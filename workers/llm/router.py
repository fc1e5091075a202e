"""Which models a call may go to, best first: what fits, who may, how good, how well, how cheap."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.errors import AssentError
from workers.llm.health import Health
from workers.llm.port import ChatModel
from workers.llm.traits import Traits

Complexity = Literal["low", "medium", "high"]
_TIER = {"low": "small", "medium": "standard", "high": "strong"}
_NEXT = {
    # A stronger model answers too, a weaker one only when nobody else does.
    "small": ("small", "standard", "strong"),
    "standard": ("standard", "strong", "small"),
    "strong": ("strong", "standard", "small"),
}
_PLAIN = Traits()


class NoModelFits(AssentError):
    """No configured model can, or may, take this call."""

    code, status, title = "no_model_fits", 409, "No model fits"


@dataclass(frozen=True)
class Need:
    """What a call needs of its model. `tokens`: how much goes in; `asked`: the only model that may answer.

    `preferred`: who is asked first when it fits; `allowed`: the names that may be asked, None for all; `tried`: those
    that failed at this call already. `priced`: a budget in money holds, so nobody without a known price is asked while
    others have one.
    """

    tokens: int = 0
    tools: bool = False
    images: bool = False
    complexity: Complexity = "medium"
    tier: str | None = None
    asked: str | None = None
    preferred: str | None = None
    allowed: frozenset[str] | None = None
    tried: tuple[str, ...] = ()
    priced: bool = False


class Router:
    """Knows the configured models, and how they have been lately."""

    def __init__(
        self,
        models: tuple[ChatModel, ...],
        traits: Mapping[str, Traits] | None = None,
        health: Health | None = None,
    ) -> None:
        """Take the models in their order of preference, at least one; `traits` by name."""
        self._models = models
        self._traits = dict(traits or {})
        self.health = health or Health()

    def traits(self, name: str) -> Traits:
        """Give what is known of a model."""
        return self._traits.get(name, _PLAIN)

    def named(self, name: str) -> ChatModel | None:
        """Give the model of this name."""
        return next((one for one in self._models if one.name == name), None)

    def chain(self, need: Need) -> tuple[ChatModel, ...]:
        """Give the models for a call, best first. Raises NoModelFits."""
        if len(self._models) == 1 and need.asked is None and need.allowed is None and not need.images:
            return self._models
        able = self._able(self._permitted(need), need)
        places = {model.name: place for place, model in enumerate(self._models)}
        return tuple(sorted(able, key=lambda model: self._rank(model.name, places[model.name], need)))

    def _permitted(self, need: Need) -> list[ChatModel]:
        """Leave out what this person may not ask. The offline assistant costs nothing and is everybody's."""
        models = [one for one in self._models if need.asked in {None, one.name}]
        if not models:
            raise NoModelFits(f"There is no model called {need.asked} here.")
        allowed = [one for one in models if one.offline or need.allowed is None or one.name in need.allowed]
        if not allowed:
            which = "Nobody allowed you any of the models." if need.asked is None else f"{need.asked} is not for you."
            raise NoModelFits(f"{which} Ask an owner of the workspace.")
        return self._priced(allowed) if need.priced else allowed

    def _priced(self, models: list[ChatModel]) -> list[ChatModel]:
        return [one for one in models if one.offline or self.traits(one.name).price is not None] or models

    def _able(self, models: list[ChatModel], need: Need) -> list[ChatModel]:
        """Leave out what cannot do it. Nobody with tools: one without answers; too long for all: the longest ones."""
        if need.images:
            models = [one for one in models if self.traits(one.name).images]
            if not models:
                raise NoModelFits("None of the models can look at pictures.")
        if need.tools:
            models = [one for one in models if self.traits(one.name).tools] or models
        return [one for one in models if self._holds(one.name, need.tokens)] or self._longest(models)

    def _holds(self, name: str, tokens: int) -> bool:
        traits = self.traits(name)
        return tokens + min(traits.max_output_tokens, traits.context_tokens // 4) <= traits.context_tokens

    def _longest(self, models: list[ChatModel]) -> list[ChatModel]:
        most = max(self.traits(one.name).context_tokens for one in models)
        return [one for one in models if self.traits(one.name).context_tokens == most]

    def _rank(self, name: str, place: int, need: Need) -> tuple[bool, bool, bool, int, bool, float, int]:
        traits = self.traits(name)
        order = _NEXT.get(need.tier or _TIER[need.complexity], _NEXT["standard"])
        price = traits.price
        return (
            name in need.tried,
            not self.health.is_well(name),
            need.preferred is not None and name != need.preferred,
            order.index(traits.tier),
            price is None,
            price or 0.0,
            place,
        )

    async def aclose(self) -> None:
        """Give back what the models hold."""
        for model in self._models:
            await model.aclose()
