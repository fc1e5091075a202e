"""The talk as the offline assistant reads it: exchanges, each with what was said, called and answered."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from workers.llm.port import AssistantSaid, CallAsked, ChatEntry, ToolAnswered, UserSaid

DONE = "done"


@dataclass
class Step:
    """One round: the calls asked for, and what became of them."""

    calls: tuple[CallAsked, ...]
    answers: list[ToolAnswered] = field(default_factory=list)

    def paired(self) -> Iterator[tuple[CallAsked, ToolAnswered]]:
        """Give each answer with its call."""
        by_id = {call.call_id: call for call in self.calls}
        for answer in self.answers:
            yield by_id.get(answer.call_id, CallAsked(answer.call_id, answer.name, {})), answer


@dataclass
class Exchange:
    """A message and what came of it; `reply` is the last text said."""

    said: str
    steps: list[Step] = field(default_factory=list)
    reply: str = ""

    def asked_for(self, name: str) -> bool:
        """Tell whether this action was called here."""
        return any(call.name == name for step in self.steps for call in step.calls)

    def answers_of(self, name: str) -> list[ToolAnswered]:
        return [answer for step in self.steps for answer in step.answers if answer.name == name]


def exchanges(entries: tuple[ChatEntry, ...]) -> list[Exchange]:
    """Give the talk as exchanges; the last is the one to answer."""
    talk: list[Exchange] = [Exchange("")]
    for entry in entries:
        if isinstance(entry, UserSaid):
            talk.append(Exchange(entry.text))
        elif isinstance(entry, AssistantSaid):
            _reply(talk[-1], entry)
        else:
            _answer(talk[-1], entry)
    return talk


def _reply(exchange: Exchange, entry: AssistantSaid) -> None:
    if entry.text:
        exchange.reply = entry.text
    if entry.calls:
        exchange.steps.append(Step(entry.calls))


def _answer(exchange: Exchange, entry: ToolAnswered) -> None:
    if not exchange.steps:
        exchange.steps.append(Step(()))
    exchange.steps[-1].answers.append(entry)


def parsed(answer: ToolAnswered) -> Any:
    """Give the answer's JSON; its text when it is none."""
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        return answer.content


def items_of(result: Any) -> list[Any] | None:
    """Give the items of a list answer; None when it is none."""
    if isinstance(result, list):
        return result
    if isinstance(result, dict) and isinstance(result.get("items"), list):
        return list(result["items"])
    return None
