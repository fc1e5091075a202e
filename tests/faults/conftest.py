"""A product with an owner, a conversation and two tasks, copied afresh for each fault."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from cli.serve.temporal_server import TemporalServer
from tests.faults.apart import Apart
from tests.faults.ledger import Ledger
from tests.journeys.person import Person
from tests.journeys.product import Product
from tests.journeys.terminal import Terminal


@dataclass(frozen=True)
class Furnished:
    """A data directory at rest, who owns it, and where it was talked."""

    data: Path
    token: str
    conversation_id: str


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def furnished(tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    product = Product(tmp_path_factory.mktemp("furnished"))
    try:
        await product.start(ASSENT_ACCESS_TOKEN_SECONDS="86400")
        async with Person(product.url) as person:
            await person.set_up(product.code)
            conversation_id = await person.conversation()
            assert "Buy milk" in await person.reply(conversation_id, "add the task Buy milk")
            assert "Call Ben" in await person.reply(conversation_id, "add the task Call Ben")
            token = person.token
        assert await product.stop() == pytest.approx((0, 5), abs=5)
    finally:
        await product.close()
    return Furnished(product.data, token, conversation_id)


@pytest_asyncio.fixture(loop_scope="session")
async def product(furnished: Furnished, tmp_path: Path) -> AsyncIterator[Product]:
    """The furnished product, not started; at the end no log may tell of anything unforeseen."""
    one = Product(tmp_path)
    one.copy_from(furnished.data)
    try:
        yield one
        assert one.alarms() == []
    finally:
        await one.close()
        shutil.rmtree(one.data, ignore_errors=True)


@pytest.fixture
def ledger(product: Product) -> Ledger:
    return Ledger(product.data)


@pytest_asyncio.fixture(loop_scope="session")
async def apart(product: Product, tmp_path: Path) -> AsyncIterator[Apart]:
    folder = tmp_path / "temporal-apart"
    async with TemporalServer(folder, namespace="default", retention_hours=72, ui_port=None) as server:
        found = Apart(product, server, tmp_path)
        try:
            yield found
        finally:
            await found.close()


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "terminal")
