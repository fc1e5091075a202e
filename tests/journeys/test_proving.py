"""Proving who one is at the page, in a real browser with a real WebAuthn ceremony: passkeys, an app, a decision."""

import asyncio
import json
import re
import socket
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.doubles.oidc_provider import oidc_provider
from tests.journeys.conftest import Window
from tests.journeys.person import EMAIL, PASSWORD, Person
from tests.journeys.product import Product
from tests.journeys.terminal import Terminal
from tests.journeys.test_browser import say

pytestmark = [pytest.mark.journey, pytest.mark.server, pytest.mark.browser]
DESKTOP = {"viewport": {"width": 1280, "height": 800}}


async def virtual_authenticator(page: Page) -> None:
    """Give the browser an authenticator that verifies its person."""
    tools = await page.context.new_cdp_session(page)
    await tools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    await tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def by_name(product: Product) -> str:
    """The page's address with a name in it, as passkeys need it."""
    return product.url.replace("127.0.0.1", "localhost")


async def sign_in(page: Page) -> None:
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def entered(page: Page) -> None:
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible()


def let_proofs_lapse(product: Product) -> None:
    with sqlite3.connect(product.data / "assent.db") as database:
        database.execute("update sessions set proved_at = '2020-01-01 00:00:00.000000'")


async def ask_for_proof(owner: Person) -> None:
    """Let the workspace's policy want a fresh proof of who consents to what destroys."""
    body = {"expected_version": 0, "document": {"assurance": {"destructive": "L3"}}}
    assert (await owner.http.put("/policy", json=body)).status_code == 200


class TestPasskey:
    async def test_it_is_made_ends_a_sign_in_and_lets_a_decision_through(
        self, product: Product, owner: Person, window: Window
    ):
        await ask_for_proof(owner)
        page = await (await window(**DESKTOP)).new_page()
        await virtual_authenticator(page)
        await page.goto(by_name(product))
        await sign_in(page)
        await entered(page)
        await page.get_by_role("button", name="Security").click()
        dialog = page.get_by_role("dialog", name="Security")
        await dialog.get_by_label("What to call it").fill("Virtual")
        await dialog.get_by_role("button", name="Add a passkey").click()
        await expect(dialog.get_by_text("Virtual", exact=True)).to_be_visible()
        await dialog.get_by_role("button", name="Close").click()

        await page.get_by_role("button", name="Sign out").click()
        await sign_in(page)
        await expect(page.get_by_role("heading", name="One more step")).to_be_visible()
        await page.get_by_role("button", name="Use a passkey").click()
        await entered(page)

        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("button", name="Use a passkey").click()
        await entered(page)

        await page.get_by_role("button", name="New conversation").click()
        await say(page, "add the task Buy milk")
        await say(page, "delete the task Buy milk")
        card = page.locator(".talk [data-approval]")
        await expect(card.get_by_role("button", name=re.compile("^Reject"))).to_be_visible()
        let_proofs_lapse(product)
        await card.get_by_role("button", name=re.compile("Buy milk")).first.click()
        asked = page.get_by_role("dialog", name="Prove who you are")
        await expect(asked.get_by_label("Password")).to_have_count(0)
        await asked.get_by_role("button", name="Use a passkey").click()
        await expect(card).to_contain_text("Approved by Ana")
        await expect(page.get_by_role("article", name="Assistant").last).to_contain_text("Deleted")


