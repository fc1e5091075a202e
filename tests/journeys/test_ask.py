"""A script asks for consent: it waits in a process of its own while the product is killed, and its exit code tells."""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
from aiohttp import web

from assent_client import verify_webhook
from tests.journeys.person import LIMIT, Person, until
from tests.journeys.product import ASSENT, Product, environment
from tests.journeys.terminal import Terminal

pytestmark = [pytest.mark.journey, pytest.mark.server]


async def token_of(owner: Person, *scopes: str) -> str:
    made = await owner.post("/tokens", {"name": "CI", "scopes": list(scopes or ("ask",))})
    return str(made["secret"])


async def launch(folder: Path, url: str, token: str, *arguments: str) -> Process:
    """`assent ask` with its own empty folder of credentials, as CI runs it."""
    variables = environment(ASSENT_CLIENT_DIR=str(folder / "ci"), ASSENT_URL=url, ASSENT_TOKEN=token)
    return await asyncio.create_subprocess_exec(
        *(*ASSENT, "ask", *arguments), stdin=PIPE, stdout=PIPE, stderr=PIPE, env=variables
    )


async def ended(process: Process) -> tuple[int | None, str, str]:
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert "Traceback" not in err.decode(), err.decode()
    return process.returncode, out.decode(), err.decode()


class TestAsk:
    async def test_it_waits_through_a_power_cut(self, product: Product, owner: Person, tmp_path: Path):
        token = await token_of(owner)
        port = product.url.rpartition(":")[2]
        asking = await launch(
            tmp_path, product.url, token, "Deploy 4.2?", "--action", "deploy.production", "--arg", "version=4.2",
            "--arg", "hosts:=3", "--risk", "destructive", "--wait", "--json",
        )  # fmt: skip
        approval = await owner.asked()
        await product.kill()
        await product.start("--port", port)
        decided = await owner.decide(approval)
        code, out, err = await ended(asking)
        kept = await owner.get(f"/approvals/{approval['id']}")

        assert (approval["title"], approval["arguments"]) == ("Deploy 4.2?", {"version": "4.2", "hosts": 3})
        assert decided.status_code == 200
        assert code == 0, err
        assert json.loads(out)["verdict"] == "approved"
        assert kept["consumed_at"] is not None
        assert (await owner.get("/audit/verify"))["intact"] is True

    @pytest.mark.parametrize("point", ["ask.prepared", "approval.opened"])
    async def test_a_service_is_heard_though_the_server_dies_over_it(self, fresh: Product, tmp_path: Path, point: str):
        await fresh.start(ASSENT_FAULT_POINT=point)
        port = fresh.url.rpartition(":")[2]
        async with Person(fresh.url) as owner:
            await owner.set_up(fresh.code)
            service = await owner.post("/services", {"name": "deploy bot"})
            key = (await owner.post(f"/services/{service['id']}/keys", {"name": "CI", "scopes": ["ask"]}))["secret"]
            asking = await launch(tmp_path, fresh.url, key, "Deploy?", "--wait")
            assert await fresh.died() == -9
            await fresh.start("--port", port)
            approval = await owner.asked()
            assert (await owner.decide(approval)).status_code == 200
            code, out, _ = await ended(asking)
            events = [row["kind"] for row in (await owner.get("/audit?subject=" + approval["id"]))["items"]]

        assert (code, out.split()[0]) == (0, "Approved")
        assert approval["requester_name"] == "deploy bot"
        assert sorted(events) == sorted(set(events))
        assert {"approval.asked", "approval.requested", "approval.approved", "approval.consumed"} <= set(events)

    async def test_the_end_is_told_to_the_callback_though_the_product_died(self, fresh: Product):
        heard: list[tuple[dict[str, str], bytes]] = []

        async def hear(request: web.Request) -> web.Response:
            heard.append((dict(request.headers), await request.read()))
            return web.Response(status=500 if len(heard) == 1 else 204)

        application = web.Application()
        application.router.add_post("/done", hear)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host = f"127.0.0.1:{runner.addresses[0][1]}"
        await fresh.start(ASSENT_WEBHOOK_HOSTS=host)
        async with Person(fresh.url) as owner:
            await owner.set_up(fresh.code)
            secret = (await owner.post("/webhooks/callback-secret"))["secret"]
            await owner.post("/approvals", {"title": "Go?", "action": "a.go", "callback_url": f"http://{host}/done"})
            approval = await owner.asked()
            await fresh.kill()
            await fresh.start(ASSENT_WEBHOOK_HOSTS=host)
            owner.move(fresh.url)
            assert (await owner.decide(approval)).status_code == 200

            async def told() -> bool:
                return len(heard) > 1

            assert await until(told)
        await runner.cleanup()
        event = verify_webhook(*heard[1], secret)

        assert event.approval is not None
        assert (event.type, event.approval.state, event.approval.id) == ("approval.closed", "approved", approval["id"])
        assert heard[0][0]["webhook-id"] == event.id

    async def test_the_exit_code_is_the_verdict(self, product: Product, owner: Person, tmp_path: Path):
        token = await token_of(owner)

        async def run(*arguments: str) -> int | None:
            return (await ended(await launch(tmp_path, product.url, token, *arguments)))[0]

        rejected = await launch(tmp_path, product.url, token, "Rejected?", "--wait")
        assert (await owner.decide(await owner.asked(), "reject")).status_code == 200
        assert (await ended(rejected))[0] == 1

        assert await run("Expired?", "--wait", "--expires", "1s") == 3
        assert await run("Later?", "--key", "k-1") == 4
        assert await run("Later?", "--key", "k-1", "--wait", "--timeout", "1s") == 4
        assert await run("Something else?", "--key", "k-1") == 2
        later = await owner.asked()
        assert (await owner.decide(later, decision_id="d-2")).status_code == 200
        assert await run("Later?", "--key", "k-1", "--wait") == 0
        assert await run("Later?", "--key", "k-1", "--wait") == 6
        assert await run("Reads only", "--risk", "read", "--wait") == 0
        assert await run("Wrong", "--arg", "x") == 2
        assert await run("Wrong", "--expires", "soon") == 2
        assert await run("Wrong", "--arg", "x:=NaN") == 2
        token = "ast_nobody"
        assert await run("Wrong token", "--wait") == 2
        assert (await ended(await launch(tmp_path, "http://127.0.0.1:1", token, "Away", "--wait", "--timeout", "1s")))[
            0
        ] == 5

    async def test_who_signed_in_asks_without_a_token(self, product: Product, owner: Person, terminal: Terminal):
        await terminal.login(product.url)
        ran = await terminal.run("ask", "Delete all?", "--reason", "It is old.", "--json")
        shown = await until(owner.pending)

        assert ran.code == 4
        assert json.loads(ran.out)["approval"]["id"] == shown[0]["id"]
        assert shown[0]["reason"] == "It is old."
