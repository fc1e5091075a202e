"""Messages at a fixed rate, whatever the answers take: an open loop, as people are."""

import asyncio
import time
from contextlib import suppress

from cli.bench.person import Person, signed_in
from cli.bench.rows import Fact, Result, row
from cli.bench.stage import Stage

RATE = 50.0
_TALKS = 100
_DRAIN_SECONDS = 30.0


async def measure(stage: Stage) -> Result:
    """Measure the acknowledgement, from when a message was due to be sent; and how many turns were answered."""
    async with signed_in(stage.product, stage.person.token) as person:
        return await _measure(stage, person)


async def _measure(stage: Stage, person: Person) -> Result:
    talks = min(_TALKS, round(RATE * stage.sizes.load_seconds))
    conversations = [await person.conversation() for _ in range(talks)]
    before, count = stage.model.asked, round(RATE * stage.sizes.load_seconds)
    began = time.perf_counter()
    sending = [asyncio.create_task(_send(person, began + n / RATE, conversations[n % talks])) for n in range(count)]
    times = await asyncio.gather(*sending)
    sent_for = time.perf_counter() - began
    answered = stage.model.asked - before
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            await stage.model.wait_for_call(before + count)
    drained_for = time.perf_counter() - began - sent_for
    unanswered = before + count - stage.model.asked
    return Result(
        rows=(row(f"message acknowledged at {RATE:.0f} turns a second", times, goal="p95 < 50"),),
        facts=(
            Fact(name="messages taken in", value=round(count / sent_for, 1), unit="a second", goal=f">= {RATE:.0f}"),
            Fact(name="turns answered meanwhile", value=round(answered / sent_for, 1), unit="a second"),
            Fact(name="until the last was answered", value=round(drained_for, 2), unit="s"),
            Fact(name=f"unanswered after {_DRAIN_SECONDS:.0f} s", value=unanswered, unit="turns", goal="0"),
        ),
    )


async def _send(person: Person, due: float, conversation_id: str) -> float:
    """Send at the due time; seconds from then to the acknowledgement, a late start included."""
    await asyncio.sleep(due - time.perf_counter())
    await person.say(conversation_id, "How long does this take?")
    return time.perf_counter() - due
