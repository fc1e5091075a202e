"""Many requests that really wait, made in bulk: copies of one that came through the door, each with its workflow.

Their rows, and who may decide them, are written straight into the product's database, without the events and the
audit rows of the asking. Each has its workflow, which begins as any other, has a worker look at the row, and waits.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from temporalio.client import Client

from cli.bench.person import Person
from core.clock import now
from core.errors import Unavailable
from core.ids import new_id
from core.store.approvals import as_input
from core.store.database import Database
from core.tables.consent import Approval, ApprovalParty
from core.values import ApprovalState
from workflows import policies
from workflows.approval import Approval as ApprovalWorkflow
from workflows.handles import approval_workflow_id

_AT_ONCE = 32
_CHUNK = 250
_POLL = 0.5
_LIMIT = 1200.0
_DAYS = 7
_LOOK = "/approvals?mine=true&state=pending&limit=1"


async def fill(person: Person, database: Database, client: Client, wanted: int) -> float:
    """Have so many requests wait for the person; gives how many a second came to wait. Raises Unavailable."""
    missing = wanted - await waiting(person)
    if missing <= 0:
        return 0.0
    began = time.perf_counter()
    model, parties = await _model(person, database)
    missing = wanted - await waiting(person)
    for first in range(0, missing, _CHUNK):
        rows = [_copy(model) for _ in range(min(_CHUNK, missing - first))]
        async with database.writing() as session:
            session.add_all(rows)
            await session.flush()
            session.add_all(
                [ApprovalParty(approval_id=row.id, kind=one.kind, value=one.value) for row in rows for one in parties]
            )
        await _begin(client, rows)
    found = await waiting(person)
    if found != wanted:
        message = f"{found} requests wait, not {wanted}."
        raise Unavailable(message)
    return missing / (time.perf_counter() - began)


async def waiting(person: Person) -> int:
    """Count what waits for the person."""
    return int((await person.get(_LOOK))["total"])


async def _model(person: Person, database: Database) -> tuple[Approval, list[ApprovalParty]]:
    """Give the row of one that waits, and who may decide it: it was asked through the door, once for all copies."""
    waits = Approval.origin == "service", Approval.state == ApprovalState.PENDING
    for _ in range(2):
        async with database.reading() as session:
            row = (await session.execute(select(Approval).where(*waits).limit(1))).scalar_one_or_none()
            if row is not None:
                parties = await session.execute(select(ApprovalParty).where(ApprovalParty.approval_id == row.id))
                return row, list(parties.scalars())
        await _ask(person)
    raise Unavailable("A request of a program does not wait for anybody.")


async def _ask(person: Person) -> None:
    """Ask as a program does, and wait until people are asked."""
    asked = {"title": "Send it?", "action": "bench.send", "arguments": {"to": "somebody"}, "risk": "write"}
    approval_id = (await person.post("/approvals", asked))["id"]
    async with asyncio.timeout(_LIMIT):
        while (await person.get(f"/approvals/{approval_id}"))["state"] == ApprovalState.REQUESTED:  # noqa: ASYNC110
            await asyncio.sleep(_POLL)


def _copy(model: Approval) -> Approval:
    """Give another request like it."""
    at = now()
    fresh: dict[str, Any] = {"id": new_id("apr"), "created_at": at, "expires_at": at + timedelta(days=_DAYS)}
    return Approval(**model.model_dump() | fresh)


async def _begin(client: Client, rows: Sequence[Approval]) -> None:
    """Start their workflows."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def start(row: Approval) -> None:
        async with places:
            await client.start_workflow(
                ApprovalWorkflow.run,
                as_input(row),
                id=approval_workflow_id(row.id),
                task_queue=policies.TURNS_QUEUE,
                task_timeout=policies.WORKFLOW_TASK_TIMEOUT,
            )

    await asyncio.gather(*(start(row) for row in rows))
