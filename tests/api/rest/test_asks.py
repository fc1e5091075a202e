"""Outside requests over REST: kept once, seen by who asked, taken once, told once; hostile ones are refused."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from api.asks import NewPreview
from core.clock import now
from core.ids import new_id
from core.messages import ApprovalOutcome
from core.permissions import Role
from core.store import asks, consents
from core.store.work import change
from core.tables.consent import Approval
from core.tables.people import Workspace
from core.tables.records import AuditRow
from core.tables.work import Outbox
from core.values import ApprovalState
from tests.api.rest.house import House, Person

DEPLOY = {"title": "Deploy 4.2?", "action": "deploy.production", "arguments": {"version": "4.2"}, "client_key": "k-1"}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["version"],
    "properties": {"version": {"type": "string"}, "password": {"type": "string", "x-secret": True}},
}


async def ask(person: Person, **more):
    return await person.ask("POST", "/approvals", json=DEPLOY | more)


async def program(house: House, person: Person, *scopes: str):
    made = await person.ask("POST", "/tokens", json={"name": "CI", "scopes": list(scopes)})
    return await house.http(made.json()["secret"])


async def approve(house: House, approval_id: str, state: ApprovalState = ApprovalState.APPROVED) -> str:
    """Close it as its workflow would; gives the digest."""
    async with change(house.database, house.rooms) as work:
        row = await work.session.get_one(Approval, approval_id)
        row.digest = "d" * 64
        outcome = ApprovalOutcome(
            approval_id=row.id, state=state, digest=row.digest, user_id=row.requester_id, at=now()
        )
        await consents.close(work, outcome)
    return "d" * 64


class TestAsking:
    async def test_a_request_is_kept_with_what_starts_its_workflow(self, house, ana):
        made = await ask(ana, risk="destructive", reason="It is Friday.")

        async with house.database.reading() as session:
            row = await session.get_one(Approval, made.json()["id"])
            started = (await session.execute(select(Outbox).where(Outbox.kind == "ask"))).scalar_one()
            told = (await session.execute(select(AuditRow.kind))).scalars().all()
        view = made.json()
        assert made.status_code == 201
        assert (view["state"], view["origin"], view["turn_id"]) == ("requested", "service", None)
        assert (view["title"], view["risk"], view["reason"]) == ("Deploy 4.2?", "destructive", "It is Friday.")
        assert (row.requester_id, row.client_key) == (ana.principal.user_id, "k-1")
        assert started.ref == row.id
        assert "approval.asked" in told

    async def test_sent_twice_it_is_one_and_something_else_under_its_key_is_refused(self, ana, bo):
        first, again = await ask(ana), await ask(ana)
        other = await ask(ana, arguments={"version": "4.3"})
        elsewhere = await ask(bo)

        assert (first.status_code, again.status_code, elsewhere.status_code) == (201, 200, 201)
        assert first.json()["id"] == again.json()["id"] != elsewhere.json()["id"]
        assert (other.status_code, other.json()["reason"]) == (409, "client_key")

    def test_a_key_from_before_costs_could_be_told_still_means_the_same(self):
        assert "cost" not in NewPreview().model_dump()

    async def test_sent_many_times_at_once_it_is_one(self, ana):
        answers = await asyncio.gather(*(ask(ana) for _ in range(12)))

        assert len({one.json()["id"] for one in answers}) == 1
        assert sorted(one.status_code for one in answers) == [200] * 11 + [201]

    async def test_what_nobody_knows_of_is_asked_as_the_gravest(self, ana):
        made = await ask(ana, risk="fun")

        assert made.json()["risk"] == "admin"

    async def test_a_connectors_action_is_what_its_manifest_says(self, ana):
        made = await ask(ana, action="tasks.delete", arguments={"id": "tsk_1"}, risk="read")
        unknown = await ask(ana, action="tasks.explode", client_key="k-2")
        wrong = await ask(ana, action="tasks.delete", arguments={"all": True}, client_key="k-3")

        assert made.json()["risk"] == "destructive"
        assert (unknown.status_code, wrong.status_code) == (422, 422)

    async def test_what_it_costs_is_its_word_too(self, ana):
        made = await ask(ana, preview={"summary": "Deploys", "cost": "12 EUR a month"})
        silent = await ask(ana, preview={"summary": "Deploys", "cost": ""}, client_key="k-2")
        long = await ask(ana, preview={"cost": "x" * 101}, client_key="k-3")

        assert made.json()["preview"]["cost"] == "12 EUR a month"
        assert silent.json()["preview"]["cost"] is None
        assert long.status_code == 422

    async def test_secrets_are_masked(self, ana):
        made = await ask(ana, schema=SCHEMA, arguments={"version": "4.2", "password": "hunter2"})

        assert "hunter2" not in made.text
        assert made.json()["arguments"]["version"] == "4.2"

    async def test_so_many_may_wait(self, house, ana):
        for number in range(house.settings.pending_asks):
            async with house.database.writing() as session:
                session.add(_waiting(ana, number))
        refused = await ask(ana)

        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")

    async def test_a_viewer_asks_nothing(self, house, workspace_id):
        viewer = await house.person(workspace_id, Role.VIEWER)

        assert (await ask(viewer)).status_code == 403

    async def test_a_schema_that_hides_all_arguments_is_refused(self, ana):
        made = await ask(ana, schema={"type": "object", "additionalProperties": False, "x-secret": True})

        assert (made.status_code, "as a whole" in made.json()["detail"]) == (422, True)

    async def test_a_schema_with_an_argument_without_a_name_is_refused(self, ana):
        made = await ask(ana, schema={"type": "object", "additionalProperties": False, "properties": {"": {}}})

        assert (made.status_code, "no name" in made.json()["detail"]) == (422, True)

    async def test_one_odd_row_takes_no_list_away(self, house, ana):
        odd, plain = (await ask(ana)).json()["id"], (await ask(ana, client_key="k-2")).json()["id"]
        async with house.database.writing() as session:
            for one in (odd, plain):
                (await session.get_one(Approval, one)).state = "pending"
            (await session.get_one(Approval, odd)).secrets = [[]]
        shown = {one["id"]: one["arguments"] for one in (await ana.ask("GET", "/approvals")).json()["items"]}

        assert set(shown) == {odd, plain}
        assert set(shown[odd].values()) == {"••••••"}


def _waiting(person: Person, number: int) -> Approval:
    return Approval(
        id=new_id("apr"), origin="service", workspace_id=person.principal.workspace_id,
        requester_id=person.principal.user_id, action="a.b", risk="write", title=str(number), arguments={}, preview={},
        plan={}, bound={}, digest="", state="requested", expires_at=now() + timedelta(hours=1), created_at=now(),
    )  # fmt: skip


class TestScopes:
    async def test_a_token_to_ask_does_nothing_else(self, house, ana):
        http = await program(house, ana, "ask")
        made = await http.post("/api/v1/approvals", json=DEPLOY)
        approval_id = made.json()["id"]
        other = (await ask(await house.person(ana.principal.workspace_id))).json()["id"]

        assert made.status_code == 201
        assert (await http.get(f"/api/v1/approvals/{approval_id}")).status_code == 200
        assert (await http.get(f"/api/v1/approvals/{other}")).status_code == 404
        assert (await http.get("/api/v1/approvals")).status_code == 403
        for inside in ("decisions", "seen", "grant-suggestion"):
            assert (await http.get(f"/api/v1/approvals/{approval_id}/{inside}")).status_code == 403
        decision = {"verdict": "approve", "digest": "d", "decision_id": "1"}
        assert (await http.post(f"/api/v1/approvals/{approval_id}/decision", json=decision)).status_code == 403
        assert (await http.post("/api/v1/conversations", json={})).status_code == 403

    async def test_a_token_without_it_does_not_ask(self, house, ana):
        http = await program(house, ana, "chat", "read", "decide")

        assert (await http.post("/api/v1/approvals", json=DEPLOY)).status_code == 403

    async def test_nobody_else_sees_touches_or_takes_it(self, ana, bo, eve):
        approval_id = (await ask(ana)).json()["id"]
        for person in (bo, eve):
            answers = [
                await person.ask("GET", f"/approvals/{approval_id}"),
                await person.ask("POST", f"/approvals/{approval_id}/withdraw"),
                await person.ask("POST", f"/approvals/{approval_id}/consume", json={"digest": "d"}),
                await person.ask("POST", f"/approvals/{approval_id}/outcome", json={"state": "done"}),
            ]
            assert [one.status_code for one in answers] == [404] * 4


class TestWaiting:
    async def test_the_answer_comes_when_it_is_decided(self, house, ana):
        approval_id = (await ask(ana)).json()["id"]
        waiting = asyncio.create_task(ana.ask("GET", f"/approvals/{approval_id}?wait=30"))
        asking = asyncio.create_task(ana.ask("POST", "/approvals?wait=30", json=DEPLOY))
        await asyncio.sleep(0)
        await approve(house, approval_id)

        assert (await waiting).json()["state"] == "approved"
        assert (await asking).json()["state"] == "approved"

    async def test_or_as_it_stands_then(self, ana):
        answer = await ana.ask("POST", "/approvals?wait=0.01", json=DEPLOY)

        assert answer.json()["state"] == "requested"

    @pytest.mark.parametrize("wait", ["61", "-1", "nan", "inf", "x"])
    async def test_nonsense_is_refused(self, ana, wait):
        assert (await ana.ask("POST", f"/approvals?wait={wait}", json=DEPLOY)).status_code == 422


class TestTaking:
    async def test_it_is_taken_once(self, house, ana):
        made = await ask(ana, schema=SCHEMA, arguments={"version": "4.2", "password": "hunter2"})
        path = f"/approvals/{made.json()['id']}/consume"
        digest = await approve(house, made.json()["id"])
        wrong = await ana.ask("POST", path, json={"digest": "e" * 64})
        answers = await asyncio.gather(*(ana.ask("POST", path, json={"digest": digest}) for _ in range(10)))

        taken = next(one for one in answers if one.status_code == 200)
        assert wrong.json()["code"] == "digest_mismatch"
        assert sorted(one.status_code for one in answers) == [200] + [409] * 9
        assert taken.json()["arguments"] == {"version": "4.2", "password": "hunter2"}
        assert "hunter2" not in json.dumps(taken.json()["approval"])
        assert await kinds(house) >= {"approval.asked", "approval.consumed"}

    async def test_it_is_not_there_for_ever(self, house, ana):
        approval_id = (await ask(ana)).json()["id"]
        digest = await approve(house, approval_id)
        async with house.database.writing() as session:
            row = await session.get_one(Approval, approval_id)
            row.decided_at = now() - asks.HOLDS

        late = await ana.ask("POST", f"/approvals/{approval_id}/consume", json={"digest": digest})

        assert (late.status_code, late.json()["code"]) == (409, "expired")

    async def test_under_one_claim_it_is_one_taking(self, house, ana):
        approval_id = (await ask(ana)).json()["id"]
        digest = await approve(house, approval_id)
        path = f"/approvals/{approval_id}/consume"
        bodies = [{"digest": digest, "claim": claim} for claim in ("one", "one", "two")]

        assert [(await ana.ask("POST", path, json=body)).status_code for body in bodies] == [200, 200, 409]

    @pytest.mark.parametrize("state", [ApprovalState.REJECTED, ApprovalState.EXPIRED, ApprovalState.WITHDRAWN])
    async def test_what_is_not_approved_is_not_taken(self, house, ana, state):
        approval_id = (await ask(ana)).json()["id"]
        early = await ana.ask("POST", f"/approvals/{approval_id}/consume", json={"digest": ""})
        digest = await approve(house, approval_id, state)
        answer = await ana.ask("POST", f"/approvals/{approval_id}/consume", json={"digest": digest})

        assert (early.status_code, answer.status_code, answer.json()["state"]) == (409, 409, state)

    async def test_nothing_begins_in_an_emergency(self, house, ana):
        approval_id = (await ask(ana)).json()["id"]
        digest = await approve(house, approval_id)
        async with house.database.writing() as session:
            (await session.get_one(Workspace, ana.principal.workspace_id)).operation_mode = "emergency"
        answer = await ana.ask("POST", f"/approvals/{approval_id}/consume", json={"digest": digest})

        assert (answer.status_code, answer.json()["reason"]) == (409, "emergency")

    async def test_the_outcome_is_told_once_but_for_unknown(self, house, ana):
        approval_id = (await ask(ana)).json()["id"]
        path = f"/approvals/{approval_id}/outcome"
        digest = await approve(house, approval_id)
        early = await ana.ask("POST", path, json={"state": "done"})
        await ana.ask("POST", f"/approvals/{approval_id}/consume", json={"digest": digest})
        told = [
            await ana.ask("POST", path, json={"state": state, "detail": detail})
            for state, detail in [("unknown", "timeout"), ("done", "It runs."), ("done", "It runs."), ("failed", "")]
        ]

        assert early.status_code == 409
        assert [one.status_code for one in told] == [200, 200, 200, 409]
        assert (await ana.ask("GET", f"/approvals/{approval_id}")).json()["outcome"]["detail"] == "It runs."
        assert "approval.outcome" in await kinds(house)


class TestWithdrawing:
    async def test_what_nobody_was_shown_is_closed_at_once(self, house, ana):
        approval_id = (await ask(ana)).json()["id"]
        first = await ana.ask("POST", f"/approvals/{approval_id}/withdraw")
        again = await ana.ask("POST", f"/approvals/{approval_id}/withdraw")

        assert (first.status_code, first.json()["state"]) == (200, "withdrawn")
        assert again.status_code == 200
        assert "approval.withdrawn" in await kinds(house)

    async def test_what_is_decided_stays_so(self, house, ana):
        approval_id = (await ask(ana)).json()["id"]
        await approve(house, approval_id)

        assert (await ana.ask("POST", f"/approvals/{approval_id}/withdraw")).status_code == 409


async def kinds(house: House) -> set[str]:
    async with house.database.reading() as session:
        return set((await session.execute(select(AuditRow.kind))).scalars())


def nested(depth: int) -> dict:
    inner: dict = {"type": "string"}
    for _ in range(depth):
        inner = {"type": "array", "items": inner}
    return {"type": "object", "additionalProperties": False, "properties": {"a": inner}}


class TestHostile:
    @pytest.mark.parametrize(
        "more",
        [
            {"title": " "},
            {"title": "x" * 201},
            {"title": "\x00"},
            {"action": "deploy"},
            {"action": "Deploy.It"},
            {"action": "a.b\n"},
            {"action": "a." + "b" * 100},
            {"risk": 5},
            {"arguments": []},
            {"arguments": {"n": 2**53 + 1}},
            {"arguments": {"long": "x" * 70_000}},
            {"arguments": {f"a{n}": n for n in range(5_001)}},
            {"schema": {"type": "array"}},
            {"schema": {"type": "object"}},
            {"schema": SCHEMA | {"$ref": "#"}},
            {"schema": SCHEMA | {"allOf": [{}]}},
            {"schema": SCHEMA | {"patternProperties": {"(a+)+$": {}}}},
            {"schema": SCHEMA | {"properties": {"version": {"type": "string", "pattern": "(a+)+$"}}}},
            {"schema": SCHEMA | {"properties": {"version": {"x-resolve": {}}}}},
            {"schema": SCHEMA | {"properties": {f"p{n}": {"type": "string"} for n in range(301)}}},
            {"schema": SCHEMA | {"properties": {"version": {"enum": [f"v{n}" for n in range(101)]}}}},
            {"schema": SCHEMA | {"properties": []}},
            {"schema": SCHEMA | {"properties": {"version": 5}}},
            {"schema": SCHEMA | {"title": "x" * 40_000}},
            {"schema": SCHEMA | {"properties": {"version": {"type": "number", "maximum": 2**60}}}},
            {"schema": nested(40), "arguments": {}},
            {"schema": SCHEMA, "arguments": {}},
            {"schema": SCHEMA, "arguments": {"version": 4}},
            {"expires_in": 0},
            {"expires_in": 15 * 86_400},
            {"preview": {"changes": [{"label": "x"}] * 31}},
            {"preview": {"changes": [{"label": "x", "before": "x" * 3_000}] * 10}},
            {"approvers": {"assurance": "L9"}},
            {"approvers": {"users": ["x"] * 51}},
            {"client_key": ""},
            {"else": 1},
        ],
        ids=repr,
    )
    async def test_it_is_refused_in_words(self, shared_ana, more):
        answer = await ask(shared_ana, **more)

        assert answer.status_code == 422, answer.text
        assert answer.json()["code"] in {"invalid", "bad_arguments"}

    @pytest.mark.parametrize("body", ['{"title": NaN}', '{"title": "\\ud800", "action": "a.b"}', "[1]", "{", '"x"'])
    async def test_what_is_no_request_is_refused(self, shared_ana, body):
        headers = {"content-type": "application/json"}
        answer = await shared_ana.http.post("/api/v1/approvals", content=body, headers=headers)

        assert answer.status_code == 422

    @pytest.mark.parametrize(
        "url",
        [
            "http://169.254.169.254/latest/meta-data",
            "https://169.254.169.254/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://127.0.0.1/",
            "https://user:pass@example.com/",
            "http://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "https://",
            "nonsense",
            "https://example.com:99999/",
            "https://exa mple.com/",
        ],
    )
    async def test_a_callback_goes_nowhere_private(self, shared_ana, url):
        await shared_ana.ask("POST", "/webhooks/callback-secret")
        callback = await ask(shared_ana, callback_url=url)
        webhook = await shared_ana.ask("POST", "/webhooks", json={"url": url})

        assert (callback.status_code, webhook.status_code) == (422, 422)


@pytest.fixture(scope="module")
async def shared_ana(shared: House) -> Person:
    return await shared.person(await shared.workspace(), Role.OWNER)
