"""What one model call is told: instructions, memory and the talk, within the budget of tokens; and the tools."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.registry import Registry
from core.store.context import BYTES_PER_TOKEN, Talk
from core.store.recollections import Recollection, Whose
from core.views import RecallView
from workers.llm.marks import boundary_of
from workers.llm.offline.direct import is_do
from workers.llm.port import ChatEntry, ModelRequest, Origin, Recalled, ToolSpec, UserSaid
from workers.memory.recall import LONGEST_SHARE, Asked, Found, Recaller
from workers.thinking.cutting import shorten
from workers.thinking.entries import LEAST, Window, size_of, window_of
from workers.thinking.intent import Complexity, IntentReader, Reading, complexity_of
from workers.thinking.prompt import (
    FACTS_FULL,
    client_block,
    profile_of,
    recalled_block,
    summary_block,
    system_prompt,
    time_line,
)

_SUMMARY_SHARE = 8
_TIME_BYTES = 100


@dataclass(frozen=True)
class Briefing:
    """One call's request. `recall`: what memory gave, when the room has yet to hear of it; `intent` of the message.

    `profile`: who the asker is to the model. `complexity` helps to choose the model.
    """

    request: ModelRequest
    tokens: int
    recall: RecallView | None = None
    intent: str | None = None
    confidence: float | None = None
    complexity: Complexity = "medium"
    profile: dict[str, Any] | None = None


@dataclass(frozen=True)
class Budget:
    """The tokens of a call: of all of it, and of what memory may fill."""

    tokens: int = 16_000
    recall_tokens: int = 1_500


class Briefer:
    """Puts briefings together. Without a recaller, memory is off, and nothing is said or asked about it."""

    def __init__(
        self,
        registry: Registry,
        max_rounds: int,
        budget: Budget = Budget(),
        recaller: Recaller | None = None,
        intents: IntentReader | None = None,
    ) -> None:
        """Take what there is to tell."""
        self._registry = registry
        self._max_rounds = max_rounds
        self._budget = budget
        self._recaller = recaller
        self._intents = intents or IntentReader(None)
        self._key = secrets.token_bytes(32)

    @property
    def tokens(self) -> int:
        """The most tokens of a call."""
        return self._budget.tokens

    async def brief(self, talk: Talk, number: int, *, tokens: int | None = None, mode_prompt: str = "") -> Briefing:
        """Give the request of a round. Memory that fails or is slow is left out, and the briefing says so.

        `tokens`: make it smaller than usual, since a model found it too long; memory is not asked again then.
        `mode_prompt`: what the turn's mode adds to the instructions.
        """
        last = number + 1 >= self._max_rounds
        tools = () if last else self._tools(talk)
        system = system_prompt(talk, mode_prompt)
        size = (min(tokens or self.tokens, self.tokens)) * BYTES_PER_TOKEN - _bytes_of(system, tools)
        shown = window_of(talk, size - self._reserved(talk, size), self._key)
        found = await self._recall(talk, shown, first=number == 0 and tokens is None)
        recalled = self._recalled(talk, found.items, size)
        request = ModelRequest(
            system=system,
            entries=self._entries(talk, shown, recalled, size),
            tools=tools,
            first_reply=not any(row.text for record in talk.turns for row in record.rounds),
            recalled=recalled,
            facts_full=talk.facts_full,
        )
        return _briefing(talk, request, found, self._reading(talk, found))

    def _reading(self, talk: Talk, found: Found) -> Reading:
        """Read what the message is for; what the first round found stays."""
        turn, text = talk.current.turn, talk.current.message.text
        if turn.intent is not None:
            return Reading(turn.intent, turn.confidence, complexity_of(text, turn.intent))
        return self._intents.read(text, found.vector)

    def _reserved(self, talk: Talk, size: int) -> int:
        """Give the bytes that the window leaves to the others."""
        recall = self._recall_size(size) if self._recaller is not None else 0
        summary = size // _SUMMARY_SHARE if talk.summary is not None else 0
        return recall + summary + _TIME_BYTES + len((talk.instructions or "").encode())

    def _recall_size(self, size: int) -> int:
        return max(0, min(self._budget.recall_tokens * BYTES_PER_TOKEN, size // 4))

    async def _recall(self, talk: Talk, shown: Window, *, first: bool) -> Found:
        """Ask memory in the first round of a turn; later rounds, and rounds made again, are given the same."""
        turn = talk.current.turn
        if self._recaller is None or is_do(talk.current.message.text):
            return Found()
        whose = Whose(turn.workspace_id, turn.user_id, turn.conversation_id, alone=False, branch_id=turn.branch_id)
        asked = Asked(turn.id, talk.current.message.text, whose)
        return await self._recaller.recall(asked, shown.turn_ids) if first else await self._recaller.again(asked)

    def _recalled(self, talk: Talk, items: Sequence[Recollection], size: int) -> tuple[Recalled, ...]:
        """Give the items that fit, each cut to its share."""
        left = self._recall_size(size)
        most = max(LEAST, left // LONGEST_SHARE)
        found: list[Recalled] = []
        for item in items:
            one = _as_recalled(talk, item, most)
            left -= len(one.text.encode()) + _TIME_BYTES
            if left < 0:
                break
            found.append(one)
        return tuple(found)

    def _entries(self, talk: Talk, shown: Window, recalled: Sequence[Recalled], size: int) -> tuple[ChatEntry, ...]:
        """Put the summary before the window, and what holds for this message into its last entry."""
        aside = f"{time_line(talk)}\n{FACTS_FULL}" if talk.facts_full else time_line(talk)
        if talk.instructions:
            aside = f"{aside}\n\n{client_block(talk.instructions, boundary_of(self._key, talk.current.message.id))}"
        if recalled:
            aside = f"{aside}\n\n{recalled_block(recalled, boundary_of(self._key, talk.current.turn.id))}"
        entries = list(shown.entries)
        for place in range(len(entries) - 1, -1, -1):
            if isinstance(said := entries[place], UserSaid):
                entries[place] = replace(said, aside=aside)
                break
        if talk.summary is None:
            return tuple(entries)
        text = shorten(talk.summary.text, max(LEAST, size // _SUMMARY_SHARE))
        return (UserSaid("", summary_block(text, boundary_of(self._key, talk.summary.id))), *entries)

    def _tools(self, talk: Talk) -> tuple[ToolSpec, ...]:
        return tuple(
            ToolSpec(
                name=bound.name,
                description=bound.spec.description,
                schema=bound.spec.schema_,
                examples=bound.spec.examples,
            )
            for bound in self._registry.of(talk.conversation.workspace_id).actions()
        )


def _briefing(talk: Talk, request: ModelRequest, found: Found, reading: Reading) -> Briefing:
    return Briefing(
        request=request,
        tokens=tokens_of(request),
        recall=found.view if found.is_new else None,
        intent=reading.intent,
        confidence=reading.confidence,
        complexity=reading.complexity,
        profile=profile_of(talk.asker),
    )


def _as_recalled(talk: Talk, item: Recollection, most: int) -> Recalled:
    return Recalled(
        id=item.id,
        origin=_origin(item, talk.asker.id),
        text=shorten(item.text, most),
        at=item.at,
        here=item.conversation_id == talk.conversation.id,
        name=item.name,
        page=item.page,
    )


def _origin(item: Recollection, asker_id: str) -> Origin:
    if item.kind != "message":
        return item.kind
    if item.role == "assistant":
        return "assistant"
    return "own" if item.author_id == asker_id else "other"


def _bytes_of(system: str, tools: Sequence[ToolSpec]) -> int:
    return len(system.encode()) + sum(len(str(tool.schema)) + len(tool.description) for tool in tools)


def tokens_of(request: ModelRequest) -> int:
    """Estimate the tokens that a request puts in: four bytes of text are about one."""
    return (size_of(request.entries) + _bytes_of(request.system, request.tools)) // BYTES_PER_TOKEN
