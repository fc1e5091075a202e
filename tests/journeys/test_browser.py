"""The newcomer's story at the page: first visit, talk, consent from another door, seen live."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.journeys.conftest import Window
from tests.journeys.person import EMAIL, PASSWORD, Person
from tests.journeys.product import Product
from tests.journeys.terminal import Terminal

pytestmark = [pytest.mark.journey, pytest.mark.server, pytest.mark.browser]
PHONE = {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark", "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}


class TestNewcomer:
    @pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
    async def test_first_visit_talk_and_consent_from_the_command_line(
        self, product: Product, window: Window, terminal: Terminal, tmp_path, screen
    ):
        page = await (await window(**screen)).new_page()
        await visit_first(page, product, tmp_path)
        await page.get_by_role("button", name="New conversation").click()
        await talk(page)
        await page.screenshot(path=tmp_path / "3-talk.png")
        await say(page, "delete the task Buy milk")
        card = page.locator("[data-approval]").first
        await expect(card.get_by_role("button", name=re.compile("^Reject"))).to_be_visible()
        await page.screenshot(path=tmp_path / "4-asked.png")
        await approve_by_command(terminal, product)
        await expect(card).to_contain_text("Approved by Ana")
        await expect(page.locator(".turn.waiting")).to_have_count(0)
        await expect(page.get_by_role("article", name="Assistant").last).to_contain_text("Buy milk")
        await page.screenshot(path=tmp_path / "5-approved.png")
        await say(page, "what is on my list?")
        last = page.get_by_role("article", name="Assistant").last
        await expect(last).to_contain_text("Call Ben")
        await expect(last).not_to_contain_text("Buy milk")
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        await page.screenshot(path=tmp_path / "6-gone.png")

        assert wide == 0

    async def test_consent_from_a_second_browser_shows_in_the_first(
        self, product: Product, owner: Person, window: Window
    ):
        first, second = [await (await window(**DESKTOP)).new_page() for _ in range(2)]
        for page in (first, second):
            await sign_in(page, product)
        await first.get_by_role("button", name="New conversation").click()
        await talk(first)
        await say(first, "delete the task Buy milk")
        waiting = second.locator(".inbox [data-approval]")
        await expect(waiting).to_contain_text("Buy milk")
        await waiting.get_by_role("button", name=re.compile("Buy milk")).first.click()
        await expect(first.locator(".talk [data-approval]")).to_contain_text("Approved by Ana")
        await expect(second.locator(".inbox [data-approval]")).to_have_count(0)
        await expect(first.get_by_role("article", name="Assistant").last).to_contain_text("Deleted")
        conversations = (await owner.get("/conversations"))["items"]

        assert "Buy milk" not in await owner.reply(conversations[0]["id"], "list my tasks")

    async def test_a_reload_shows_all_that_was_there(self, product: Product, owner: Person, window: Window):
        page = await (await window(**DESKTOP)).new_page()
        await sign_in(page, product)
        await page.get_by_role("button", name="New conversation").click()
        await talk(page)
        await say(page, "delete the task Buy milk")
        await expect(page.locator(".talk [data-approval]")).to_contain_text("Buy milk")
        before = await page.locator(".talk .log").inner_text()
        await page.reload()
        await expect(page.locator(".talk [data-approval]")).to_contain_text("Buy milk")

        assert _without_times(before) == _without_times(await page.locator(".talk .log").inner_text())


async def visit_first(page: Page, product: Product, shots) -> None:
    await page.goto(product.url)
    await page.get_by_label("One-time code").fill("AAAA-AAAA")
    for label, text in {"E-mail": EMAIL, "Your name": "Ana", "Password": PASSWORD, "Workspace": "Shop"}.items():
        await page.get_by_label(label).fill(text)
    await page.get_by_role("button", name="Create account").click()
    await expect(page.get_by_role("alert")).to_contain_text("code")
    await page.screenshot(path=shots / "1-first-visit.png")
    await page.get_by_label("One-time code").fill(product.code)
    await page.get_by_role("button", name="Create account").click()
    await expect(page.get_by_role("heading", name="Conversations")).to_be_visible()
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    await page.screenshot(path=shots / "2-home.png")


async def sign_in(page: Page, product: Product) -> None:
    await page.goto(product.url)
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible()


async def talk(page: Page) -> None:
    """Add two tasks and list them."""
    for text in ("add the task Buy milk", "add the task Call Ben"):
        await say(page, text)
        added = text.removeprefix("add the task ")
        await expect(page.get_by_role("article", name="Assistant").last).to_contain_text(added)
    await say(page, "list my tasks")
    last = page.get_by_role("article", name="Assistant").last
    await expect(last).to_contain_text("Buy milk")
    await expect(last).to_contain_text("Call Ben")


async def say(page: Page, text: str) -> None:
    """Say something, once everything before it is answered."""
    await expect(page.locator(".turn.running, .turn.queued, .unsent")).to_have_count(0)
    answers = await page.get_by_role("article", name="Assistant").count()
    await page.get_by_label("Message", exact=True).fill(text)
    await page.get_by_role("button", name="Send", exact=True).click()
    if not text.startswith("delete"):
        await expect(page.get_by_role("article", name="Assistant")).to_have_count(answers + 1)
        await expect(page.locator(".turn.running")).to_have_count(0)


async def approve_by_command(terminal: Terminal, product: Product) -> None:
    assert (await terminal.login(product.url)).code == 0
    listed = (await terminal.run("approvals", "list", "--json")).data["items"]
    assert [one["state"] for one in listed] == ["pending"]
    decided = await terminal.run("approvals", "approve", listed[0]["id"], "--yes")
    assert (decided.code, "Approved by Ana" in decided.out) == (0, True), decided


def _without_times(text: str) -> str:
    return re.sub(r"\d+:\d\d( [AP]M)?|\d+ (h|min|s)\b|\s+", " ", text).strip()
