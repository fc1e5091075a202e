"""assent_client against the real doors: what it asks, how it waits, what it raises, what guarded functions run with."""

import ast
import asyncio
import base64
import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from standardwebhooks.webhooks import Webhook

from assent_client import (
    AlreadyUsed,
    Approvers,
    Assent,
    AssentError,
    AsyncAssent,
    Expired,
    Preview,
    Rejected,
    Secret,
    ServerError,
    StillPending,
    Unreachable,
    WebhookInvalid,
    Withdrawn,
    requires_approval,
    verify_webhook,
)
from assent_client.schemas import schema_of
from connectors.outside import check_outside
from core.signatures import headers_of, new_webhook_secret
from core.values import ApprovalState
from tests.clients.conftest import People

ROOT = Path(__file__).resolve().parents[2]


class TestAsync:
    async def test_it_asks_waits_takes_and_tells(self, later: AsyncAssent):
        asked = await later.ask(
            "Deploy?", action="deploy.app", arguments={"version": "4.2"},
            preview=Preview(summary="Deploys 4.2", cost="2 EUR"),
            approvers=Approvers(exclude_requester=True), expires_in=60, reason="Because.",
        )  # fmt: skip
        approved = await later.wait(asked.id, 30)
        taken = await later.consume(approved)
        told = await later.report(asked.id, "done", "It runs.")

        assert (asked.state, approved.is_approved) == ("requested", True)
        assert taken.arguments == {"version": "4.2"}
        assert told.consumed_at is not None
        shown = (await later.get(asked.id)).preview
        assert (shown.summary, shown.cost) == ("Deploys 4.2", "2 EUR")
        with pytest.raises(AlreadyUsed):
            await later.consume(approved)

    @pytest.mark.parametrize(
        ("state", "kind"), [("rejected", Rejected), ("expired", Expired), ("withdrawn", Withdrawn), ("void", Withdrawn)]
    )
    async def test_a_no_is_an_error_with_all_of_it(self, later: AsyncAssent, people: People, state, kind):
        people.say = ApprovalState(state)
        asked = await later.ask("Deploy?", action="deploy.app")
        with pytest.raises(kind) as refused:
            await later.wait(asked.id, 30)

        assert refused.value.approval.id == asked.id

    async def test_patience_ends(self, later: AsyncAssent, people: People):
        people.say = None
        asked = await later.ask("Deploy?", action="deploy.app")
        with pytest.raises(StillPending):
            await later.wait(asked.id, 0.05)

        assert (await later.withdraw(asked.id)).state == "withdrawn"

    async def test_under_one_key_it_is_one_request(self, later: AsyncAssent):
        first, again = [await later.ask("Deploy?", action="deploy.app", client_key="k") for _ in range(2)]
        with pytest.raises(ServerError, match="conflict") as refused:
            await later.ask("Something else?", action="deploy.app", client_key="k")

        assert (first.id, refused.value.status) == (again.id, 409)

    async def test_a_guarded_function_runs_with_what_was_approved(self, later: AsyncAssent, people: People):
        people.edit = {"amount": 10, "on": "2026-12-01"}
        ran = []

        @requires_approval(later, action="billing.refund", risk="money", title="Refund {amount} to {who}", timeout=30)
        async def refund(who: str, amount: int, *, on: date = date(2026, 11, 1)) -> str:
            """Pays back."""
            ran.append((who, amount, on))
            return "paid"

        assert await refund("Ana", 240) == "paid"
        assert ran == [("Ana", 10, date(2026, 12, 1))]
        assert refund.__doc__ == "Pays back."

    async def test_it_never_runs_without_consent(self, later: AsyncAssent, people: People):
        people.say = ApprovalState.REJECTED
        ran = []

        @requires_approval(later, action="a.b", timeout=30)
        async def act(what: str) -> None:
            ran.append(what)

        with pytest.raises(Rejected):
            await act("x")
        assert ran == []

    async def test_a_repeated_call_under_its_key_runs_once(self, later: AsyncAssent):
        ran = []

        @requires_approval(later, action="a.b", timeout=30, key=lambda what: f"act-{what}")
        async def act(what: str) -> None:
            ran.append(what)

        await act("x")
        with pytest.raises(AlreadyUsed):
            await act("x")
        assert ran == ["x"]

    async def test_its_error_is_told_and_raised(self, later: AsyncAssent, house):
        @requires_approval(later, action="a.b", timeout=30, key=lambda: "k")
        async def act() -> None:
            raise KeyError("secret text")

        with pytest.raises(KeyError):
            await act()
        asked = await later.ask("Act", action="a.b", client_key="k", schema=schema_of(act))
        raw = await later._http.get(f"http://assent.test/api/v1/approvals/{asked.id}", headers=later._headers)

        assert (raw.json()["outcome"]["state"], raw.json()["outcome"]["detail"]) == ("failed", "KeyError")

    async def test_secrets_are_shown_to_nobody_and_come_back(self, later: AsyncAssent, house):
        seen = []

        @requires_approval(
            later, action="a.b", timeout=30, title="Sign in as {user} with {password}", key=lambda **_: "k"
        )
        async def sign_in(user: str, password: Annotated[str, Secret()]) -> None:
            seen.append(password)

        await sign_in("ana", "hunter2")
        rows = await later._http.get("http://assent.test/api/v1/health")

        assert seen == ["hunter2"]
        assert rows.status_code == 200


