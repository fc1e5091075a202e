"""Records one workflow history of each shape of turn and approval, for the replay test. Needs what tests need.

`python -m scripts.record_histories [SHAPE ...]` writes tests/workflows/histories/*.json anew. Record an old
shape only together with a change of a workflow that is meant to change it: it is what running workflows look like.
"""

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from temporalio.client import Client

from cli.exit import run_to_end
from cli.serve.temporal_server import TemporalServer
from connectors.base import InputRequired, Question
from core.errors import Invalid
from core.keys import load_ring
from core.migrations.runner import upgrade
from core.permissions import Role
from core.store.database import open_database
from core.tables.people import Membership
from core.tables.work import Turn
from core.temporal import connect
from core.values import TurnState
from core.views import ApprovalView
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


async def quorum(stage: Stage) -> str:
    """Two people consent, in two stages; recorded with the first consent, when the second is missing."""
    (bo,) = await stage.owners(1)
    admin = await stage.person(stage.ana.workspace_id, Role.ADMIN)
    stages = [{"approvers": {"role": "admin"}}, {"approvers": {"role": "owner"}}]
    await stage.rule("note.send", stages=stages)
    sent = await stage.send("go", [call("send")], ["Well."])
    (approval,) = await stage.pending()
    await stage.decide(approval, who=admin)
    await _write(stage, "approval-pending", approval_workflow_id(approval.id))
    await stage.decide(approval, who=bo)
    return sent.turn_id


async def edited(stage: Stage) -> str:
    """One edit that cannot be, one that can, then the consent of a second person."""
    (bo,) = await stage.owners(1)
    await stage.rule("note.send", approvers={"role": "owner"}, quorum=2)
    sent = await stage.send("go", [call("send")], ["Well."])
    (approval,) = await stage.pending()
    with suppress(Invalid):
        await stage.decide(approval, arguments={"text": 7})
    decided = await stage.decide(approval, arguments={"text": "other"})
    await stage.decide(decided.approval, who=bo)
    return sent.turn_id


async def escalated(stage: Stage) -> str:
    """Reminded, escalated, then over."""
    await stage.person(stage.ana.workspace_id, Role.ADMIN)
    escalate = {"after": "2s", "to": {"role": "admin"}, "for": "2s"}
    await stage.rule("note.send", approvers={"role": "owner"}, remind=["1s"], expires="3s", escalate=escalate)
    sent = await stage.send("go", [call("send")], ["Well."])
    return sent.turn_id


async def asked_again(stage: Stage) -> str:
    """A vote that counts no more when it is used: void, asked again, approved."""
    bo, cy = await stage.owners()
    await stage.rule("note.send", approvers={"role": "owner"}, quorum=2)
    sent = await stage.send("go", [call("send")], ["Well."])
    (approval,) = await stage.pending()
    await stage.decide(approval, who=bo)
    await stage.alter(Membership, bo.membership_id, role=Role.MEMBER)
    await stage.decide(approval, who=cy)

    async def again() -> bool:
        return [one.generation for one in await stage.pending()] == [1]

    await eventually(again)
    (second,) = await stage.pending()
    await stage.decide(second)
    await stage.decide(second, who=cy)
    return sent.turn_id


async def questioned(stage: Stage) -> str:
    """Approved; its service asks people something, is told no, and goes on."""
    form = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    asked = Question(key="sure", message="Are you sure?", schema_=form, server="notes")
    stage.notes.failures = [InputRequired([asked], "state")]
    sent = await stage.send("go", [call("send")], ["Well."])
    (approval,) = await stage.pending()
    await stage.until(sent.turn_id, TurnState.WAITING)
    await stage.decide(approval)
    (question,) = [one for one in await _questions(stage) if one.id != approval.id]
    await stage.decide(question, "reject")
    return sent.turn_id


async def _questions(stage: Stage) -> list[ApprovalView]:
    async def shown() -> bool:
        return any(one.origin == "question" for one in await stage.pending())

    await eventually(shown)
    return await stage.pending()


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
    quorum,
    edited,
    escalated,
    asked_again,
    questioned,
)


async def record(folder: Path, client: Client, names: Sequence[str]) -> None:
    """Play each shape, or those that are named, on a stage of its own, and keep the histories."""
    ring = load_ring(folder)
    for shape in [one for one in SHAPES if not names or one.__name__ in names]:
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
            for number, approval_id in enumerate(await stage.approval_ids(turn_id)):
                name = f"approval-{shape.__name__}" + (f"-{number}" if number else "")
                await _keep(stage, name, approval_workflow_id(approval_id))
            if shape is remembered:
                await _keep(stage, f"reflect-{shape.__name__}", f"reflect-{turn_id}")


async def _keep(stage: Stage, name: str, workflow_id: str) -> None:
    async def closed() -> bool:
        return await stage.workflows.is_closed(workflow_id)

    await eventually(closed)
    await _write(stage, name, workflow_id)


async def _write(stage: Stage, name: str, workflow_id: str) -> None:
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
            await record(folder, await connect(server.address, "default", None), sys.argv[1:])


if __name__ == "__main__":
    run_to_end(lambda: asyncio.run(main()))
