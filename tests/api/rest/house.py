"""The doors over a fresh database, without Temporal: what is acknowledged is kept, and stays where it is."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr
from temporalio.client import Client

from api.app import build_doors
from api.tokens import Tokens
from connectors.telegram.channel import Telegram, TelegramConfig
from core.clock import now
from core.consent import ConsentPlan, Party, asks
from core.errors import Unavailable
from core.ids import new_id
from core.keys import KeyRing
from core.messages import DecisionMade, LookupAnswer, MemoryVerdict
from core.permissions import Principal, Role
from core.rooms import LocalRooms
from core.settings import Settings
from core.store import consents
from core.store.database import Database
from core.tables.consent import Approval, Delegation, Grant
from core.tables.identity import Identity
from core.tables.people import Membership, Session, User, Workspace
from core.tables.work import ToolCall, Turn
from core.temporal import data_converter
from workflows.handles import Workflows
from workflows.memory_handles import Call, MemoryWorkflows

API = "/api/v1"
ADDRESS = "http://assent.test"


class AwayWorkflows(Workflows):
    """Temporal is down; `answer` makes it answer decisions all the same."""

    answer: str | None = None

    async def start_turn(
        self, turn_id: str, conversation_id: str, lease_epoch: int, max_rounds: int | None = None
    ) -> None:
        raise Unavailable("away")

    async def stop_turn(self, turn_id: str, approval_ids: Sequence[str], user_id: str) -> list[str]:
        raise Unavailable("away")

    async def look_up(self, lookup_id: str) -> LookupAnswer:
        raise Unavailable("Memory is away.")

    async def decide(self, approval_id: str, decision: DecisionMade, update_id: str) -> str:
        if self.answer is None:
            raise Unavailable("away")
        return self.answer


class AwayMemory(MemoryWorkflows):
    """Memory's workers cannot be told anything."""

    async def wake(self, call: Call) -> None:
        raise Unavailable("away")

    async def verify(self) -> MemoryVerdict:
        raise Unavailable("away")


