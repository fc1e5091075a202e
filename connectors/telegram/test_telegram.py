"""What Telegram tells is read as it means it; what we say fits its limits; its failures become ours."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.channel import (
    Blocked,
    ButtonPressed,
    CommandGiven,
    Hook,
    NotUnderstood,
    NotVerified,
    PermanentFailure,
    TemporaryFailure,
    TextSaid,
    Unblocked,
    Unreachable,
    channel_kinds,
    set_up_channels,
)
from connectors.telegram.channel import Telegram, TelegramConfig
from connectors.telegram.rendering import MAX_ENTITIES, MAX_TEXT, render, units
from core.errors import Misconfigured
from core.outgoing import Button, Fact, Headline, Link, OutMessage, Plain, Prose, Quoted, plain

FIXTURES = Path(__file__).parent / "fixtures"
TOKEN = "7000000001:" + "A" * 35
SECRET = "s" * 32


def made(respond: Any = None, **values: Any) -> Telegram:
    transport = httpx.MockTransport(respond or (lambda _: httpx.Response(200, json={"ok": True, "result": {}})))
    config = TelegramConfig.model_validate({"token": TOKEN, **values})
    return Telegram(config, httpx.AsyncClient(transport=transport))


def payload(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def refusing(status: int, description: str, **parameters: Any) -> Any:
    body = {"ok": False, "error_code": status, "description": description, "parameters": parameters}
    return lambda _: httpx.Response(status, json=body)


class Visible(HTMLParser):
    """The text of HTML, and how many tags it has."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.tags = "", 0

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags += 1


def seen(html: str) -> Visible:
    visible = Visible()
    visible.feed(html)
    visible.close()
    return visible


class TestParse:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("message", TextSaid),
            ("command", CommandGiven),
            ("command_in_group", CommandGiven),
            ("callback_query", ButtonPressed),
            ("callback_query_inaccessible", ButtonPressed),
            ("edited_message", TextSaid),
            ("group", TextSaid),
            ("my_chat_member_blocked", Blocked),
            ("my_chat_member_unblocked", Unblocked),
            ("photo", NotUnderstood),
            ("reply", TextSaid),
        ],
    )
    def test_each_update_is_one_event(self, name: Any, kind: Any) -> None:
        (event,) = made().parse(payload(name))

        assert isinstance(event, kind)

    @pytest.mark.parametrize("name", ["channel_post", "new_chat_members", "callback_query_inline"])
    def test_what_nobody_needs_is_no_event(self, name: Any) -> None:
        assert made().parse(payload(name)) == []

    def test_who_spoke_is_their_number_never_their_name(self) -> None:
        (event,) = made().parse(payload("message"))

        assert (event.sender.external_id, event.sender.shown_as) == ("4400001", "Ana Lima (@ana_lima)")

    def test_a_press_is_its_own_event_however_it_is_told(self) -> None:
        update = json.loads(payload("callback_query"))
        (first,) = made().parse(payload("callback_query"))
        (second,) = made().parse(json.dumps(update | {"update_id": 1}).encode())

        assert first.event_id == second.event_id == "cb-18897995847110325921"

    def test_whoever_presses_is_the_sender_not_the_chat(self) -> None:
        update = json.loads(payload("callback_query"))
        update["callback_query"]["from"]["id"] = 99

        (event,) = made().parse(json.dumps(update).encode())

        assert (event.sender.external_id, event.thread) == ("99", "4400001")

    def test_a_start_payload_is_the_rest_of_the_command(self) -> None:
        (event,) = made().parse(payload("command"))

        assert isinstance(event, CommandGiven)
        assert (event.name, event.rest) == ("start", "kq3Vb0x9Zc1uYt7RrW2d_A")

    def test_a_topic_of_a_group_is_a_thread_of_its_own(self) -> None:
        (event,) = made().parse(payload("group"))

        assert (event.thread, event.private) == ("-1001987654321:77", False)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"null",
            b"{",
            b"\xff",
            b"[" * 5000,
            b'{"update_id": "1"}',
            b'{"update_id": true}',
            b'{"update_id": 1, "message": 7}',
            b'{"update_id": 1, "message": {"from": {"id": 1}}}',
            b'{"update_id": 1, "callback_query": {"id": "1", "data": "\\ud800", "message": {"chat": {}}}}',
        ],
    )
    def test_what_is_no_update_is_refused(self, body: Any) -> None:
        with pytest.raises(ValueError):
            made().parse(body)


