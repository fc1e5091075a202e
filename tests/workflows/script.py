"""A model that says what the test wrote down for each message."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from workers.llm.port import AssistantSaid, CallAsked, ModelItem, ModelRequest, TextDelta, UsageReported, UserSaid

Item = str | CallAsked | Exception | asyncio.Event


def call(name: str, text: str = "x", call_id: str = "c1") -> CallAsked:
    """A call of one of the ledger connector's actions."""
    return CallAsked(call_id=call_id, name=f"note.{name}", arguments={"text": text})


class ScriptedModel:
    """`lines[message]` holds one list of items for each model call; a call without a line says `ok`."""

    name = "scripted"
    offline = False

    def __init__(self) -> None:
        self.lines: dict[str, list[Sequence[Item]]] = {}
        self.requests: list[ModelRequest] = []
        self.calls = 0
        self.speaking = asyncio.Event()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem]:
        self.requests.append(request)
        self.calls += 1
        for item in self._items(request):
            if isinstance(item, str):
                yield TextDelta(item)
            elif isinstance(item, asyncio.Event):
                self.speaking.set()
                await item.wait()
            elif isinstance(item, Exception):
                raise item
            else:
                yield item
        yield UsageReported(input_tokens=3, output_tokens=2, model="scripted-1")

    def _items(self, request: ModelRequest) -> Sequence[Item]:
        last = max(place for place, entry in enumerate(request.entries) if isinstance(entry, UserSaid))
        asked = request.entries[last]
        assert isinstance(asked, UserSaid)
        number = sum(isinstance(entry, AssistantSaid) for entry in request.entries[last:])
        lines = self.lines.get(asked.text, [])
        found = lines[number] if number < len(lines) else ["ok"]
        if found and isinstance(found[0], Exception):
            lines[number] = found[1:]
            found = found[:1]
        return found

    async def ping(self) -> str:
        return "here"

    async def aclose(self) -> None:
        return
