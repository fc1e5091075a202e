"""The real doors over a fresh database, without Temporal; whoever is asked agrees at once, or says what a test says."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from assent_client import Assent, AsyncAssent
from core.clock import now
from core.digest import canonical
from core.keys import KeyRing
from core.messages import ApprovalOutcome
from core.permissions import Role
from core.settings import Settings
from core.store import consents
from core.store.database import open_database
from core.store.work import change
from core.tables.consent import Approval
from core.values import ApprovalState
from tests.api.rest.house import House, Person, open_house

URL = "http://assent.test"


@dataclass
class People:
    """Closes what is asked, as its workflow would: `say` gives the verdict, `edit` changes the arguments."""

    house: House
    say: ApprovalState | None = ApprovalState.APPROVED
    edit: dict[str, Any] = field(default_factory=dict)
    away: int = 0

    async def decide(self) -> None:
        while True:
            await asyncio.sleep(0.01)
            if self.say is None:
                continue
            async with self.house.database.reading() as session:
                waiting = list(
                    (await session.execute(select(Approval.id).where(Approval.state == "requested"))).scalars()
                )
            for approval_id in waiting:
                await self._close(approval_id, self.say)

    async def _close(self, approval_id: str, verdict: ApprovalState) -> None:
        async with change(self.house.database, self.house.rooms) as work:
            row = await work.session.get_one(Approval, approval_id)
            row.arguments = row.arguments | self.edit
            row.digest = str(len(canonical(row.arguments))) * 8
            await consents.close(
                work,
                ApprovalOutcome(
                    approval_id=row.id, state=verdict, digest=row.digest, user_id=row.requester_id, at=now()
                ),
            )


class Bridge(httpx.BaseTransport):
    """Lets a client that blocks reach the application on its loop, from another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, http: httpx.AsyncClient, people: People) -> None:
        self._loop, self._http, self._people = loop, http, people

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        if self._people.away:
            self._people.away -= 1
            raise httpx.ConnectError("away")
        sending = self._http.request(request.method, request.url, content=request.content, headers=request.headers)
        found: Future[httpx.Response] = asyncio.run_coroutine_threadsafe(sending, self._loop)
        answer = found.result(60)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
async def house(tmp_path, sqlite_template, ring: KeyRing) -> AsyncIterator[House]:
    settings = Settings(data_dir=tmp_path)
    shutil.copyfile(sqlite_template, tmp_path / "assent.db")
    async with open_database(settings.database_url) as database, open_house(settings, database, ring) as opened:
        yield opened


@pytest.fixture
async def ana(house: House) -> Person:
    return await house.person(await house.workspace(), Role.OWNER)


@pytest.fixture
async def token(ana: Person) -> str:
    made = await ana.ask("POST", "/tokens", json={"name": "client", "scopes": ["ask"]})
    return str(made.json()["secret"])


@pytest.fixture
async def people(house: House) -> AsyncIterator[People]:
    there = People(house)
    deciding = asyncio.create_task(there.decide())
    yield there
    deciding.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await deciding


@pytest.fixture
async def later(house: House, token: str, people: People) -> AsyncIterator[AsyncAssent]:
    """The async client."""
    transport = httpx.ASGITransport(house.app)
    async with AsyncAssent(URL, token, retry_seconds=5, http=httpx.AsyncClient(transport=transport)) as client:
        yield client


@pytest.fixture
async def client(house: House, token: str, people: People) -> AsyncIterator[Assent]:
    """The client that blocks; call it in a thread."""
    http = await house.http()
    bridge = Bridge(asyncio.get_running_loop(), http, people)
    with Assent(URL, token, retry_seconds=5, http=httpx.Client(transport=bridge)) as opened:
        yield opened
