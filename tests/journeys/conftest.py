"""A really started product for each story, terminals, and browser windows."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright

from tests.browser import ARGUMENTS, find_chromium
from tests.journeys.person import Person
from tests.journeys.product import Product
from tests.journeys.terminal import Terminal


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(tmp_path: Path) -> AsyncIterator[Product]:
    """An empty data directory, not started; at the end no log may tell of anything unforeseen."""
    product = Product(tmp_path)
    try:
        yield product
        assert product.alarms() == []
    finally:
        await product.close()


@pytest_asyncio.fixture(loop_scope="session")
async def product(fresh: Product) -> Product:
    """A started product that nobody owns yet."""
    await fresh.start()
    return fresh


@pytest_asyncio.fixture(loop_scope="session")
async def owner(product: Product) -> AsyncIterator[Person]:
    """Its owner, at the REST door."""
    async with Person(product.url) as person:
        await person.set_up(product.code)
        yield person


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "terminal")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        yield opened
        await opened.close()


Window = Callable[..., Awaitable[BrowserContext]]


@pytest_asyncio.fixture(loop_scope="session")
async def window(browser: Browser) -> AsyncIterator[Window]:
    """Opens windows that share nothing, closed at the end; each fails the test when its page threw."""
    opened = []

    async def open_one(**options):
        context = await browser.new_context(**options)
        context.set_default_timeout(60_000)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        opened.append(context)
        return context

    errors: list[str] = []
    yield open_one
    for context in opened:
        await context.close()
    assert errors == []
