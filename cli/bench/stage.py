"""What every measurement works with: the running product, who measures, the model, the floors, and how much to do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from cli.bench.floors import TemporalFloor, temporal_floor
from cli.bench.model import InstantModel
from cli.bench.person import Person, signed_in
from cli.bench.product import Product, running_product
from cli.bench.web import served

REST_SECONDS = 0.03


@dataclass(frozen=True)
class Sizes:
    """How often each thing is measured, and for how many seconds the load lasts."""

    turns: int = 60
    approvals: int = 25
    conversations: int = 60
    events: int = 100
    load_seconds: float = 20.0
    kills: int = 3
    pending: tuple[int, ...] = (1, 1_000, 10_000)
    rest_seconds: float = 30.0
    memories: tuple[int, ...] = (1_000, 100_000)
    questions: int = 100


QUICK = Sizes(
    turns=4,
    approvals=2,
    conversations=4,
    events=10,
    load_seconds=1.0,
    kills=1,
    pending=(1, 20),
    rest_seconds=1.0,
    memories=(1_000,),
    questions=10,
)


@dataclass(frozen=True)
class Stage:
    """A started product; `person` and `temporal` are good until it is killed."""

    sizes: Sizes
    model: InstantModel
    product: Product
    person: Person
    temporal: Client
    floor: TemporalFloor
    model_url: str
    folder: Path | None

    async def rest(self) -> None:
        """Let what was begun come to its end, so that the next sample meets an idle product."""
        await asyncio.sleep(REST_SECONDS)


@asynccontextmanager
async def open_stage(sizes: Sizes, parent: Path | None) -> AsyncIterator[Stage]:
    """Start the model, the product and the floor's workers; `parent` is where the product's data goes for the run."""
    model = InstantModel()
    async with AsyncExitStack() as stack:
        model_url = await stack.enter_async_context(served(model))
        product = await stack.enter_async_context(running_product(model_url, parent))
        person = await stack.enter_async_context(signed_in(product))
        temporal = await product.temporal()
        floor = await stack.enter_async_context(temporal_floor(temporal))
        yield Stage(sizes, model, product, person, temporal, floor, model_url, parent)
        model.release.set()
