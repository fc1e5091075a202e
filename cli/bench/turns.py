"""Plain turns with an instant model, one at a time, beside empty activities on the same Temporal server."""

import time
from collections import defaultdict

from cli.bench.person import Socket, client_id, socket_at
from cli.bench.rows import Fact, Result, row
from cli.bench.stage import Stage

_A_TALK = 10
_WARM_UP = 3
_EVENTS_GOAL = "<= 14"


async def measure(stage: Stage) -> Result:
    """Measure acknowledgement, first event, first words and the whole turn, by socket and by REST."""
    half = max(stage.sizes.turns // 2, 1)
    times: dict[str, list[float]] = defaultdict(list)
    await _talk(stage, _WARM_UP, defaultdict(list))
    floor = await stage.floor.times(half)
    left = stage.sizes.turns
    while left > 0:
        await _talk(stage, min(left, _A_TALK), times)
        left -= _A_TALK
    floor += await stage.floor.times(half)
    rest_ack, rest_whole = await _by_rest(stage)
    floor_goal = "<= 1.5x floor"
    rows = (
        row("message acknowledged, socket", times["ack"], goal="p95 < 50"),
        row("message acknowledged, REST", rest_ack, goal="p95 < 50"),
        row("first event on the socket", times["first"], goal="p95 < 100"),
        row("model called", times["asked"]),
        row("first words of the reply", times["delta"], reference="72"),
        row("the model's words to the socket", times["spoken"], goal="p99 < 50"),
        row("plain turn, socket", times["whole"], floor=floor, goal=floor_goal, reference="73"),
        row("plain turn, REST ?wait", rest_whole, floor=floor, reference="73"),
    )
    events = Fact(
        name="history events of a plain turn",
        value=await _history_events(stage),
        unit="events",
        goal=_EVENTS_GOAL,
        reference="14",
    )
    return Result(rows=rows, facts=(events,))


async def _talk(stage: Stage, count: int, times: dict[str, list[float]]) -> None:
    """Take turns in one new conversation."""
    conversation_id = await stage.person.conversation()
    async with socket_at(stage.product, stage.person, conversation_id) as socket:
        for _ in range(count):
            await _turn(stage, socket, conversation_id, times)
            await stage.rest()


async def _turn(stage: Stage, socket: Socket, conversation_id: str, times: dict[str, list[float]]) -> None:
    socket.forget()
    began = time.perf_counter()
    body = {"conversation_id": conversation_id, "text": "How long does this take?", "client_message_id": client_id()}
    await socket.call("message.send", body)
    times["ack"].append(time.perf_counter() - began)
    for name, event in (("first", "message.created"), ("delta", "turn.delta"), ("whole", "turn.finished")):
        times[name].append((await socket.until(event)).at - began)
    times["spoken"].append((await socket.until("turn.delta")).at - stage.model.spoke_at)
    times["asked"].append(stage.model.asked_at - began)


async def _by_rest(stage: Stage) -> tuple[list[float], list[float]]:
    """Give the times to the acknowledgement, and to the reply."""
    conversation_id = await stage.person.conversation()
    acknowledged, whole = [], []
    for _ in range(stage.sizes.turns // 2):
        began = time.perf_counter()
        await stage.person.say(conversation_id, "How long does this take?", wait=30)
        whole.append(time.perf_counter() - began)
        await stage.rest()
        other = await stage.person.conversation()
        began = time.perf_counter()
        await stage.person.say(other, "How long does this take?")
        acknowledged.append(time.perf_counter() - began)
        await stage.rest()
        await stage.rest()
    return acknowledged, whole


async def _history_events(stage: Stage) -> int:
    """Count the events of one closed plain turn."""
    said = await stage.person.say(await stage.person.conversation(), "How long does this take?", wait=30)
    handle = stage.temporal.get_workflow_handle(f"turn-{said['turn_id']}")
    await handle.result()
    return len((await handle.fetch_history()).events)
