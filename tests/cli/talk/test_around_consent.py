"""Delegating, always allowing and settling on the command line, against the real doors."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select

from cli.talk.approvals import Lasting, decide_approval
from cli.talk.calls import list_calls, settle
from cli.talk.delegations import delegate, list_delegations, revoke_delegation
from cli.talk.grants import list_grants, revoke_grant
from cli.talk.until import parse_until
from core.clock import now
from core.consent import Party, asks
from core.errors import Invalid
from core.permissions import Role
from core.tables.consent import Approval, Decision
from core.tables.work import Intent, ToolCall
from core.values import DecisionVerdict
from tests.api.rest.house import House, Person

FRIDAY = datetime(2026, 3, 6, 10, 0, tzinfo=timezone(timedelta(hours=1)))


@pytest.fixture
async def approval(house: House, ana: Person) -> Approval:
    conversation_id = (await ana.ask("POST", "/conversations", json={})).json()["id"]
    said = {"text": "Hi", "client_message_id": "1"}
    answer = await ana.ask("POST", f"/conversations/{conversation_id}/messages", json=said)
    row = await house.approval(ana, answer.json()["turn_id"])
    plan = asks(Party(requester=True, roles=(Role.OWNER,))).model_copy(update={"may_remember": True})
    async with house.database.writing() as session:
        (await session.get_one(Approval, row.id)).plan = plan.model_dump(mode="json")
    return row


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("friday", datetime(2026, 3, 6, 22, 59, 59, tzinfo=UTC)),
        ("Thu", datetime(2026, 3, 12, 22, 59, 59, tzinfo=UTC)),
        ("tomorrow", datetime(2026, 3, 7, 22, 59, 59, tzinfo=UTC)),
        ("2026-03-10", datetime(2026, 3, 10, 22, 59, 59, tzinfo=UTC)),
        ("2026-03-10T18:00", datetime(2026, 3, 10, 17, 0, tzinfo=UTC)),
        ("2026-03-10T18:00Z", datetime(2026, 3, 10, 18, 0, tzinfo=UTC)),
        ("36h", datetime(2026, 3, 7, 21, 0, tzinfo=UTC)),
        ("2w", datetime(2026, 3, 20, 9, 0, tzinfo=UTC)),
    ],
)
def test_until_is_read_as_people_write_it(text: str, until: datetime):
    assert parse_until(text, FRIDAY) == until


@pytest.mark.parametrize("text", ["", "t", "someday", "2026-13-40", "99x"])
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(Invalid):
        parse_until(text, FRIDAY)


class TestDelegations:
    async def test_made_by_name_listed_and_revoked(self, house, server, screen, ana):
        ben = await house.person(ana.principal.workspace_id)
        made = screen()
        await delegate(
            server, made, ben.principal.name, "3d", risks=["write"], actions=[], note="Away\u202e", instead_of=None
        )
        said = made.out.getvalue()
        delegation_id = said.split()[-1]
        listed = screen()
        await list_delegations(server, listed, everybody=False)
        await revoke_delegation(server, screen(), delegation_id)

        assert f"{ben.principal.name} for {ana.principal.name} until " in said
        assert "Away[U+202E]" in " ".join(listed.out.getvalue().split())
        answer = (await ana.ask("GET", "/delegations")).json()["items"][0]
        assert answer["revoked_by"] == ana.principal.user_id


class TestAlways:
    async def test_the_tightest_is_shown_and_sent(self, house, server, screen, approval):
        house.workflows.answer = "accepted"
        made = screen()
        lasting = Lasting(7, 5)
        code = await decide_approval(
            server, made, approval.id, DecisionVerdict.APPROVE, None, sure=True, lasting=lasting
        )

        assert code == 0
        assert 'id is exactly "tsk_1"' in made.notices.getvalue()
        assert "for 7 days, 5 times at most" in made.notices.getvalue()
        async with house.database.reading() as session:
            (decision,) = (await session.execute(select(Decision))).scalars().all()
        assert decision.remember == {
            "patterns": {"id": {"kind": "exact", "value": "tsk_1"}},
            "seconds": 7 * 86_400,
            "uses": 5,
        }

    async def test_grants_are_listed_and_revoked(self, house, server, screen, ana):
        grant = await house.grant(ana)
        listed = screen()
        await list_grants(server, listed, everybody=False)
        await revoke_grant(server, screen(), grant.id)

        assert 'id is exactly "tsk_1"' in " ".join(listed.out.getvalue().split())
        assert (await ana.ask("GET", "/grants")).json()["items"][0]["revoked_at"] is not None


class TestCalls:
    async def test_an_unknown_one_is_listed_and_settled(self, house, server, screen, approval):
        async with house.database.writing() as session:
            call = await session.get_one(ToolCall, approval.tool_call_id)
            call.state = "unknown"
            session.add(Intent(tool_call_id=call.id, idempotency_key=call.id, attempt=1, created_at=now()))
        listed = screen()
        await list_calls(server, listed, unknown=True, limit=50)
        shown = listed.out.getvalue()
        settled = screen()
        await settle(server, settled, approval.tool_call_id, "not_done", "I looked")

        assert approval.tool_call_id[:12] in shown
        assert "tasks.delete: not run. " in settled.out.getvalue()
        assert settled.out.getvalue().rstrip().endswith("says that it was not done: I looked")