class TestVerify:
    def hook(self, **headers: str) -> Hook:
        return Hook(method="POST", url="https://x.test", headers=headers, query={}, body=b"{}")

    def test_the_secret_lets_in_where_its_lack_does_not(self) -> None:
        channel = made(mode="webhook", webhook_secret=SECRET)

        channel.verify(self.hook(**{"x-telegram-bot-api-secret-token": SECRET}))
        with pytest.raises(NotVerified):
            channel.verify(self.hook())

    @pytest.mark.parametrize("given", [None, "", "x", SECRET + "s", SECRET[:-1], f"{SECRET}, {SECRET}", "é"])
    def test_nothing_else_does(self, given: Any) -> None:
        headers = {} if given is None else {"x-telegram-bot-api-secret-token": given}

        with pytest.raises(NotVerified):
            made(mode="webhook", webhook_secret=SECRET).verify(self.hook(**headers))

    @pytest.mark.parametrize("settings", [{"mode": "webhook"}, {"mode": "poll", "webhook_secret": SECRET}])
    def test_without_a_secret_or_a_webhook_nothing_is_believed(self, settings: Any) -> None:
        with pytest.raises(NotVerified):
            made(**settings).verify(self.hook(**{"x-telegram-bot-api-secret-token": SECRET}))


class TestRender:
    def test_what_others_wrote_is_never_markup(self) -> None:
        said = '<b>&amp; <a href="https://evil.test">x</a>'
        parts = (Headline(text=said), Plain(text=said), Quoted(label=said, text=said), Fact(label=said, text=said))

        (message,) = render(OutMessage(parts=parts))

        assert seen(message["text"]).text == f"{said}\n{said}\n{said}:\n{said}\n{said}: {said}"
        assert "<a " not in message["text"]

    def test_markdown_becomes_html_and_images_their_address_in_words(self) -> None:
        (message,) = render(
            OutMessage(parts=(Prose(text="# T\n**b** *i* `c` ![p](https://x.test/p)\n```\n1 < 2\n```"),))
        )

        assert message["text"].startswith(
            "<b>T\n</b><b>b</b> <i>i</i> <code>c</code> p (https://x.test/p)\n<pre>1 &lt; 2"
        )

    @pytest.mark.parametrize("text", ["word " * 5000, "😀" * 6000, "x" * 9000, "line\n" * 3000, "&" * 9000])
    def test_a_long_text_is_split_within_the_limit_and_nothing_is_lost(self, text: Any) -> None:
        messages = render(OutMessage(parts=(Plain(text=text),)))

        shown = [seen(one["text"]).text for one in messages]
        assert max(map(units, shown)) <= MAX_TEXT
        assert "".join("".join(shown).split()) == "".join(text.split())

    def test_a_message_has_no_more_entities_than_are_allowed(self) -> None:
        messages = render(OutMessage(parts=(Prose(text="**b** " * 400),)))

        assert max(seen(one["text"]).tags for one in messages) <= MAX_ENTITIES

    def test_previews_are_off_and_buttons_stand_under_the_last(self) -> None:
        button = Button(label="Yes", data="a1:" + "x" * 22 + ":y", tone="approve")
        messages = render(OutMessage(parts=(Plain(text="x" * 9000),), buttons=((button,),)))

        assert all(one["link_preview_options"] == {"is_disabled": True} for one in messages)
        keyboards = [one.get("reply_markup", {}).get("inline_keyboard") for one in messages]
        assert keyboards == [None, None, [[{"text": "✅ Yes", "callback_data": button.data}]]]

    def test_a_link_of_ours_is_one(self) -> None:
        (message,) = render(OutMessage(parts=(Link(text="Open <it>", url='https://x.test/?a=1&b="'),)))

        assert message["text"] == '<a href="https://x.test/?a=1&amp;b=&quot;">Open &lt;it&gt;</a>'

    def test_a_button_carries_at_most_64_bytes(self) -> None:
        with pytest.raises(ValueError):
            render(plain("x", (Button(label="Yes", data="x" * 65),)))


