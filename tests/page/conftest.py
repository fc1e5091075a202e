"""A stage, a browser's page before it, and a person who is signed in."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright

from tests.browser import ARGUMENTS, find_chromium
from tests.page.stage import CONVERSATION, Stage, open_stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with open_stage() as stage:
        stage.conversations = [CONVERSATION]
        yield stage


@pytest.fixture
async def page(stage: Stage) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        page = await browser.new_page()
        await page.goto(stage.url)
        yield page
        await browser.close()


@pytest.fixture
async def home(page: Page) -> Page:
    """Sign in."""
    await page.get_by_label("E-mail").fill("ana@example.com")
    await page.get_by_label("Password").fill("a long password")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text("Connected", exact=True).wait_for()
    return page


@pytest.fixture
async def talk(home: Page) -> Page:
    """Sign in and open the conversation."""
    await home.get_by_role("button", name="Groceries").click()
    await home.get_by_label("Message", exact=True).wait_for()
    return home
