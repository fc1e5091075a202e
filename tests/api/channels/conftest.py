"""A house that Telegram calls: its side is a transport that keeps what it was asked."""

import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from connectors.telegram.channel import Telegram, TelegramConfig
from core.clock import now
from core.ids import new_id
from core.keys import KeyRing
from core.permissions import Role
from core.settings import Settings
from core.store import deliveries, prompting
from core.store.audit import AuditTrail
from core.store.database import Database
from core.store.work import change
from core.tables.connect import Delivery, Inbound
from core.tables.consent import Approval
from core.tables.identity import Identity
from tests.api.rest.house import House, Person, open_house
from tests.world import eventually

TOKEN = "7000000001:" + "A" * 35
ACCOUNT = "7000000001"
SECRET = "s" * 32
_numbers = itertools.count(1)


async def rows(house: House, table: Any, *where: Any) -> list[Any]:
    async with house.database.reading() as session:
        return list(
            (await session.execute(select(table).where(*where).order_by(*table.__table__.primary_key))).scalars()
        )


async def approval_of(house: House, person: Person) -> Approval:
    """A request of this person, made in a conversation of theirs."""
    conversation = (await person.ask("POST", "/conversations", json={})).json()
    said = {"text": "delete it", "client_message_id": f"c-{conversation['id'][4:]}"}
    turn = (await person.ask("POST", f"/conversations/{conversation['id']}/messages", json=said)).json()
    return await house.approval(person, turn["turn_id"])


class Bot:
    """Telegram's side: updates that it sends, calls that it got."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.http: httpx.AsyncClient
        config = {"token": TOKEN, "mode": "webhook", "webhook_secret": SECRET}
        channel = Telegram(
            TelegramConfig.model_validate(config), httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        )
        house.rest.state.context.channels.channels["telegram", ACCOUNT] = channel

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.calls.append((request.url.path.rpartition("/")[2], json.loads(request.content)))
        return httpx.Response(200, json={"ok": True, "result": {"message_id": next(_numbers), "username": "bot"}})

    def answers(self) -> list[str]:
        """What was said to those who pressed."""
        return [body["text"] for method, body in self.calls if method == "answerCallbackQuery"]

    async def post(self, update: dict[str, Any], **headers: str) -> int:
        """Call the webhook; gives the status."""
        given = {"X-Telegram-Bot-Api-Secret-Token": SECRET} | headers
        answer = await self.http.post(f"/hooks/telegram/{ACCOUNT}", json=update, headers=given)
        return answer.status_code

    async def hear(self, update: dict[str, Any]) -> Inbound:
        """Call the webhook, and wait until that was answered."""
        assert await self.post(update) == 200
        return await self.settled()

    async def settled(self) -> Inbound:
        rows: list[Inbound] = []

        async def done() -> bool:
            async with self.house.database.reading() as session:
                rows[:] = list((await session.execute(select(Inbound).order_by(Inbound.id))).scalars())
            return all(row.state != "waiting" for row in rows)

        await eventually(done)
        return rows[-1]

    async def say(self, who: int, text: str, chat: dict[str, Any] | None = None, **more: Any) -> Inbound:
        return await self.hear(message(who, text, chat, **more))

    async def press(self, who: int, data: str, callback_id: str | None = None) -> Inbound:
        return await self.hear(pressed(who, data, callback_id))

    async def told(self) -> list[str]:
        """The texts of the notices that are to go out, oldest first."""
        async with self.house.database.reading() as session:
            rows = (await session.execute(select(Delivery).order_by(Delivery.id))).scalars()
            return [_text(row.body) for row in rows if row.kind == deliveries.NOTICE]

    async def link(self, person: Person, who: int) -> Identity:
        """The account of a person, linked."""
        row = Identity(
            id=new_id("idn"),
            user_id=person.principal.user_id,
            workspace_id=person.principal.workspace_id,
            channel="telegram",
            account=ACCOUNT,
            external_id=str(who),
            thread=str(who),
            linked_at=now(),
        )
        async with self.house.database.writing() as session:
            session.add(row)
        return row

    async def prompt(self, approval: Approval, person: Person) -> str:
        """Prompt a person; gives the token of the buttons."""
        token = ("t" + new_id("tok")[4:] + "x" * 22)[:22]
        async with change(self.house.database, self.house.rooms) as work:
            await prompting.refresh(work, approval)
            rows = await deliveries.of_approval(work.session, approval.id)
            row = next(one for one in rows if one.user_id == person.principal.user_id)
            await deliveries.arm(work.session, row.id, token, {"digest": approval.digest})
        return token


def _text(body: dict[str, Any]) -> str:
    return str(body.get("text") or "\n".join(part["text"] for part in body["message"]["parts"]))


def message(who: int, text: str, chat: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    entities = [{"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}]
    said = {
        "message_id": next(_numbers),
        "from": {"id": who, "is_bot": False, "first_name": f"P{who}"},
        "chat": chat or {"id": who, "type": "private"},
        "text": text,
        **({"entities": entities} if text.startswith("/") else {}),
    }
    return {"update_id": next(_numbers), "message": said | more}


def pressed(who: int, data: str, callback_id: str | None = None) -> dict[str, Any]:
    query = {
        "id": callback_id or f"q{next(_numbers)}",
        "from": {"id": who, "is_bot": False, "first_name": f"P{who}"},
        "message": {"message_id": 1, "chat": {"id": who, "type": "private"}},
        "data": data,
    }
    return {"update_id": next(_numbers), "callback_query": query}


@pytest.fixture
async def house(tmp_path: Path, sqlite_database: Database, ring: KeyRing) -> AsyncIterator[House]:
    channels = {
        "telegram": {"token": TOKEN, "mode": "webhook", "webhook_secret": SECRET, "api_base": "http://127.0.0.1:1"}
    }
    async with open_house(Settings(data_dir=tmp_path, channels=channels), sqlite_database, ring) as opened:
        yield opened


@pytest.fixture
async def bot(house: House) -> Bot:
    made = Bot(house)
    made.http = await house.http()
    return made


@pytest.fixture
async def ana(house: House) -> Person:
    return await house.person(await house.workspace(), Role.OWNER)


@pytest.fixture
async def bo(house: House, ana: Person) -> Person:
    return await house.person(ana.principal.workspace_id)


@pytest.fixture
def trail(ring: KeyRing) -> AuditTrail:
    return AuditTrail(ring)