class TestSync:
    async def test_it_asks_waits_and_runs(self, client: Assent, people: People):
        people.edit = {"amount": 10}

        class Till:
            paid = 0.0

            @requires_approval(client, action="billing.refund", timeout=30)
            def refund(self, who: str, amount: float) -> str:
                self.paid += amount
                return who

        till = Till()
        assert await asyncio.to_thread(till.refund, "Ana", amount=240.0) == "Ana"
        assert till.paid == 10

    async def test_a_server_that_is_away_is_waited_for(self, client: Assent, people: People):
        people.away = 2
        asked = await asyncio.to_thread(client.ask, "Deploy?", action="deploy.app")
        people.away = 1
        found = await asyncio.to_thread(client.wait, asked.id, 30)

        assert found.is_approved

    async def test_but_not_for_ever(self, client: Assent, people: People):
        people.away, people.say = 10**6, None
        client._retry_seconds = 0.1
        with pytest.raises(Unreachable):
            await asyncio.to_thread(client.get, "apr_1")


class TestArguments:
    def test_a_wrong_client_or_an_open_signature_is_refused_at_once(self):
        with Assent(token="t") as client:
            guard = requires_approval(client, action="a.b")
            for function in (_waits, _takes_anything, _hides_what_it_cannot_show):
                with pytest.raises(TypeError):
                    guard(function)

    def test_schemas_are_those_that_the_server_takes(self):
        def act(
            a: str, b: int | None, c: list[str], d: dict[str, int], e: Literal["x", "y"] = "x", *, f: bool = False
        ) -> None: ...

        schema = schema_of(act)
        assert schema is not None
        assert check_outside(schema)["required"] == ["a", "b", "c", "d"]
        assert schema_of(lambda x: x) is None

    def test_without_a_token_nothing_is_made(self, monkeypatch):
        monkeypatch.delenv("ASSENT_TOKEN", raising=False)
        with pytest.raises(AssentError):
            Assent()

    def test_nothing_of_it_shows_the_token(self):
        with Assent(token="ast_secret") as client:
            assert "ast_secret" not in repr(client)


async def _waits() -> None: ...


def _takes_anything(*args: Any) -> None: ...


def _hides_what_it_cannot_show(secret: Annotated[str, Secret()], other: object) -> None: ...


