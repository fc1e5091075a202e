"""Records one workflow history of each shape of turn and approval, for the replay test. Needs what tests need.

`python -m scripts.record_histories` writes tests/workflows/histories/*.json anew. Do that only together with a change
of a workflow that is meant to change them: the old ones are what running workflows look like.
"""

import asyncio
import json
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from temporalio.client import Client

from cli.exit import run_to_end
from cli.serve.temporal_server import TemporalServer
from core.keys import load_ring
from core.migrations.runner import upgrade
from core.store.database import open_database
from core.tables.work import Turn
from core.temporal import connect
from core.values import TurnState
from tests.workflows.script import call
from tests.workflows.stage import Stage, open_stage
from tests.world import eventually
from workers.llm.errors import ModelRequestRejected
from workflows.handles import approval_workflow_id, turn_workflow_id

FOLDER = Path(__file__).parent.parent / "tests" / "workflows" / "histories"
EXPIRY_SECONDS = 3
_PROCESS = re.compile(r"^\d+@")  # how the SDK names a worker, and its sticky queue: PROCESS@MACHINE


async def plain(stage: Stage) -> str:
    """A question, an answer."""
    sent = await stage.send("hi", ["Hello"])
    return sent.turn_id


async def tools(stage: Stage) -> str:
    """Two calls at once, then an answer."""
    sent = await stage.send("go", [call("add", "a", "c1"), call("read", "b", "c2")], ["Done."])
    return sent.turn_id


async def failed(stage: Stage) -> str:
    """The model refuses."""
    sent = await stage.send("go", [ModelRequestRejected()])
    return sent.turn_id


async def too_many_rounds(stage: Stage) -> str:
    """The model never answers."""
    sent = await stage.send("go", *[[call("read")] for _ in range(9)])
    return sent.turn_id


async def stopped(stage: Stage) -> str:
    """Stopped while the model speaks."""
    sent = await stage.send("go", ["Once", asyncio.Event()])
    await stage.model.speaking.wait()
    await stage.intake.stop_turn(stage.ana, sent.turn_id)
    return sent.turn_id


async def approved(stage: Stage) -> str:
    """Asked, approved, done."""
    return await _decided(stage, "approve")


async def rejected(stage: Stage) -> str:
    """Asked, rejected, told."""
    return await _decided(stage, "reject")


async def _decided(stage: Stage, verdict: str) -> str:
    sent = await stage.send("go", [call("send")], ["Well."])
    (approval,) = await stage.pending()
    await stage.until(sent.turn_id, TurnState.WAITING)
    await stage.decide(approval, verdict)
    return sent.turn_id


async def expired(stage: Stage) -> str:
    """Asked, and nobody answers."""
    sent = await stage.send("go", [call("send")], ["Well."])
    return sent.turn_id


async def withdrawn(stage: Stage) -> str:
    """Stopped while people are asked."""
    sent = await stage.send("go", [call("send")], ["Well."])
    await stage.pending()
    await stage.until(sent.turn_id, TurnState.WAITING)
    await stage.intake.stop_turn(stage.ana, sent.turn_id)
    return sent.turn_id


async def resumed(stage: Stage) -> str:
    """Parked, approved while another turn runs, woken by its end."""
    sent = await stage.send("go", [call("send", "a", "c1"), call("read", "b", "c2")], ["Well."])
    (approval,) = await stage.pending()
    await stage.until(sent.turn_id, TurnState.WAITING)
    hold = asyncio.Event()
    await stage.send("meanwhile", [hold, "Here."])
    await stage.model.speaking.wait()
    await stage.decide(approval)

    async def wants() -> bool:
        return (await stage.get(Turn, sent.turn_id)).wants_lease

    await eventually(wants)
    hold.set()
    return sent.turn_id


async def remembered(stage: Stage) -> str:
    """What a person asks to be remembered, after the reply."""
    sent = await stage.send("remember that I like tea", ["I will."])
    return sent.turn_id


SHAPES: tuple[Callable[[Stage], Awaitable[str]], ...] = (
    plain,
    tools,
    failed,
    too_many_rounds,
    stopped,
    approved,
    rejected,
    expired,
    withdrawn,
    resumed,
    remembered,
)


async def record(folder: Path, client: Client) -> None:
    """Play each shape on a stage of its own, and keep the histories."""
    ring = load_ring(folder)
    for shape in SHAPES:
        url = f"sqlite+aiosqlite:///{folder}/{shape.__name__}.db"
        await asyncio.to_thread(upgrade, url)
        expiry = EXPIRY_SECONDS if shape is expired else 86400
        async with (
            open_database(url) as database,
            open_stage(folder, database, client, ring, approval_expiry_seconds=expiry) as stage,
            stage.working(),
        ):
            turn_id = await shape(stage)
            await stage.ended(turn_id)
            await _keep(stage, f"turn-{shape.__name__}", turn_workflow_id(turn_id))
            for approval_id in await stage.approval_ids(turn_id):
                await _keep(stage, f"approval-{shape.__name__}", approval_workflow_id(approval_id))
            if shape is remembered:
                await _keep(stage, f"reflect-{shape.__name__}", f"reflect-{turn_id}")


async def _keep(stage: Stage, name: str, workflow_id: str) -> None:
    async def closed() -> bool:
        return await stage.workflows.is_closed(workflow_id)

    await eventually(closed)
    body = json.loads((await stage.history(workflow_id)).to_json())
    text = json.dumps({"workflow_id": workflow_id, **_anonymous(body)}, indent=1)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _anonymous(part: Any) -> Any:
    """Leave out which machine recorded it."""
    if isinstance(part, dict):
        return {key: "" if key == "stackTrace" else _anonymous(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_anonymous(one) for one in part]
    return "worker" if isinstance(part, str) and _PROCESS.match(part) else part


async def main() -> None:
    """Record everything on a Temporal server of our own, unencrypted."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with TemporalServer(folder, namespace="default", retention_hours=1, ui_port=None) as server:
            await record(folder, await connect(server.address, "default", None))


if __name__ == "__main__":
    run_to_end(lambda: asyncio.run(main()))
