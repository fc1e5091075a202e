"""The browser that the tests found starts, and a person's click arrives."""

import pytest
from playwright.async_api import async_playwright

from tests.browser import ARGUMENTS, find_chromium

PAGE = "data:text/html,<button onclick=\"document.title='clicked'\">Go</button>"


@pytest.mark.browser
class TestChromium:
    async def test_a_click_on_a_page_arrives(self):
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
            page = await browser.new_page()
            await page.goto(PAGE)
            await page.get_by_role("button", name="Go").click()
            title = await page.title()
            await browser.close()

        assert title == "clicked"
