"""What nobody should send, through every door of a started product: a clear refusal, nothing stored, no traceback."""

import json
from typing import Any

import pytest
from playwright.async_api import expect

from tests.faults.ledger import Ledger
from tests.journeys.conftest import Window
from tests.journeys.person import EMAIL, PASSWORD, Person
from tests.journeys.product import Product
from tests.journeys.terminal import Terminal
from tests.journeys.test_browser import DESKTOP, sign_in

pytestmark = [pytest.mark.journey, pytest.mark.server]
HUGE = "x" * 32769
BODIES: dict[str, tuple[bytes, int]] = {
    "no body": (b"", 422),
    "no JSON": (b"hello", 422),
    "a list": (b"[]", 422),
    "nothing in it": (b"{}", 422),
    "an empty text": (b'{"text": "", "client_message_id": "b-1"}', 422),
    "a blank text": (b'{"text": " \\n\\t ", "client_message_id": "b-2"}', 422),
    "a text that is a number": (b'{"text": 7, "client_message_id": "b-3"}', 422),
    "a text that is null": (b'{"text": null, "client_message_id": "b-4"}', 422),
    "NUL": (b'{"text": "a\\u0000b", "client_message_id": "b-5"}', 422),
    "a lone surrogate": (b'{"text": "a\\ud800b", "client_message_id": "b-6"}', 422),
    "no UTF-8": (b'{"text": "\xff\xfe", "client_message_id": "b-7"}', 422),
    "a long text": (json.dumps({"text": HUGE, "client_message_id": "b-8"}).encode(), 413),
    "a long body": (json.dumps({"text": "x" * 300_000, "client_message_id": "b-9"}).encode(), 413),
    "a deep body": (b'{"text": ' + b"[" * 20_000 + b"]" * 20_000 + b', "client_message_id": "b-10"}', 422),
    "an unknown field": (b'{"text": "hi", "client_message_id": "b-11", "role": "owner"}', 422),
    "an empty client id": (b'{"text": "hi", "client_message_id": ""}', 422),
    "a long client id": (json.dumps({"text": "hi", "client_message_id": "i" * 1000}).encode(), 422),
    "a client id with NUL": (b'{"text": "hi", "client_message_id": "a\\u0000"}', 422),
    "NaN": (b'{"text": NaN, "client_message_id": "b-12"}', 422),
}


class TestRequests:
    async def test_each_is_refused_and_nothing_is_stored(self, product: Product, owner: Person):
        conversation = await owner.conversation()
        path, kind = f"/conversations/{conversation}/messages", {"content-type": "application/json"}
        answers = {name: await owner.http.post(path, content=body, headers=kind) for name, (body, _) in BODIES.items()}

        assert {name: status for name, (_, status) in BODIES.items()} == {
            name: answer.status_code for name, answer in answers.items()
        }
        assert {"application/problem+json"} == {one.headers["content-type"] for one in answers.values()}
        assert all(one.json()["detail"] for one in answers.values())
        assert Ledger(product.data).count("messages") == 0

    async def test_ids_that_are_none(self, owner: Person):
        ids = ("x", "..%2f..%2fetc%2fpasswd", "%00", "%ff", "a" * 5000, "cnv_' OR 1=1 --", f"cnv_{'0' * 26}")
        paths = [f"/{noun}/{one}" for noun in ("conversations", "turns", "approvals", "messages") for one in ids]
        answers = {path: (await owner.http.get(path)).status_code for path in paths}

        assert {path: status for path, status in answers.items() if status not in {404, 422}} == {}


class TestCommands:
    async def test_each_is_refused_in_one_sentence(self, product: Product, owner: Person, terminal: Terminal):
        await terminal.login(product.url)
        cases: dict[str, tuple[tuple[str, ...], int]] = {
            "blank": (("chat", "  "), 2),
            "long": (("chat", "--new", HUGE), 1),
            "bytes that are no text": (("chat", "--new", "a\udcffb"), 1),
            "no such conversation": (("chat", "--conversation", "cnv_nowhere", "hello"), 1),
            "a conversation with a slash": (("conversations", "show", "../users"), 2),
            "no such turn": (("history", "trn_nowhere"), 1),
            "no such approval": (("approvals", "approve", "apr_nowhere", "--yes"), 1),
            "an id with a newline": (("approvals", "show", "a\nb"), 2),
            "no such role": (("users", "invite", "x@example.com", "--role", "king"), 2),
            "no e-mail": (("users", "invite", "nobody"), 1),
            "no number": (("approvals", "list", "--limit", "many"), 2),
        }
        ran = {name: await terminal.run(*arguments) for name, (arguments, _) in cases.items()}

        assert {name: code for name, (_, code) in cases.items()} == {name: one.code for name, one in ran.items()}
        assert [name for name, one in ran.items() if not one.err.strip()] == []
        assert Ledger(product.data).count("messages") == 0

    async def test_lines_that_are_no_text_end_no_talk(self, product: Product, owner: Person, terminal: Terminal):
        await terminal.login(product.url)
        ran = await terminal.run("chat", "--new", typed="a\udcffb\n\n\x00\nadd the task Buy milk\n")
        conversation = (await owner.get("/conversations"))["items"][0]["id"]

        assert "Buy milk" in ran.out, ran
        assert "Buy milk" in await owner.reply(conversation, "list my tasks")


@pytest.mark.browser
class TestPage:
    async def test_a_long_paste_is_refused_in_words_and_kept_for_another_try(
        self, product: Product, owner: Person, window: Window
    ):
        page = await (await window(**DESKTOP)).new_page()
        await sign_in(page, product)
        await page.get_by_role("button", name="New conversation").click()
        text = page.get_by_label("Message", exact=True)
        for number, bad in enumerate(("ü" * 20_000, "a\x00b", "a\ud800b"), 1):
            await text.evaluate("(field, bad) => { field.value = JSON.parse(bad); }", json.dumps(bad))
            await page.get_by_role("button", name="Send", exact=True).click()
            await expect(page.locator(".unsent .warning")).to_have_count(number)
        said: list[Any] = await page.locator(".unsent .warning").all_inner_texts()
        await text.fill("add the task Buy milk")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.get_by_role("article", name="Assistant").last).to_contain_text("Buy milk")

        assert len(said) == 3
        assert "bytes" in said[0]

    async def test_hostile_words_are_shown_as_words(self, product: Product, owner: Person, window: Window):
        page = await (await window(**DESKTOP)).new_page()
        await sign_in(page, product)
        await page.get_by_role("button", name="New conversation").click()
        hostile = "add the task <img src=x onerror=window.hit=1><script>window.hit=1</script>"
        await page.get_by_label("Message", exact=True).fill(hostile)
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.get_by_role("article", name="Assistant").last).to_contain_text("img src=x")

        assert await page.evaluate("window.hit") is None

    async def test_wrong_sign_in_says_so(self, product: Product, owner: Person, window: Window):
        page = await (await window(**DESKTOP)).new_page()
        await page.goto(product.url)
        for email, password in ((EMAIL, "wrong password"), ("nobody@example.com", PASSWORD), (EMAIL, "x" * 5000)):
            await page.get_by_label("E-mail").fill(email)
            await page.get_by_label("Password").fill(password)
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
            await expect(page.get_by_role("alert")).not_to_be_empty()
