"""Kill -9 while an approval waits, and in the middle of a model call; then the product is started again."""

import asyncio
import time
from collections import defaultdict
from typing import Any

from cli.bench.model import HANG, TOOL
from cli.bench.person import Person, client_id, signed_in, socket_at
from cli.bench.rows import Result, row
from cli.bench.stage import Stage

_POLL = 0.01
_LIMIT = 60.0
_SPEAK_SECONDS = 0.3  # into the model call, the first words are out


async def measure(stage: Stage) -> Result:
    """Measure both kills; the stage's person and Temporal client are stale afterwards."""
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(stage.sizes.kills):
        await _while_waiting(stage, times)
    for _ in range(stage.sizes.kills):
        await _mid_model(stage, times)
    rows = (
        row("restart: start to ready", times["start"]),
        row("killed waiting: ready to decision served", times["served"], goal="<= 2000", reference="10600 to 12300"),
        row("killed waiting: ready to reply", times["replied"]),
        row("killed mid-model: ready to called again", times["called"], goal="<= 4000", reference="63000 to 150000"),
        row("killed mid-model: kill to called again", times["called_from_kill"]),
        row("killed mid-model: ready to turn.finished", times["finished"]),
    )
    return Result(rows=rows)


async def _while_waiting(stage: Stage, times: dict[str, list[float]]) -> None:
    async with signed_in(stage.product, stage.person.token) as person:
        conversation_id = await person.conversation()
        async with socket_at(stage.product, person, conversation_id) as socket:
            said = await person.say(conversation_id, f"{TOOL} {client_id()}")
            approval = (await socket.until("approval.requested")).body["approval"]
            await socket.until("turn.waiting")
    await _restart(stage, times)
    ready = time.perf_counter()
    async with signed_in(stage.product, stage.person.token) as person:
        await _decide(person, approval)
        times["served"].append(time.perf_counter() - ready)
        await _until_finished(person, said["turn_id"])
        times["replied"].append(time.perf_counter() - ready)


async def _mid_model(stage: Stage, times: dict[str, list[float]]) -> None:
    stage.model.release.clear()
    asked = stage.model.asked
    async with signed_in(stage.product, stage.person.token) as person:
        said = await person.say(await person.conversation(), HANG)
        await stage.model.wait_for_call(asked + 1)
        await asyncio.sleep(_SPEAK_SECONDS)
    killed = await _restart(stage, times)
    ready = time.perf_counter()
    async with asyncio.timeout(_LIMIT):
        called = await stage.model.wait_for_call(asked + 2)
    times["called"].append(max(called - ready, 0.0))
    times["called_from_kill"].append(called - killed)
    stage.model.release.set()
    async with signed_in(stage.product, stage.person.token) as person:
        await _until_finished(person, said["turn_id"])
    times["finished"].append(time.perf_counter() - ready)


async def _restart(stage: Stage, times: dict[str, list[float]]) -> float:
    """Kill the product and start it again; gives when it was killed."""
    killed = time.perf_counter()
    await stage.product.kill()
    times["start"].append(await stage.product.start())
    return killed


async def _decide(person: Person, approval: dict[str, Any]) -> None:
    """Approve, and return when the decision counts."""
    body = {"verdict": "approve", "digest": approval["digest"], "decision_id": client_id()}
    path = f"/approvals/{approval['id']}"
    decided = await person.post(f"{path}/decision", body)
    async with asyncio.timeout(_LIMIT):
        while decided["state"] == "received":
            decided = await person.get(path)
            decided["state"] = "received" if decided["state"] == "pending" else "accepted"
            await asyncio.sleep(_POLL)


async def _until_finished(person: Person, turn_id: str) -> None:
    async with asyncio.timeout(_LIMIT):
        while (await person.get(f"/turns/{turn_id}"))["state"] != "finished":  # noqa: ASYNC110  as clients poll
            await asyncio.sleep(_POLL)
