"""Fifty people and accounts click at once over three doors while the worker is killed: one outcome, one execution."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
import socketio

from api.intake import Intake
from api.tokens import Tokens
from connectors.registry import Registry
from connectors.tasks.connector import TasksConnector
from core.clock import now
from core.errors import AssentError
from core.ids import new_id
from core.keys import load_ring
from core.permissions import Principal, Role
from core.rooms import LocalRooms
from core.settings import Settings
from core.store.audit import AuditTrail
from core.store.database import Database, open_database
from core.tables.consent import Policy
from core.tables.identity import Identity
from core.tables.people import Membership, Session, User
from core.temporal import connect
from core.values import DecisionVerdict
from tests.faults.apart import Apart
from tests.faults.conftest import Furnished
from tests.faults.ledger import Ledger, check_doors
from tests.journeys.person import Person, until
from workflows.handles import Workflows

pytestmark = [pytest.mark.journey, pytest.mark.server]
ACCOUNTS, PEOPLE, QUORUM = 50, 38, 12


@dataclass(frozen=True)
class Account:
    """One of many owners; some are the same person."""

    principal: Principal
    token: str
    person_id: str


async def _account(database: Database, tokens: Tokens, workspace_id: str, number: int, same_as: str | None) -> Account:
    at = now()
    user = User(id=new_id("usr"), email=f"o{number}@x.test", name=f"Owner {number}", created_at=at)
    member = Membership(
        id=new_id("mbr"),
        workspace_id=workspace_id,
        user_id=user.id,
        role=Role.OWNER,
        epoch=new_id("ep"),
        person_id=same_as,
        created_at=at,
    )
    opened = Session(id=new_id("ses"), user_id=user.id, workspace_id=workspace_id, created_at=at)
    linked = Identity(
        id=new_id("idn"),
        user_id=user.id,
        workspace_id=workspace_id,
        channel="telegram",
        account="bot",
        external_id=str(number),
        thread=str(number),
        linked_at=at,
    )
    async with database.writing() as session:
        session.add(user)
        await session.flush()
        session.add_all([member, opened, linked])
    token = tokens.access(user.id, opened.id, workspace_id)
    who = await tokens.authenticate(database, token)
    return Account(who.model_copy(update={"session_id": linked.id}), token, same_as or user.id)


@dataclass(frozen=True)
class Crowd:
    """The accounts, and the door of a channel: the same intake, in a process of its own."""

    accounts: list[Account]
    intake: Intake
    database: Database


@pytest_asyncio.fixture(loop_scope="session")
async def crowd(apart: Apart, furnished: Furnished, ledger: Ledger) -> AsyncIterator[Crowd]:
    await apart.open()
    settings = Settings(data_dir=apart.data)
    ring = load_ring(apart.data)
    tokens = Tokens(ring, settings)
    (workspace,) = ledger.rows("SELECT id FROM workspaces")
    async with open_database(settings.database_url) as database:
        accounts: list[Account] = []
        for number in range(ACCOUNTS):
            same = accounts[number - PEOPLE].person_id if number >= PEOPLE else None
            accounts.append(await _account(database, tokens, workspace["id"], number, same))
        client = await connect(apart.address, "default", ring)
        intake = Intake(
            database,
            LocalRooms(),
            Workflows(client),
            AuditTrail(ring),
            settings,
            Registry.load([TasksConnector(database)]),
        )
        yield Crowd(accounts, intake, database)
        await intake.aclose()


async def rule(crowd: Crowd) -> None:
    """Deleting a task takes so many owners."""
    ask = {"approvers": {"role": "owner"}, "quorum": QUORUM}
    body = {"rules": [{"name": "many", "when": {"action": "tasks.delete"}, "verdict": "ask", "ask": ask}]}
    who = crowd.accounts[0].principal
    async with crowd.database.writing() as session:
        session.add(
            Policy(
                id=new_id("pol"),
                workspace_id=who.workspace_id,
                version=1,
                body=body,
                created_by=who.user_id,
                created_at=now(),
            )
        )


async def over_rest(url: str, account: Account, approval: dict[str, Any], verdict: str) -> str:
    async with Person(url, account.token) as person:
        answer = await person.decide(approval, verdict, f"r-{account.principal.user_id}")
        return str(answer.json().get("state") or answer.json()["code"])


async def connected(url: str, account: Account) -> socketio.AsyncClient:
    client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    await client.connect(url, auth={"token": account.token}, transports=["websocket"], wait_timeout=60)
    return client


async def over_a_socket(client: socketio.AsyncClient, account: Account, approval: dict[str, Any], verdict: str) -> str:
    body = {"approval_id": approval["id"], "verdict": verdict, "digest": approval["digest"]}
    answer = await client.call("decision.submit", body | {"decision_id": f"s-{account.principal.user_id}"}, timeout=60)
    await client.disconnect()
    return str(answer["data"]["state"] if answer["ok"] else answer["error"]["code"])


async def over_a_chat(intake: Intake, account: Account, approval: dict[str, Any], verdict: str) -> str:
    try:
        decided = await intake.submit_decision(
            account.principal,
            "telegram",
            approval["id"],
            DecisionVerdict(verdict),
            approval["digest"],
            f"t-{account.principal.user_id}",
            None,
        )
    except AssentError as error:
        return error.code
    return decided.state


class TestManyClicks:
    @pytest.mark.parametrize("rejecting", [0, 5])
    async def test_at_once_have_one_outcome_of_as_many_people_and_run_once(
        self, apart: Apart, furnished: Furnished, ledger: Ledger, crowd: Crowd, rejecting: int
    ):
        await rule(crowd)
        async with Person(apart.api.url, furnished.token) as person:
            said = await person.say(furnished.conversation_id, "delete the task Buy milk", wait=30)
            approval = await person.asked()
            answers = await self._click(apart, crowd, approval, rejecting)
            turn = await person.ended(said["turn_id"])
            await until(ledger.is_settled)
            await check_doors(person, furnished.conversation_id, ledger)
        ledger.check()

        (row,) = ledger.rows("SELECT * FROM approvals")
        votes = json.loads(row["votes"])
        person_of = {one.principal.user_id: one.person_id for one in crowd.accounts}
        voters = [person_of[vote["user_id"]] for vote in votes]
        ran = ledger.count("audit WHERE kind = 'call.executed' AND subject = ?", row["tool_call_id"])
        assert len(answers) == ACCOUNTS
        assert turn["state"] == "finished"
        assert row["state"] in ({"approved", "rejected"} if rejecting else {"approved"})
        assert len(set(voters)) == len(voters) <= QUORUM
        assert (len(voters) == QUORUM) == (row["state"] == "approved")
        assert ran == ledger.count("tasks WHERE deleted_at IS NOT NULL") == (row["state"] == "approved")
        ends = ledger.rows(
            "SELECT kind FROM audit WHERE subject = ? AND kind IN ('approval.approved', 'approval.rejected')", row["id"]
        )
        assert len(ends) == 1

    async def _click(self, apart: Apart, crowd: Crowd, approval: dict[str, Any], rejecting: int) -> list[str]:
        sockets = {
            number: await connected(apart.api.url, account)
            for number, account in enumerate(crowd.accounts)
            if number % 3 == 1
        }
        clicks = []
        for number, account in enumerate(crowd.accounts):
            verdict = "reject" if number % 10 == 9 and number // 10 < rejecting else "approve"
            if number % 3 == 0:
                clicks.append(over_rest(apart.api.url, account, approval, verdict))
            elif number in sockets:
                clicks.append(over_a_socket(sockets[number], account, approval, verdict))
            else:
                clicks.append(over_a_chat(crowd.intake, account, approval, verdict))
        clicking = asyncio.gather(*clicks)
        await asyncio.wait([clicking], timeout=0.3)
        await apart.workers[0].kill()
        await apart.add_worker()
        return list(await clicking)
