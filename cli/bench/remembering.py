"""What memory costs a turn: time with it and without, tokens and money after two thousand messages."""

import asyncio
import time
from contextlib import AsyncExitStack

from cli.bench.embedding import embed_python
from cli.bench.long_talk import MESSAGES, long_talk
from cli.bench.person import Person, signed_in
from cli.bench.product import running_product
from cli.bench.rows import Fact, Result, row
from cli.bench.stage import Stage
from core.errors import Unavailable
from core.prices import Amounts, price_of

PRICED = ("openai", "gpt-4.1-mini")
"""The model whose listed price is taken; any other gives the same ratio."""
_QUESTION = "How long does this take?"
_ANSWER_TOKENS = 100
_WARM = 120.0
_QUIET_LOOKS = 15
_BYTES_PER_TOKEN = 4
_MILLION = 1_000_000


async def measure(stage: Stage) -> Result:
    """Start a second product that remembers, and put the same questions to both."""
    settings = {
        "ASSENT_MEMORY": "true",
        "ASSENT_LEARN_FACTS": "false",
        "ASSENT_EMBED_PYTHON": str(await embed_python()),
    }
    async with AsyncExitStack() as stack:
        product = await stack.enter_async_context(running_product(stage.model_url, stage.folder, settings))
        person = await stack.enter_async_context(signed_in(product))
        await _until_warm(person)
        without, with_it, looks = await _turns(stage, person)
        facts = await _after_long(stage, person)
    rows = (
        row("plain turn, REST ?wait, memory off", without),
        row("plain turn, REST ?wait, memory on", with_it, floor=without),
        row("look into memory, inside a turn", looks, goal="p95 < 50"),
    )
    return Result(rows=rows, facts=facts)


async def _until_warm(person: Person) -> None:
    until = time.monotonic() + _WARM
    while (await person.get("/memory"))["state"] != "ready":
        if time.monotonic() > until:
            raise Unavailable("Memory did not become ready.")
        await asyncio.sleep(0.2)


async def _turns(stage: Stage, remembering: Person) -> tuple[list[float], list[float], list[float]]:
    """Take turns at both in turns; seconds without memory, with it, and of the look itself."""
    without: list[float] = []
    with_it: list[float] = []
    looks: list[float] = []
    here, there = await stage.person.conversation(), await remembering.conversation()
    await remembering.post("/facts", {"text": "I want short answers."})
    for _ in range(max(stage.sizes.turns // 2, 2)):
        for person, conversation_id, times in ((stage.person, here, without), (remembering, there, with_it)):
            began = time.perf_counter()
            said = await person.say(conversation_id, _QUESTION, wait=30)
            times.append(time.perf_counter() - began)
            await stage.rest()
        recall = await remembering.get(f"/turns/{said['turn_id']}/recall")
        looks.append(recall["took_ms"] / 1000)
    return without, with_it, looks


async def _after_long(stage: Stage, person: Person) -> tuple[Fact, ...]:
    """Take the long talk in, let it be summed up, and see what the next question tells the model."""
    file, size = long_talk()
    conversation_id = str((await person.post("/conversations/import", file))["conversation"]["id"])
    await person.say(conversation_id, _QUESTION, wait=60)
    summaries = await _until_summed_up(person, conversation_id)
    await person.say(conversation_id, _QUESTION, wait=60)
    told = stage.model.told_bytes // _BYTES_PER_TOKEN
    everything = told + size // _BYTES_PER_TOKEN
    unit = f"US dollars a thousand turns, {PRICED[1]}"
    return (
        Fact(name=f"summaries made of {MESSAGES} messages", value=summaries, unit="versions"),
        Fact(name=f"told to the model after {MESSAGES} messages", value=told, unit="tokens a turn"),
        Fact(name="telling all of it instead", value=everything, unit="tokens a turn"),
        Fact(name=f"cost after {MESSAGES} messages", value=_cost(told), unit=unit),
        Fact(name="cost of telling all of it", value=_cost(everything), unit=unit),
    )


async def _until_summed_up(person: Person, conversation_id: str) -> int:
    """Wait until no newer summary comes for some seconds; give how many versions there are."""
    count, quiet = 0, 0
    while quiet < _QUIET_LOOKS:
        page = await person.get(f"/conversations/{conversation_id}/summaries")
        quiet = 0 if page["total"] != count else quiet + 1
        count = page["total"]
        await asyncio.sleep(0.2)
    return count


def _cost(tokens: int) -> float:
    micros = price_of(*PRICED, None, Amounts(input=tokens, output=_ANSWER_TOKENS))
    if micros is None:
        raise Unavailable(f"The price of {PRICED[1]} is not in the list.")
    return round(micros * 1000 / _MILLION, 3)
