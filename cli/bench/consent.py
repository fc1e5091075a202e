"""Turns that need consent: how soon people are asked, and how soon their answer has effect."""

import asyncio
import time
from collections import defaultdict

from cli.bench.model import TOOL
from cli.bench.person import Socket, client_id, socket_at
from cli.bench.rows import Fact, Result, row
from cli.bench.stage import Stage

_PERSON_SECONDS = 0.1  # a person reads first: meanwhile everything comes to rest


async def measure(stage: Stage) -> Result:
    """Measure message to request, decision to acknowledgement, to the running tool and to the reply."""
    times: dict[str, list[float]] = defaultdict(list)
    conversation_id = await stage.person.conversation()
    async with socket_at(stage.product, stage.person, conversation_id) as socket:
        await _turn(socket, conversation_id, defaultdict(list))
        for _ in range(stage.sizes.approvals):
            turn_id, approval_id = await _turn(socket, conversation_id, times)
            await stage.rest()
    rows = (
        row("message to approval.requested", times["asked"], reference="82"),
        row("decision acknowledged", times["acknowledged"]),
        row("decision to tool.started", times["started"], goal="p95 < 200", reference="12"),
        row("decision to reply", times["reply"], reference="95"),
    )
    fact = Fact(
        name="history events of an approval turn",
        value=await _history_events(stage, f"turn-{turn_id}") + await _history_events(stage, f"approval-{approval_id}"),
        unit="events",
        reference="39",
    )
    return Result(rows=rows, facts=(fact,))


async def _turn(socket: Socket, conversation_id: str, times: dict[str, list[float]]) -> tuple[str, str]:
    """Ask for a file to be written and approve it; gives the ids of turn and approval."""
    socket.forget()
    name = client_id()
    began = time.perf_counter()
    body = {"conversation_id": conversation_id, "text": f"{TOOL} {name}", "client_message_id": name}
    accepted = await socket.call("message.send", body)
    asked = await socket.until("approval.requested")
    times["asked"].append(asked.at - began)
    await socket.until("turn.waiting")
    await asyncio.sleep(_PERSON_SECONDS)
    approval = asked.body["approval"]
    decision = {"approval_id": approval["id"], "verdict": "approve", "digest": approval["digest"]}
    began = time.perf_counter()
    await socket.call("decision.submit", decision | {"decision_id": client_id()})
    times["acknowledged"].append(time.perf_counter() - began)
    times["started"].append((await socket.until("tool.started")).at - began)
    times["reply"].append((await socket.until("turn.finished")).at - began)
    return str(accepted["turn_id"]), str(approval["id"])


async def _history_events(stage: Stage, workflow_id: str) -> int:
    handle = stage.temporal.get_workflow_handle(workflow_id)
    await handle.result()
    return len((await handle.fetch_history()).events)
