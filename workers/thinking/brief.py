"""What one model call is told: instructions, memory and the talk, within the budget of tokens; and the tools."""

from dataclasses import dataclass

from connectors.registry import Registry
from core.store.context import Talk
from core.views import RecallView
from workers.llm.port import ModelRequest, ToolSpec
from workers.thinking.entries import entries_of
from workers.thinking.prompt import system_prompt


@dataclass(frozen=True)
class Briefing:
    """One call's request. `recall`: what memory gave, when the room has yet to hear of it; `intent` of the message."""

    request: ModelRequest
    tokens: int
    recall: RecallView | None = None
    intent: str | None = None
    confidence: float | None = None


class Briefer:
    """Puts briefings together."""

    def __init__(self, registry: Registry, max_rounds: int) -> None:
        """Take what there is to tell."""
        self._registry = registry
        self._max_rounds = max_rounds

    async def brief(self, talk: Talk, number: int) -> Briefing:
        """Give the request of a round. Memory that fails or is slow is left out, and the briefing says so."""
        last = number + 1 >= self._max_rounds
        request = ModelRequest(
            system=system_prompt(talk),
            entries=entries_of(talk),
            tools=() if last else self._tools(),
            first_reply=not any(row.text for record in talk.turns for row in record.rounds),
        )
        return Briefing(request=request, tokens=tokens_of(request))

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


def tokens_of(request: ModelRequest) -> int:
    """Estimate the tokens that a request puts in: four bytes of text are about one."""
    said = len(request.system.encode()) + sum(len(str(entry).encode()) for entry in request.entries)
    return (said + sum(len(str(tool.schema)) + len(tool.description) for tool in request.tools)) // 4
