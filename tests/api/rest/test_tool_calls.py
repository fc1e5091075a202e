"""Calls of unknown fate through REST: who may say what became of them, and that the first word stands."""

import pytest
from sqlalchemy import select

from core.clock import now
from core.permissions import Role
from core.rooms import LocalRooms
from core.store import calls
from core.store.work import change
from core.tables.records import AuditRow, StoredEvent
from core.tables.work import Intent, ToolCall
from core.values import CallState
from tests.api.rest.house import House, Person


async def unknown(house: House, who: Person) -> str:
    """A call of this person's turn that was sent, and nobody knows more."""
    conversation_id = (await who.ask("POST", "/conversations", json={})).json()["id"]
    said = await who.ask(
        "POST", f"/conversations/{conversation_id}/messages", json={"text": "Hi", "client_message_id": "1"}
    )
    approval = await house.approval(who, said.json()["turn_id"])
    assert approval.tool_call_id is not None
    async with change(house.database, LocalRooms()) as work:
        _, call = await calls.lock(work.session, approval.tool_call_id)
        call.secrets = [["id"]]
        work.session.add(Intent(tool_call_id=call.id, idempotency_key=call.id, attempt=1, created_at=now()))
        await work.session.flush()
        await calls.settle(work, call, CallState.UNKNOWN, detail="The line broke")
    return call.id


async def told(house: House, who: Person) -> list[str]:
    async with house.database.reading() as session:
        statement = select(StoredEvent.type).where(StoredEvent.stream_id == who.principal.membership_id)
        return list((await session.execute(statement.order_by(StoredEvent.seq))).scalars())


async def say(who: Person, call_id: str, outcome: str = "done", **more: str):
    return await who.ask("POST", f"/tool-calls/{call_id}/outcome", json={"outcome": outcome, **more})


class TestOutcome:
    @pytest.mark.parametrize(
        ("outcome", "state", "event"),
        [
            ("done", "done", "tool.finished"),
            ("failed", "failed", "tool.failed"),
            ("not_done", "not run", "tool.failed"),
        ],
    )
    async def test_the_requester_says_it_and_all_who_could_are_told(self, house, ana, bo, outcome, state, event):
        call_id = await unknown(house, bo)

        answer = await say(bo, call_id, outcome, detail="I looked.")

        assert answer.json()["state"] == state
        assert answer.json()["detail"].endswith(": I looked.")
        assert answer.json()["arguments"] == {"id": "••••••"}
        for one in (ana, bo):
            assert (await told(house, one))[-2:] == ["tool.unknown", event]
        async with house.database.reading() as session:
            intent = await session.get_one(Intent, call_id)
            (row,) = (await session.execute(select(AuditRow).where(AuditRow.kind == "call.settled"))).scalars()
        assert (intent.outcome, intent.settled_by) == (state, bo.principal.user_id)
        assert (row.actor, row.subject) == (bo.principal.user_id, call_id)

    async def test_the_first_word_stands(self, house, ana, bo):
        call_id = await unknown(house, bo)

        assert (await say(ana, call_id, "failed")).status_code == 200
        late = await say(bo, call_id, "done")
        again = await say(ana, call_id, "failed")

        assert (late.status_code, late.json()["state"]) == (409, "failed")
        assert again.status_code == 200

    async def test_others_may_not(self, house, workspace_id, bo, eve):
        call_id = await unknown(house, bo)
        cy = await house.person(workspace_id)
        admin = await house.person(workspace_id, Role.ADMIN)

        assert (await say(cy, call_id)).status_code == 404
        assert (await say(eve, call_id)).status_code == 404
        assert (await say(admin, call_id)).status_code == 200

    async def test_a_program_needs_the_scope_decide(self, house, bo):
        call_id = await unknown(house, bo)
        for scopes, status in ((["read", "chat"], 403), (["read", "decide"], 200)):
            made = (await bo.ask("POST", "/tokens", json={"name": "x", "scopes": scopes})).json()
            http = await house.http(made["secret"])
            answer = await http.post(f"/api/v1/tool-calls/{call_id}/outcome", json={"outcome": "done"})

            assert answer.status_code == status, answer.text

    async def test_what_is_not_unknown_cannot_be_settled(self, house, bo):
        call_id = await unknown(house, bo)
        async with house.database.writing() as session:
            (await session.get_one(ToolCall, call_id)).state = CallState.RUNNING

        assert (await say(bo, call_id)).status_code == 409


class TestList:
    async def test_unknown_ones_wait_for_whoever_can_say(self, house, workspace_id, ana, bo, eve):
        call_id = await unknown(house, bo)
        cy = await house.person(workspace_id)

        for one, ids in ((ana, [call_id]), (bo, [call_id]), (cy, []), (eve, [])):
            page = (await one.ask("GET", "/tool-calls", params={"state": "unknown"})).json()
            assert [item["id"] for item in page["items"]] == ids
            assert page["total"] == len(ids)

    async def test_a_page_goes_on_where_it_ended(self, house, bo):
        ids = [await unknown(house, bo) for _ in range(3)]

        first = (await bo.ask("GET", "/tool-calls", params={"limit": 2})).json()
        rest = (await bo.ask("GET", "/tool-calls", params={"limit": 2, "cursor": first["next"]})).json()

        assert [item["id"] for item in [*first["items"], *rest["items"]]] == ids[::-1]
        assert rest["next"] is None