class ReadyTemporal:
    """A server that says it is ready."""

    state = "ready"
    restarts = 0
    ui_url = None


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    principal: Principal
    token: str
    http: httpx.AsyncClient

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request under /api/v1."""
        return await self.http.request(method, f"{API}{path}", **more)


class House:
    """The doors, and how to fill the house."""

    def __init__(self, app: Any, settings: Settings, database: Database, ring: KeyRing, keep: AsyncExitStack) -> None:
        self.app = app
        self.rest: FastAPI = app.other_asgi_app
        self.settings = settings
        self.database = database
        self.tokens = Tokens(ring, settings)
        self.ring = ring
        self.workflows: AwayWorkflows
        self.rooms: LocalRooms
        self._keep = keep
        self._number = 0

    async def http(self, token: str | None = None, address: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
        """A client at some address, with or without a token."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 4711))
        known = headers | ({"Authorization": f"Bearer {token}"} if token else {})
        return await self._keep.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=known)
        )

    async def workspace(self) -> str:
        row = Workspace(id=new_id("wks"), name="Work", created_at=now())
        async with self.database.writing() as session:
            session.add(row)
        return row.id

    async def person(self, workspace_id: str, role: Role = Role.MEMBER) -> Person:
        """Somebody new, signed in."""
        self._number += 1
        name = f"Person {self._number}"
        user = User(id=new_id("usr"), email=f"p{self._number}@x.test", name=name, created_at=now())
        member = Membership(
            id=new_id("mbr"),
            workspace_id=workspace_id,
            user_id=user.id,
            role=role,
            epoch=new_id("ep"),
            created_at=now(),
        )
        opened = Session(
            id=new_id("ses"), user_id=user.id, workspace_id=workspace_id, proved_at=now(), created_at=now()
        )
        async with self.database.writing() as session:
            session.add(user)
            await session.flush()
            session.add_all([member, opened])
        token = self.tokens.access(user.id, opened.id, workspace_id)
        return Person(await self.tokens.authenticate(self.database, token), token, await self.http(token))

    def set_up_telegram(self) -> None:
        """Let there be a bot, which nobody calls."""
        config = TelegramConfig(token=SecretStr(f"7000:{'x' * 30}"), mode="webhook")
        bot = Telegram(config, httpx.AsyncClient())
        bot._name = "assent_bot"
        self.rest.state.context.channels.channels["telegram", bot.account] = bot

    async def identity(self, who: Person, channel: str = "telegram", external_id: str | None = None) -> str:
        """An account of that person on a channel."""
        row = Identity(
            id=new_id("idn"),
            user_id=who.principal.user_id,
            workspace_id=who.principal.workspace_id,
            channel=channel,
            account="bot",
            external_id=external_id or new_id("tg"),
            thread="1",
            linked_at=now(),
        )
        async with self.database.writing() as session:
            session.add(row)
        return row.id

    async def approval(self, who: Person, turn_id: str, roles: tuple[Role, ...] = (Role.OWNER,)) -> Approval:
        """A pending request for consent in a turn of that person."""
        async with self.database.writing() as session:
            turn = await session.get_one(Turn, turn_id)
            call = _call(turn)
            session.add(call)
            await session.flush()
            row = _approval(turn, call, asks(Party(roles=tuple(roles), requester=True)))
            session.add(row)
            await session.flush()
            await consents.write_parties(session, row)
        return row

    async def grant(self, who: Person, **more: Any) -> Grant:
        """What lets this person's calls of `tasks.delete` pass, as they gave it."""
        row = Grant(
            id=new_id("grt"),
            workspace_id=who.principal.workspace_id,
            user_id=who.principal.user_id,
            action="tasks.delete",
            schema_digest="0" * 64,
            patterns={"id": {"kind": "exact", "value": "tsk_1"}},
            granted_by=who.principal.user_id,
            created_at=now(),
            expires_at=now() + timedelta(days=1),
        )
        row.sqlmodel_update(more)
        async with self.database.writing() as session:
            session.add(row)
        return row

    async def delegation(self, away: Person, deputy: Person, **more: Any) -> Delegation:
        """What lets one decide in place of the other for a day."""
        row = Delegation(
            id=new_id("dlg"),
            workspace_id=away.principal.workspace_id,
            from_user_id=away.principal.user_id,
            to_user_id=deputy.principal.user_id,
            starts_at=now(),
            ends_at=now() + timedelta(days=1),
            created_by=away.principal.user_id,
            created_at=now(),
        )
        row.sqlmodel_update(more)
        async with self.database.writing() as session:
            session.add(row)
        return row


def _call(turn: Turn) -> ToolCall:
    return ToolCall(
        id=new_id("cal"),
        turn_id=turn.id,
        conversation_id=turn.conversation_id,
        workspace_id=turn.workspace_id,
        user_id=turn.user_id,
        round=1,
        place=0,
        action="tasks.delete",
        arguments={"id": "tsk_1"},
        schema_digest="0" * 64,
        risk="destructive",
        effect="idempotent",
        verdict="ask",
        rule="destructive asks",
        state="awaiting approval",
        created_at=now(),
    )


def _approval(turn: Turn, call: ToolCall, plan: ConsentPlan) -> Approval:
    return Approval(
        id=new_id("apr"),
        tool_call_id=call.id,
        turn_id=turn.id,
        conversation_id=turn.conversation_id,
        workspace_id=turn.workspace_id,
        requester_id=turn.user_id,
        action=call.action,
        risk=call.risk,
        title="Delete a task",
        arguments=call.arguments,
        preview={"summary": "Deletes the task Buy milk"},
        plan=plan.model_dump(mode="json"),
        bound={},
        digest="d" * 64,
        state="pending",
        expires_at=now() + timedelta(hours=1),
        created_at=now(),
    )


@asynccontextmanager
async def open_house(settings: Settings, database: Database, ring: KeyRing) -> AsyncIterator[House]:
    """Build the doors over a database."""
    client = await Client.connect("127.0.0.1:1", lazy=True, data_converter=data_converter(ring))
    workflows, rooms = AwayWorkflows(client), LocalRooms()
    app: Any = build_doors(settings, database, workflows, rooms, ring, ReadyTemporal())
    async with AsyncExitStack() as keep:
        house = House(app, settings, database, ring, keep)
        house.workflows, house.rooms = workflows, rooms
        house.rest.state.context = replace(house.rest.state.context, memory=AwayMemory(workflows))
        await keep.enter_async_context(house.rest.router.lifespan_context(house.rest))
        house.set_up_telegram()
        yield house
