"""Assent as an MCP server, by the SDK's own client over HTTP and over the command line's stdio."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.doubles.packages import ROOT, install
from tests.journeys.person import Person
from tests.journeys.product import Product, environment

pytestmark = [pytest.mark.journey, pytest.mark.server]
SCOPES = ["read", "chat", "ask"]


async def token(owner: Person, *scopes: str) -> str:
    made = await owner.post("/tokens", {"name": "agent", "scopes": list(scopes or SCOPES)})
    return str(made["secret"])


@asynccontextmanager
async def agent(url: str, secret: str) -> AsyncIterator[Client]:
    """An MCP client that knows a token."""
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http:
        async with Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client:
            yield client


async def call(client: Client, name: str, **arguments: Any) -> dict[str, Any]:
    found = await client.call_tool(name, arguments)
    assert isinstance(found.structured_content, dict), found
    return found.structured_content


class TestTools:
    async def test_are_what_the_token_may_use(self, product: Product, owner: Person):
        async with (
            agent(product.url, await token(owner)) as whole,
            agent(product.url, await token(owner, "read")) as shy,
        ):
            offered = {tool.name for tool in (await whole.list_tools()).tools}
            little = {tool.name for tool in (await shy.list_tools()).tools}
            with pytest.raises(MCPError, match="no such tool"):
                await shy.call_tool("tasks__add", {"title": "Buy milk"})

        assert {"request_approval", "ask_human", "approval_status", "call_status"} <= offered
        assert {"tasks__add", "tasks__delete", "files__read"} <= offered
        assert little == {"approval_status"}

    async def test_nobody_without_a_token_gets_in(self, product: Product, owner: Person):
        async with httpx2.AsyncClient(trust_env=False) as http:
            nobody = await http.post(f"{product.url}/mcp", json={})
            forged = await http.post(f"{product.url}/mcp", json={}, headers={"Authorization": "Bearer ast_no"})
            origin = {"Authorization": f"Bearer {await token(owner)}", "Origin": "https://evil.example"}
            page = await http.post(f"{product.url}/mcp", json={}, headers=origin)

        assert [one.status_code for one in (nobody, forged, page)] == [401, 401, 403]


class TestActions:
    async def test_an_allowed_action_is_done_at_once_and_audited(self, product: Product, owner: Person):
        async with agent(product.url, await token(owner)) as client:
            done = await call(client, "tasks__add", title="Buy milk")
            wrong = await client.call_tool("tasks__add", {"title": 5})

        assert (done["state"], done["result"]["title"]) == ("done", "Buy milk")
        assert wrong.is_error
        kinds = [row["kind"] for row in (await owner.get("/audit?limit=100"))["items"]]
        assert "call.executed" in kinds

    async def test_a_call_that_waits_survives_clients_and_the_server(self, product: Product, owner: Person):
        """The client goes away, the server is killed; who calls again joins the call, which runs once."""
        secret = await token(owner)
        async with agent(product.url, secret) as client:
            task = (await call(client, "tasks__add", title="Buy milk"))["result"]["id"]
        lost = asyncio.create_task(_call_once(product.url, secret, "tasks__delete", id=task))
        asked = await owner.asked()
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)
        await product.kill()
        await product.start()
        owner.move(product.url)

        again = asyncio.create_task(_call_once(product.url, secret, "tasks__delete", id=task))
        await owner.decide(await owner.asked())
        told = await again

        assert told["state"] == "done"
        assert told["approval_id"] == asked["id"]
        assert len((await owner.get("/approvals"))["items"]) == 1

    async def test_a_rejected_call_says_why(self, product: Product, owner: Person):
        secret = await token(owner)
        async with agent(product.url, secret) as client:
            task = (await call(client, "tasks__add", title="Buy milk"))["result"]["id"]
        asking = asyncio.create_task(_call_once(product.url, secret, "tasks__delete", id=task))
        await owner.decide(await owner.asked(), "reject")

        assert (await asking)["state"] == "rejected"


class TestConsent:
    async def test_is_asked_and_edited_and_the_agent_told(self, product: Product, owner: Person):
        secret = await token(owner)
        asking = asyncio.create_task(
            _call_once(
                product.url,
                secret,
                "request_approval",
                title="Deploy 4.2?",
                action="deploy.production",
                arguments={"version": "4.2"},
                risk="destructive",
            )
        )
        asked = await owner.asked()
        await owner.decide(asked)
        told = await asking

        assert (asked["title"], asked["origin"]) == ("Deploy 4.2?", "service")
        assert (told["state"], told["arguments"], told["decided_by"]) == ("approved", {"version": "4.2"}, "Ana")

    async def test_the_same_words_join_while_it_is_open_and_ask_anew_afterwards(self, product: Product, owner: Person):
        words = {"title": "Deploy?", "action": "deploy.x", "risk": "destructive", "wait_seconds": 0}
        async with agent(product.url, await token(owner)) as client:
            first = await call(client, "request_approval", **words)
            second = await call(client, "request_approval", **words)
            await owner.decide(await owner.asked(), "reject")
            told = await call(client, "approval_status", approval_id=first["approval_id"], wait_seconds=30)
            third = await call(client, "request_approval", **words)

        assert first["approval_id"] == second["approval_id"] != third["approval_id"]
        assert told["state"] == "rejected"

    async def test_a_question_is_answered_by_a_person(self, product: Product, owner: Person):
        secret = await token(owner)
        asking = asyncio.create_task(
            _call_once(product.url, secret, "ask_human", question="Which colour?", choices=["red", "blue"])
        )
        asked = await owner.asked()
        answer = {
            "verdict": "approve", "digest": asked["digest"], "decision_id": "d-9",
            "arguments": {"question": "Which colour?", "answer": "blue"},
        }  # fmt: skip
        await owner.post(f"/approvals/{asked['id']}/decision", answer)

        assert (await asking)["answer"] == "blue"

    async def test_nobody_sees_anothers_request(self, product: Product, owner: Person):
        async with agent(product.url, await token(owner)) as client:
            found = await client.call_tool("approval_status", {"approval_id": "apr_" + "0" * 26, "wait_seconds": 0})

        assert found.is_error
        assert found.structured_content["error"] == "not_found"


class TestAnotherClient:
    async def test_lists_and_calls(self, product: Product, owner: Person):
        home = await asyncio.to_thread(install, ROOT / "tests" / "doubles" / "mcp_client")
        words = (f"{product.url}/mcp", await token(owner), "tasks__add", '{"title": "Buy milk"}')
        process = await asyncio.create_subprocess_exec(
            home / "node" / "node", home / "client.mjs", *words, stdout=PIPE, stderr=PIPE
        )
        out, complaint = await process.communicate()

        assert process.returncode == 0, complaint
        told = json.loads(out)
        assert {"request_approval", "tasks__add"} <= set(told["names"])
        assert told["result"]["structuredContent"]["state"] == "done"


class TestStdio:
    async def test_the_command_line_serves_the_same_tools(self, product: Product, owner: Person):
        known = environment(ASSENT_URL=product.url, ASSENT_TOKEN=await token(owner))
        command = StdioServerParameters(
            command=sys.executable, args=["-c", "from cli.main import main; main()", "mcp"], env=known
        )
        async with Client(command) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            done = await call(client, "tasks__add", title="Buy milk")

        assert {"request_approval", "tasks__add"} <= names
        assert done["state"] == "done"


async def _call_once(url: str, secret: str, name: str, **arguments: Any) -> dict[str, Any]:
    async with agent(url, secret) as client:
        return await call(client, name, **arguments)
