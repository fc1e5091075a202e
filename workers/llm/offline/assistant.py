"""The built-in offline assistant: a ChatModel that needs no language model and no network, and says so."""

import asyncio
import re
from collections.abc import AsyncGenerator

from core.model_entries import OFFLINE
from core.text import clean_text
from workers.llm.offline import speak
from workers.llm.offline.decide import decide
from workers.llm.offline.held import hold_back
from workers.llm.offline.meaning import Meaning
from workers.llm.offline.talk import exchanges
from workers.llm.offline.tools import Tool
from workers.llm.port import CallAsked, ModelItem, ModelRequest, TextDelta, UsageReported
from workers.memory.port import Embedder

_PIECE = re.compile(r"\s*\S+\s*$|\s*\S+")


class OfflineAssistant:
    """Chooses actions by the words of their examples, or by meaning where there is an embedder.

    `delay_seconds` between words is for demonstrations.
    """

    name = OFFLINE
    offline = True

    def __init__(self, delay_seconds: float = 0.0, embedder: Embedder | None = None) -> None:
        """Keep the delay, and what gives meanings."""
        self._delay_seconds = delay_seconds
        self._meaning = Meaning(embedder)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem]:
        """Say what there is to say, word by word, then ask for the calls."""
        talk = exchanges(request.entries)
        tools = [Tool(spec) for spec in request.tools]
        meant = await self._meaning.read(talk, tools, request.recalled)
        step = decide(talk, tools, meant, facts_full=request.facts_full)
        step = hold_back(step, talk, request.done_before)
        text = "\n\n".join(part for part in (speak.INTRODUCTION if request.first_reply else "", step.text) if part)
        for piece in _PIECE.findall(clean_text(text)):
            yield TextDelta(piece)
            await asyncio.sleep(self._delay_seconds)
        round_number = len(talk[-1].steps)
        for place, call in enumerate(step.calls):
            yield CallAsked(f"call-{round_number}-{place}", call.name, call.arguments)
        yield UsageReported(input_tokens=0, output_tokens=0, model="offline")

    async def ping(self) -> str:
        """Say what this is: there is nothing to reach."""
        return "The built-in offline assistant answers, without a language model."

    async def aclose(self) -> None:
        """Nothing is held."""
