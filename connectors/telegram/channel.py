"""The channel: a bot, asked by long poll or called by webhook."""

import asyncio
import hmac
import re
from contextlib import suppress
from typing import Any, Literal

import httpx
from pydantic import Field, SecretStr, field_validator

from connectors.channel import (
    ButtonPressed,
    Capabilities,
    Channel,
    ChannelConfig,
    ChannelKind,
    Hook,
    HookAnswer,
    InboundEvent,
    MessageRef,
    NotVerified,
    OutMessage,
    PermanentFailure,
    Polled,
    TemporaryFailure,
)
from connectors.telegram.api import BotApi, NotChanged
from connectors.telegram.parsing import parse_body, parse_update
from connectors.telegram.rendering import MAX_CALLBACK, MAX_TEXT, render

POLL_SECONDS = 25
_HEADER = "x-telegram-bot-api-secret-token"
_TOKEN = re.compile(r"\d{1,20}:[A-Za-z0-9_-]{20,100}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")
_KINDS = ("message", "edited_message", "callback_query", "my_chat_member")
_PATIENCE = 20.0
_MAX_ANSWER = 200
_SHORT = 60
"""What is longer is shown until it is closed."""


class TelegramConfig(ChannelConfig):
    """`[channels.telegram]`: the token that BotFather gave; how to hear; a secret of one's own for the webhook."""

    token: SecretStr
    mode: Literal["poll", "webhook"] = "poll"
    webhook_secret: SecretStr | None = None
    api_base: str = Field("https://api.telegram.org", pattern=r"^https?://")

    @field_validator("token")
    @classmethod
    def _is_token(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            message = "this is no token of a bot"
            raise ValueError(message)
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _is_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _SECRET.fullmatch(value.get_secret_value()):
            message = "a webhook secret has 16 to 256 of A-Z, a-z, 0-9, _ and -"
            raise ValueError(message)
        return value


class Telegram:
    """One bot. Its account is its number, which the token begins with and which never changes."""

    def __init__(self, config: TelegramConfig, client: httpx.AsyncClient) -> None:
        """Take the settings, and the client to call with."""
        token = config.token.get_secret_value()
        self._api = BotApi(client, config.api_base, token)
        self._secret = config.webhook_secret
        self._name: str | None = None
        self.account = token.partition(":")[0]
        self.capabilities = Capabilities(
            mode=config.mode, threads=True, typing=True, max_text=MAX_TEXT, max_callback_bytes=MAX_CALLBACK, fold=20
        )

    def verify(self, hook: Hook) -> None:
        """Compare the secret that setWebhook was given; without one nothing is believed."""
        if self._secret is None or self.capabilities.mode != "webhook":
            raise _not_verified()
        given = hook.headers.get(_HEADER, "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._secret.get_secret_value().encode()):
            raise _not_verified()

    def greet(self, hook: Hook) -> HookAnswer | None:  # noqa: ARG002  # Telegram never asks
        """Telegram never asks whether we are there."""
        return None

    def parse(self, body: bytes) -> list[InboundEvent]:
        """Read a webhook's body."""
        return parse_body(body)

    def render(self, message: OutMessage) -> list[dict[str, Any]]:
        """Say it in Telegram's HTML."""
        return render(message)

    async def send(self, thread: str, message: OutMessage, key: str) -> MessageRef:  # noqa: ARG002  # none is taken
        """Send it; Telegram takes no key, so a crash at the wrong moment sends it twice."""
        ids = [await self._send_one(thread, payload) for payload in self.render(message)]
        return MessageRef(account=self.account, thread=thread, message_ids=tuple(ids))

    async def _send_one(self, thread: str, payload: dict[str, Any]) -> str:
        async def call() -> Any:
            return await self._api.call("sendMessage", {**_place(thread), **payload})

        return str((await _patiently(call))["message_id"])

    async def edit(self, ref: MessageRef, message: OutMessage) -> MessageRef:
        """Edit what was sent, send what it is longer by, delete what it is shorter by."""
        payloads = self.render(message)
        ids = list(ref.message_ids)
        for message_id, payload in zip(ids, payloads, strict=False):
            known = {key: value for key, value in payload.items() if key in {"text", "parse_mode", "reply_markup"}}
            place = {"chat_id": _place(ref.thread)["chat_id"], "message_id": int(message_id)}
            options = {"link_preview_options": payload["link_preview_options"]}
            with suppress(NotChanged):
                await self._api.call("editMessageText", {**place, **known, **options})
        more = [await self._send_one(ref.thread, payload) for payload in payloads[len(ids) :]]
        for surplus in ids[len(payloads) :]:
            with suppress(PermanentFailure):
                place = {"chat_id": _place(ref.thread)["chat_id"], "message_id": int(surplus)}
                await self._api.call("deleteMessage", place)
        return ref.model_copy(update={"message_ids": (*ids[: len(payloads)], *more)})

    async def answer(self, event: ButtonPressed, text: str) -> None:
        """Show a line over the chat; a press that is too old for that is no failure."""
        with suppress(PermanentFailure):
            arguments = {
                "callback_query_id": event.callback_id,
                "text": text[:_MAX_ANSWER],
                "show_alert": len(text) > _SHORT,
            }
            await self._api.call("answerCallbackQuery", arguments)

    async def typing(self, thread: str) -> None:
        """Show "typing" for 5 seconds."""
        await self._api.call("sendChatAction", {**_place(thread), "action": "typing"})

    async def poll(self, cursor: str) -> Polled:
        """Ask for what came after the update that the cursor names; what cannot be read is passed over."""
        offset = int(cursor) + 1 if cursor else 0
        arguments = {"offset": offset, "timeout": POLL_SECONDS, "allowed_updates": list(_KINDS)}
        updates = await self._api.call("getUpdates", arguments, POLL_SECONDS + 15)
        events: list[InboundEvent] = []
        for update in updates:
            with suppress(ValueError):
                events += parse_update(update)
            cursor = str(max(int(update["update_id"]), int(cursor or 0)))
        return Polled(events=tuple(events), cursor=cursor)

    async def probe(self) -> str:
        """Ask who we are."""
        me = await self._api.call("getMe", {})
        self._name = str(me.get("username") or me.get("first_name") or self.account)
        return f"@{self._name}"

    async def attach(self, hook_url: str | None) -> None:
        """Say where to call, with the secret; or, to be asked, that nothing is to be called."""
        if hook_url is None or self._secret is None:
            await self._api.call("deleteWebhook", {})
            return
        arguments = {
            "url": hook_url,
            "secret_token": self._secret.get_secret_value(),
            "allowed_updates": list(_KINDS),
            "max_connections": 20,
        }
        await self._api.call("setWebhook", arguments)

    def address(self, payload: str) -> str | None:
        """Give `t.me/<bot>?start=<payload>`, once the bot's name is known."""
        return f"https://t.me/{self._name}?start={payload}" if self._name else None


async def _patiently(call: Any) -> Any:
    """Call; when asked to wait a little, wait and call once more, so that a message in parts is not sent anew."""
    try:
        return await call()
    except TemporaryFailure as error:
        if error.retry_after is None or error.retry_after > _PATIENCE:
            raise
        await asyncio.sleep(error.retry_after)
        return await call()


def _place(thread: str) -> dict[str, Any]:
    chat, _, topic = thread.partition(":")
    return {"chat_id": int(chat), **({"message_thread_id": int(topic)} if topic else {})}


def _not_verified() -> NotVerified:
    return NotVerified("Nothing shows that Telegram sent this.")


def _make(config: TelegramConfig, client: httpx.AsyncClient) -> Channel:
    return Telegram(config, client)


CHANNEL = ChannelKind(title="Telegram", config=TelegramConfig, make=_make)