@pytest_asyncio.fixture(loop_scope="session")
async def provided(fresh: Product) -> AsyncIterator[Product]:
    """A started product whose people may sign in with a real provider."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    back = f"http://127.0.0.1:{port}/api/v1/auth/oidc/local/callback"
    known = {"client_id": "assent", "client_secret": "a secret of tests " * 3, "redirect_uris": [back]}
    with oidc_provider(known) as issuer:
        entry = {"name": "local", "title": "Our provider", "issuer": issuer, "trust_email": True}
        entry |= {"client_id": known["client_id"], "client_secret": known["client_secret"]}
        await fresh.start("--port", str(port), ASSENT_OIDC=json.dumps([entry]))
        yield fresh


class TestProvider:
    async def test_a_person_signs_in_with_it_at_the_page_and_at_the_command_line(
        self, provided: Product, window: Window, terminal: Terminal, tmp_path: Path
    ):
        async with Person(provided.url) as person:
            await person.set_up(provided.code)
        page = await (await window(**DESKTOP)).new_page()
        await page.goto(provided.url)
        await page.get_by_role("button", name="Sign in with Our provider").click()
        await page.get_by_placeholder("Enter any login").fill(EMAIL)
        await page.get_by_placeholder("and password").fill("any")
        await page.get_by_role("button", name="Sign-in").click()
        await entered(page)
        await expect(page.get_by_text("Ana (owner)")).to_be_visible()
        assert "ticket" not in page.url

        opener, opened = tmp_path / "opener", tmp_path / "opened"
        opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.part && mv {opened}.part {opened}\n')
        opener.chmod(0o755)
        command = ("login", "--url", provided.url, "--oidc", "local")
        login = asyncio.create_task(terminal.run(*command, BROWSER=f"{opener} %s"))
        async with asyncio.timeout(60):
            while not opened.exists():
                await asyncio.sleep(0.05)
        await page.goto(opened.read_text())
        await expect(page.get_by_text("go back to the terminal")).to_be_visible()
        done = await login
        assert (done.code, "Signed in" in done.out) == (0, True), done


class TestAuthenticatorApp:
    async def test_it_is_added_after_a_proof_and_asked_for_from_then_on(
        self, product: Product, owner: Person, window: Window
    ):
        page = await (await window(**DESKTOP)).new_page()
        await page.goto(product.url)
        await sign_in(page)
        await entered(page)
        let_proofs_lapse(product)
        await page.get_by_role("button", name="Security").click()
        dialog = page.get_by_role("dialog", name="Security")
        await expect(dialog.get_by_text(re.compile("numeric address"))).to_be_visible()
        await dialog.get_by_role("button", name="Add an authenticator app").click()
        asked = page.get_by_role("dialog", name="Prove who you are")
        await asked.get_by_label("Password").fill("not hers at all")
        await asked.get_by_role("button", name="Prove it").click()
        await expect(asked.get_by_role("alert")).to_contain_text("wrong")
        await asked.get_by_label("Password").fill(PASSWORD)
        await asked.get_by_role("button", name="Prove it").click()
        app = pyotp.TOTP(await dialog.locator(".secret").inner_text())
        await dialog.get_by_label(re.compile("^Code")).fill(app.now())
        await dialog.get_by_role("button", name="Use this app from now on").click()
        codes = page.get_by_role("dialog", name="Recovery codes")
        await expect(codes.get_by_role("listitem")).to_have_count(10)
        recovery = await codes.get_by_role("listitem").first.inner_text()
        await codes.get_by_role("button", name="I have kept them").click()
        await expect(dialog.get_by_text("10 recovery codes are left")).to_be_visible()
        await dialog.get_by_role("button", name="Close").click()

        await page.get_by_role("button", name="Sign out").click()
        await sign_in(page)
        await page.get_by_label(re.compile("^Code")).fill(recovery)
        await page.get_by_role("button", name="Prove it").click()
        await entered(page)


class TestTerminal:
    async def test_codes_are_asked_for_and_a_decision_offers_to_prove_it(
        self, product: Product, owner: Person, terminal: Terminal
    ):
        await ask_for_proof(owner)
        app = pyotp.TOTP((await owner.post("/auth/totp"))["secret"])
        recovery = (await owner.post("/auth/totp/confirm", {"code": app.now()}))["codes"]
        alone = await terminal.login(product.url)
        login = ("login", "--url", product.url, "--email", EMAIL, "--password-stdin")
        both = await terminal.run(*login, "--code", recovery[0], typed=f"{PASSWORD}\n")
        assert (alone.code, "--code" in alone.err) == (1, True), alone
        assert both.code == 0, both
        let_proofs_lapse(product)
        proved = await terminal.run("prove", "--code", recovery[1])
        assert (proved.code, "Proved by recovery" in proved.out) == (0, True), proved

        conversation = await owner.conversation()
        await owner.say(conversation, "add the task Buy milk", wait=30)
        await owner.say(conversation, "delete the task Buy milk", wait=30)
        waiting = (await owner.get("/approvals?state=pending"))["items"][0]["id"]
        let_proofs_lapse(product)
        refused = await terminal.run("approvals", "approve", waiting, "--yes")
        assert (refused.code, "step_up_required" in refused.err) == (4, True), refused
        async with terminal.open("approvals", "approve", waiting) as typed:
            await typed.until("[y/N]")
            typed.type("y")
            await typed.until("Code of your authenticator app")
            typed.type(recovery[2])
            await typed.until("Approved by Ana")
            assert await typed.ended() == 0

        reset = await terminal.run("users", "reset-factors", EMAIL, "--data", str(product.data))
        assert reset.code == 0, reset
        assert (await terminal.login(product.url)).code == 0
