"""Two people at the page: a request that needs both, changed on the way; stopping all; always allowing, and its end."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.journeys.conftest import Window
from tests.journeys.person import EMAIL, PASSWORD, Person
from tests.journeys.product import Product
from tests.journeys.test_browser import say

pytestmark = [pytest.mark.journey, pytest.mark.server, pytest.mark.browser]
BEN, SECRET = "ben@example.com", "only Ben knows this"
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark", "has_touch": True}


async def rules(owner: Person, *rules: dict[str, Any]) -> None:
    body = {"expected_version": 0, "document": {"rules": list(rules)}}
    answer = await owner.http.put("/policy", json=body)
    assert answer.status_code == 200, answer.text


async def entered(page: Page, product: Product, email: str, password: str) -> Page:
    await page.goto(product.url)
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    return page


async def ask_for(page: Page, text: str) -> None:
    await page.get_by_label("Message", exact=True).fill(text)
    await page.keyboard.press("Enter")


class TestFourEyes:
    async def test_one_changes_it_the_other_agrees_and_that_is_what_runs(
        self, product: Product, owner: Person, window: Window, tmp_path
    ):
        token = (await owner.post("/invitations", {"email": BEN, "role": "member"}))["token"]
        await owner.post("/invitations/accept", {"token": token, "name": "Ben", "password": SECRET})
        ask = {"approvers": [{"role": "owner"}, {"role": "member"}], "quorum": 2}
        await rules(owner, {"name": "four eyes", "when": {"action": "tasks.add"}, "verdict": "ask", "ask": ask})
        ana = await entered(await (await window(**DESKTOP)).new_page(), product, EMAIL, PASSWORD)
        ben = await entered(await (await window(**PHONE)).new_page(), product, BEN, SECRET)
        await ana.get_by_role("button", name="New conversation").click()
        await ask_for(ana, "add the task Buy milk")
        asked, theirs = ana.locator(".talk [data-approval]"), ben.locator(".inbox [data-approval]")
        await expect(asked).to_contain_text("0 of 2 consents given")
        await expect(asked).to_contain_text("four eyes")
        await expect(ben).to_have_title("(1) Assent")
        await ben.screenshot(path=tmp_path / "1-asked.png", full_page=True)

        await theirs.get_by_role("button", name="Change").click()
        await theirs.get_by_label("title").fill("")
        await theirs.get_by_role("button", name="Approve with these changes").click()
        await expect(theirs.get_by_text("must not be empty")).to_be_visible()
        await theirs.get_by_label("title").fill("Buy oats")
        await theirs.get_by_role("button", name="Approve with these changes").click()
        await expect(theirs).to_have_count(0)
        await expect(ben).to_have_title("Assent")
        await expect(asked).to_contain_text("by Ben; what was said before counts no more")
        await expect(asked).to_contain_text("1 of 2 consents given; one more from you")
        await expect(asked.get_by_role("button", name="Always allow")).to_have_count(0)
        await ana.screenshot(path=tmp_path / "2-changed.png")
        await asked.get_by_role("button", name="Buy oats").click()
        await expect(asked).to_contain_text("Approved by Ana on the page, ")
        await expect(ana.locator(".talk .state-done")).to_contain_text("Buy oats")
        titles = await owner.reply(await owner.conversation(), "list my tasks")
        assert ("Buy oats" in titles, "Buy milk" in titles) == (True, False)

        await expect(ben.get_by_text("Operation: Assisted")).to_be_visible()
        await ana.get_by_role("button", name="Stop everything").click()
        await ana.get_by_role("button", name="Stop all that has not begun").click()
        await expect(
            ben.get_by_role("alert").filter(has_text="Emergency: nothing that has not begun is done. Ana")
        ).to_be_visible()
        await ben.screenshot(path=tmp_path / "3-emergency.png")
        wide = await ben.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

        assert wide == 0


class TestAlways:
    async def test_the_like_passes_until_it_is_ended(self, product: Product, owner: Person, window: Window):
        ask = {"approvers": "requester", "may_remember": True}
        await rules(owner, {"name": "ask first", "when": {"action": "tasks.add"}, "verdict": "ask", "ask": ask})
        page = await entered(await (await window(**DESKTOP)).new_page(), product, EMAIL, PASSWORD)
        await page.get_by_role("button", name="New conversation").click()
        await ask_for(page, "add the task Buy milk")
        card = page.locator(".talk [data-approval]:not(.settled)")
        await card.get_by_role("button", name="Always allow").click()
        await card.get_by_label("title").select_option("anything")
        await expect(card.get_by_text("For 1 day, 10 times at most, tasks.add for Ana runs unasked")).to_be_visible()
        await card.get_by_role("button", name="Approve this one, and always allow the like").click()
        await expect(page.get_by_role("article", name="Assistant").last).to_contain_text("Added")
        await expect(page.locator(".turn.finished")).to_have_count(1)
        await say(page, "add the task Call Ben")
        await expect(page.get_by_role("article", name="Assistant").last).to_contain_text("Call Ben")

        await page.get_by_role("button", name="Settings").click()
        settings = page.get_by_role("dialog", name="Settings")
        await expect(settings.get_by_text("title: anything")).to_be_visible()
        await expect(settings.get_by_text("9 left")).to_be_visible()
        await settings.get_by_role("button", name="End: tasks.add for Ana").click()
        await page.get_by_role("alertdialog").get_by_role("button", name="End it").click()
        await expect(settings.locator("[data-grant]")).to_contain_text("over")
        await settings.get_by_role("button", name="Close").click()
        await ask_for(page, "add the task Water plants")
        await expect(card).to_contain_text("Water plants")