class TestCalls:
    async def test_a_sent_message_is_known_by_its_numbers(self) -> None:
        ids = iter(range(5, 9))
        channel = made(lambda _: httpx.Response(200, json={"ok": True, "result": {"message_id": next(ids)}}))

        ref = await channel.send("12:3", plain("x" * 5000), "key")

        assert (ref.thread, ref.message_ids) == ("12:3", ("5", "6"))

    @pytest.mark.parametrize(
        ("respond", "failure"),
        [
            (refusing(403, "Forbidden: bot was blocked by the user"), Unreachable),
            (refusing(400, "Bad Request: chat not found"), Unreachable),
            (refusing(400, "Bad Request: message is too long"), PermanentFailure),
            (refusing(401, "Unauthorized"), TemporaryFailure),
            (refusing(502, "Bad Gateway"), TemporaryFailure),
            (lambda _: httpx.Response(502, text="<html>"), TemporaryFailure),
            (lambda _: httpx.Response(200, json=[1]), TemporaryFailure),
        ],
    )
    async def test_failures_say_whether_to_try_again(self, respond: Any, failure: Any) -> None:
        with pytest.raises(failure) as found:
            await made(respond).send("1", plain("x"), "key")

        assert type(found.value) is failure

    async def test_being_asked_to_wait_long_is_a_failure_with_its_time(self) -> None:
        with pytest.raises(TemporaryFailure) as found:
            await made(refusing(429, "Too Many Requests", retry_after=35)).send("1", plain("x"), "key")

        assert found.value.retry_after == 35

    async def test_no_failure_says_the_token(self) -> None:
        def fall(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError(f"cannot reach {request.url}", request=request)

        with pytest.raises(TemporaryFailure) as found:
            await made(fall).probe()

        assert TOKEN not in str(found.value)
        assert found.value.__cause__ is None

    async def test_editing_to_what_it_says_already_is_no_failure(self) -> None:
        said = "Bad Request: message is not modified: specified new message content ..."
        channel = made(lambda _: httpx.Response(200, json={"ok": True, "result": {"message_id": 1}}))
        ref = await channel.send("1", plain("x"), "key")

        assert await made(refusing(400, said)).edit(ref, plain("x")) == ref

    async def test_what_cannot_be_read_does_not_stop_the_poll(self) -> None:
        updates = [{"update_id": 7, "message": {"from": {}}}, json.loads(payload("message")) | {"update_id": 8}]

        polled = await made(lambda _: httpx.Response(200, json={"ok": True, "result": updates})).poll("3")

        assert ([event.event_id for event in polled.events], polled.cursor) == (["8"], "8")


class TestSettings:
    def test_the_folder_is_found(self) -> None:
        assert channel_kinds()["telegram"].title == "Telegram"

    def test_the_account_is_the_bots_number(self) -> None:
        client = httpx.AsyncClient()

        assert list(set_up_channels({"telegram": {"token": TOKEN}}, client)) == [("telegram", "7000000001")]

    @pytest.mark.parametrize(
        "values",
        [{}, {"token": "secret-thing"}, {"token": TOKEN, "webhook_secret": "sh ort"}, {"token": TOKEN, "x": 1}],
    )
    def test_what_is_wrong_is_named_and_never_shown(self, values: Any) -> None:
        with pytest.raises(Misconfigured) as found:
            set_up_channels({"telegram": values}, httpx.AsyncClient())

        assert "[channels.telegram]" in found.value.detail
        assert "secret-thing" not in found.value.detail

    def test_secrets_are_masked(self) -> None:
        config = TelegramConfig.model_validate({"token": TOKEN, "webhook_secret": SECRET})

        assert TOKEN not in repr(config)
        assert SECRET not in repr(config)

    def test_an_unknown_setting_is_an_error(self) -> None:
        with pytest.raises(ValidationError):
            TelegramConfig.model_validate({"token": TOKEN, "mode": "push"})
