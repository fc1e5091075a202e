"""Which models a call may go to, best first."""

from dataclasses import dataclass
from typing import Literal

from core.errors import AssentError
from workers.llm.port import ChatModel

Complexity = Literal["low", "medium", "high"]


class NoModelFits(AssentError):
    """No configured model can, or may, take this call."""

    code, status, title = "no_model_fits", 409, "No model fits"


@dataclass(frozen=True)
class Need:
    """What a call needs of its model. `tokens`: how much goes in; `asked`: the only model that may answer.

    `allowed`: the names that may be asked, None for all; `tried`: those that failed at this call already.
    """

    tokens: int = 0
    tools: bool = False
    images: bool = False
    complexity: Complexity = "medium"
    tier: str | None = None
    asked: str | None = None
    allowed: frozenset[str] | None = None
    tried: tuple[str, ...] = ()


class Router:
    """Knows the configured models."""

    def __init__(self, models: tuple[ChatModel, ...]) -> None:
        """Take the models in their order of preference; at least one."""
        self._models = models

    def chain(self, need: Need) -> tuple[ChatModel, ...]:
        """Give the models for a call, best first. Raises NoModelFits."""
        fitting = [one for one in self._models if need.asked in {None, one.name}]
        if not fitting:
            raise NoModelFits("None of the models can answer this.")
        return tuple(fitting)

    async def aclose(self) -> None:
        """Give back what the models hold."""
        for model in self._models:
            await model.aclose()