class TestWebhooks:
    BODY = json.dumps({"type": "approval.closed", "timestamp": "2026-11-21T10:00:00Z", "data": {}}).encode()

    def test_ours_and_the_standards_library_agree(self):
        secret, at = new_webhook_secret(), datetime.now(UTC)
        headers = dict(headers_of(secret, "msg_1", at, self.BODY))

        assert Webhook(secret).verify(self.BODY, headers)["type"] == "approval.closed"
        assert Webhook(secret).sign("msg_1", at, self.BODY.decode()) == headers["webhook-signature"]
        assert verify_webhook(headers, self.BODY, secret).id == "msg_1"
        upper = {name.upper(): value for name, value in headers.items()}
        assert verify_webhook(upper, self.BODY, secret).type == "approval.closed"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"webhook-signature": "v1"},
            {"webhook-signature": "v1,a,b"},
            {"webhook-signature": "v1,\u00e9"},
            {"webhook-signature": ""},
            {"webhook-signature": "v1a,abc"},
            {"webhook-signature": "v1," + base64.b64encode(b"x" * 32).decode()},
            {"webhook-timestamp": "nan"},
            {"webhook-timestamp": "9" * 400},
            {"webhook-timestamp": "1"},
            {"webhook-id": "msg_2"},
        ],
        ids=repr,
    )
    def test_whatever_is_wrong_is_one_error(self, wrong):
        secret = new_webhook_secret()
        headers = dict(headers_of(secret, "msg_1", datetime.now(UTC), self.BODY))
        with pytest.raises(WebhookInvalid):
            verify_webhook(headers | wrong, self.BODY, secret)

    def test_nor_a_changed_body_nor_another_secret_nor_what_is_missing(self):
        secret = new_webhook_secret()
        headers = dict(headers_of(secret, "msg_1", datetime.now(UTC), self.BODY))
        odd = b"\xff\xfe"
        odd_headers = dict(headers_of(secret, "msg_1", datetime.now(UTC), odd))
        for given, body, key in (
            (headers, self.BODY + b" ", secret), (headers, self.BODY, new_webhook_secret()), ({}, self.BODY, secret),
            (headers, self.BODY, "whsec_"), (headers, self.BODY, "whsec_!"), (odd_headers, odd, secret),
        ):  # fmt: skip
            with pytest.raises(WebhookInvalid):
                verify_webhook(given, body, key)


class TestPackage:
    FILES = sorted((ROOT / "clients" / "python" / "assent_client").glob("*.py"))

    @pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
    def test_it_stands_alone(self, file: Path):
        known = set(sys.stdlib_module_names) | {"httpx", "pydantic", "pydantic_core", "assent_client"}
        tree = ast.parse(file.read_text("utf-8"))
        named = [one.module or "" for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)]
        named += [name.name for one in ast.walk(tree) if isinstance(one, ast.Import) for name in one.names]

        assert {name.partition(".")[0] for name in named} <= known

    def test_nothing_of_the_product_stands_on_it(self):
        folders = ("core", "workflows", "connectors", "workers", "api", "cli")
        files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]

        assert [str(file) for file in files if "assent_client" in file.read_text("utf-8")] == []

    async def test_the_readme_runs(self, client: Assent, people: People, monkeypatch, capsys):
        text = (ROOT / "clients" / "python" / "README.md").read_text("utf-8")
        examples = [part.split("```")[0] for part in text.split("```python\n")[1:]]
        monkeypatch.setattr("assent_client.Assent", lambda: client)
        names: dict[str, Any] = {}
        for example in examples:
            await asyncio.to_thread(exec, example, names)
        secret = new_webhook_secret()
        headers = dict(headers_of(secret, "msg_1", datetime.now(UTC), TestWebhooks.BODY))

        assert len(examples) == 3
        assert {"240.00 EUR to Ana", "deploying 4.2"} <= set(capsys.readouterr().out.splitlines())
        assert names["on_webhook"](headers, TestWebhooks.BODY, secret) == 204
        assert names["on_webhook"]({}, TestWebhooks.BODY, secret) == 401
