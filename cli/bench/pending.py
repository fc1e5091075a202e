"""Decisions and the inbox while few or many other requests wait, and what so many waiting cost at rest."""

import asyncio
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client

from cli.bench.crowd import fill
from cli.bench.floors import TemporalFloor, temporal_floor
from cli.bench.model import TOOL
from cli.bench.person import Person, Socket, client_id, signed_in, socket_at
from cli.bench.processes import Use, use_of
from cli.bench.product import Product, running_product
from cli.bench.rows import Fact, Result, row
from cli.bench.stage import Stage
from core.store.database import Database, open_database

_SECOND = "second@example.com"
_TWO = "two"
_RULES = f"""
rules:
- name: two of us
  when: {{action: files.write, arguments: {{path: {{under: {_TWO}}}}}}}
  verdict: ask
  ask: {{approvers: [{{role: owner}}, {{role: admin}}], quorum: 2}}
"""
_PERSON_SECONDS = 0.1
_SETTLE_SECONDS = 2.0
_SETTLE_LIMIT = 120.0
_INBOX = "/approvals?mine=true"
Times = defaultdict[str, list[float]]


@dataclass(frozen=True)
class _Place:
    """A product of its own, which afterwards is thrown away with all that waits in it."""

    stage: Stage
    product: Product
    person: Person
    second: Person
    database: Database
    client: Client
    floor: TemporalFloor


async def measure(stage: Stage) -> Result:
    """Measure with each number of waiting requests, on a product of its own."""
    async with AsyncExitStack() as stack:
        product = await stack.enter_async_context(running_product(stage.model_url, stage.folder))
        await product.add_person(_SECOND, "admin")
        person = await stack.enter_async_context(signed_in(product))
        second = await stack.enter_async_context(signed_in(product, email=_SECOND))
        database = await stack.enter_async_context(open_database(product.database_url))
        client = await product.temporal()
        floor = await stack.enter_async_context(temporal_floor(client))
        await person.put("/policy", {"yaml": _RULES, "expected_version": 0})
        place = _Place(stage, product, person, second, database, client, floor)
        result = Result()
        for count in stage.sizes.pending:
            result += await _with(place, count)
    return result


async def _with(place: _Place, count: int) -> Result:
    """Measure while `count` requests wait, the one that is decided among them."""
    speed = await fill(place.person, place.database, place.client, count - 1)
    rest = await _at_rest(place, count)
    half = max(place.stage.sizes.approvals // 2, 1)
    floor = await place.floor.updates(half)
    times = await _decisions(place)
    floor += await place.floor.updates(half)
    inbox = await _inbox(place.person, place.stage.sizes.approvals)
    named = f", {count:,} pending"
    rows = (
        row(f"decision to its answer, REST{named}", times["answered"], floor=floor),
        row(f"decision to tool.started{named}", times["started"], floor=floor, goal="p95 < 200"),
        row(f"second of two votes to tool.started{named}", times["second"], floor=floor, goal="p95 < 200"),
        row(f"inbox, GET /approvals?mine=true{named}", inbox, floor=floor),
    )
    made = (Fact(name=f"requests begun in bulk{named}", value=round(speed, 1), unit="a second"),) if speed else ()
    return Result(rows=rows, facts=(*made, *rest))


async def _decisions(place: _Place) -> Times:
    """Let turns ask, of one person and of two, and answer them."""
    times: Times = defaultdict(list)
    conversation_id = await place.person.conversation()
    async with socket_at(place.product, place.person, conversation_id) as socket:
        await _one(place, socket, conversation_id, defaultdict(list))
        for _ in range(place.stage.sizes.approvals):
            await _one(place, socket, conversation_id, times)
            await _two(place, socket, conversation_id, times)
    return times


async def _one(place: _Place, socket: Socket, conversation_id: str, times: Times) -> None:
    approval = await _asked(place, socket, conversation_id, client_id())
    began = time.perf_counter()
    await _decide(place.person, approval)
    times["answered"].append(time.perf_counter() - began)
    times["started"].append((await socket.until("tool.started")).at - began)
    await socket.until("turn.finished")
    await place.stage.rest()


async def _two(place: _Place, socket: Socket, conversation_id: str, times: Times) -> None:
    approval = await _asked(place, socket, conversation_id, f"{_TWO}/{client_id()}")
    await _decide(place.person, approval)
    await asyncio.sleep(_PERSON_SECONDS)
    began = time.perf_counter()
    await _decide(place.second, approval)
    times["second"].append((await socket.until("tool.started")).at - began)
    await socket.until("turn.finished")
    await place.stage.rest()


async def _asked(place: _Place, socket: Socket, conversation_id: str, file: str) -> dict[str, Any]:
    """Have a turn ask for consent to write a file."""
    socket.forget()
    await place.person.say(conversation_id, f"{TOOL} {file}")
    approval = (await socket.until("approval.requested")).body["approval"]
    await socket.until("turn.waiting")
    await asyncio.sleep(_PERSON_SECONDS)
    return dict(approval)


async def _decide(person: Person, approval: dict[str, Any]) -> None:
    body = {"verdict": "approve", "digest": approval["digest"], "decision_id": client_id()}
    await person.post(f"/approvals/{approval['id']}/decision", body)


async def _inbox(person: Person, count: int) -> list[float]:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        await person.get(_INBOX)
        times.append(time.perf_counter() - began)
    return times


async def _at_rest(place: _Place, count: int) -> tuple[Fact, ...]:
    """Count memory, and CPU while nobody does anything; nothing where the system does not tell."""
    seconds = place.stage.sizes.rest_seconds
    await _settle(place)
    began, before = time.perf_counter(), use_of(place.product.pid)
    await asyncio.sleep(seconds)
    after = use_of(place.product.pid)
    if before is None or after is None:
        return ()
    return _facts(before, after, (time.perf_counter() - began) / 60, f", {count:,} pending")


async def _settle(place: _Place) -> None:
    """Wait until what the filling began has come to rest: at most a twentieth of a core is used."""
    used, until = _used(place), time.perf_counter() + _SETTLE_LIMIT
    while time.perf_counter() < until:
        await asyncio.sleep(_SETTLE_SECONDS)
        before, used = used, _used(place)
        if used - before < _SETTLE_SECONDS / 20:
            return


def _used(place: _Place) -> float:
    use = use_of(place.product.pid)
    return use.product_cpu + use.temporal_cpu if use else 0.0


def _facts(before: Use, after: Use, minutes: float, named: str) -> tuple[Fact, ...]:
    product = round((after.product_cpu - before.product_cpu) / minutes, 2)
    temporal = round((after.temporal_cpu - before.temporal_cpu) / minutes, 2)
    return (
        Fact(name=f"memory of the product{named}", value=round(after.product_mb), unit="MB"),
        Fact(name=f"memory of Temporal{named}", value=round(after.temporal_mb), unit="MB"),
        Fact(name=f"CPU of the product at rest{named}", value=product, unit="s a minute"),
        Fact(name=f"CPU of Temporal at rest{named}", value=temporal, unit="s a minute"),
    )
