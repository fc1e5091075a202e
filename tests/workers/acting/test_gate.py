"""The gate fails closed: what is not exactly as it was allowed or approved is not run."""

import asyncio
import hashlib
from dataclasses import replace

import pytest

from core.clock import now
from core.permissions import Role
from core.store import turns
from core.store.work import change
from core.tables.consent import Approval
from core.tables.people import Membership
from core.tables.records import AuditRow
from core.tables.work import Intent, ToolCall
from core.values import ApprovalState, CallState, CallVerdict
from tests.doubles.connector import manifest
from tests.workers.acting.desk import Asked, Desk


async def check_shut(desk: Desk, asked: Asked, why: str, **how: object) -> None:
    """The call is not run, says why, and the refusal is on record."""
    acted = await desk.act(asked, **how)  # type: ignore[arg-type]

    assert acted.state == CallState.NOT_RUN
    state, detail = await desk.state(asked)
    assert (state, why in (detail or "")) == (CallState.NOT_RUN, True), detail
    assert desk.notes.sent == []
    assert (await desk.audited())[-1] == "call.refused"
    assert await desk.world.all(Intent) == []


class TestOpen:
    async def test_an_allowed_call_runs_and_is_recorded(self, desk: Desk):
        asked = await desk.call("add", "milk")

        acted = await desk.act(asked)

        assert acted.state == CallState.DONE
        assert (await desk.world.get(ToolCall, asked.call.id)).result == {"noted": "milk"}
        assert await desk.audited() == ["call.started", "call.executed"]
        assert (await desk.world.get(Intent, asked.call.id)).outcome == CallState.DONE

    async def test_what_came_of_it_is_in_the_trail_by_its_digest_alone(self, desk: Desk):
        asked = await desk.call("add", "milk")
        await desk.act(asked)
        (row,) = await desk.world.all(AuditRow, AuditRow.kind == "call.executed")

        assert row.body["result_digest"] == hashlib.sha256(b'{"noted":"milk"}').hexdigest()
        assert "milk" not in repr(row.body)

    async def test_an_approved_call_runs_and_its_consent_is_used_up(self, desk: Desk):
        asked = await desk.approved("send", "hi")

        acted = await desk.act(asked)

        assert acted.state == CallState.DONE
        assert desk.notes.sent == [("send", {"text": "hi"}, asked.call.id)]
        approval = await desk.world.get(Approval, asked.consent.approval_id)
        assert approval.consumed_at is not None

    async def test_a_second_time_gives_what_stands(self, desk: Desk):
        asked = await desk.approved("send")
        await desk.act(asked)

        again = await desk.act(asked, attempt=2)

        assert again.state == CallState.DONE
        assert len(desk.notes.sent) == 1
        assert await desk.audited() == ["call.started", "call.executed"]

    async def test_twenty_at_once_send_once(self, desk: Desk):
        asked = await desk.approved("send")

        await asyncio.gather(*(desk.act(asked) for _ in range(20)))

        assert len(desk.notes.sent) == 1


class TestShut:
    async def test_without_consent(self, desk: Desk):
        asked = await desk.approved()

        await check_shut(desk, replace(asked, outcome=None), "nobody was asked")

    @pytest.mark.parametrize("state", [ApprovalState.REJECTED, ApprovalState.EXPIRED, ApprovalState.WITHDRAWN])
    async def test_when_the_outcome_is_a_refusal(self, desk: Desk, state: ApprovalState):
        asked = await desk.approved()

        outcome = asked.consent.model_copy(update={"state": state})
        await check_shut(desk, replace(asked, outcome=outcome), "nobody approved it")

    async def test_when_the_arguments_were_changed_after_the_approval(self, desk: Desk):
        asked = await desk.approved()
        await desk.world.alter(ToolCall, asked.call.id, arguments={"text": "something else"})

        await check_shut(desk, asked, "not what was approved")

    async def test_when_the_row_was_changed_together_with_its_digest(self, desk: Desk):
        asked = await desk.approved()
        await desk.world.alter(ToolCall, asked.call.id, arguments={"text": "something else"})
        await desk.world.alter(Approval, asked.consent.approval_id, digest="0" * 64, arguments={"text": "x"})

        await check_shut(desk, asked, "not what was approved")

    async def test_when_the_asker_was_changed_after_the_approval(self, desk: Desk):
        asked = await desk.approved()
        await desk.world.alter(ToolCall, asked.call.id, user_id=desk.owner.user_id)

        await check_shut(desk, asked, "not what was approved")

    async def test_when_the_consent_was_for_another_call(self, desk: Desk):
        given = await desk.approved("send", "same")
        other = await desk.approved("send", "same", turn=given.turn, place=1)

        await check_shut(desk, replace(other, outcome=given.outcome), "nobody was asked")

    async def test_when_another_calls_consent_is_put_in_its_row(self, desk: Desk):
        given = await desk.approved("send", "same")
        other = await desk.call("send", "same", turn=given.turn, place=1)
        await desk.world.alter(Approval, given.consent.approval_id, tool_call_id=other.call.id)

        await check_shut(desk, replace(other, outcome=given.outcome), "not what was approved")

    async def test_when_the_consent_was_used_before(self, desk: Desk):
        asked = await desk.approved()
        await desk.world.alter(Approval, asked.consent.approval_id, consumed_at=now())

        await check_shut(desk, asked, "used before")

    async def test_when_the_row_says_that_it_was_not_approved(self, desk: Desk):
        asked = await desk.approved()
        await desk.world.alter(Approval, asked.consent.approval_id, state=ApprovalState.WITHDRAWN)

        await check_shut(desk, asked, "used before")

    @pytest.mark.parametrize("name", ["add", "send"])
    async def test_when_the_asker_was_disabled(self, desk: Desk, name: str):
        asked = await (desk.call(name) if name == "add" else desk.approved(name))
        await desk.world.alter(Membership, desk.asker.membership_id, disabled_at=now())

        await check_shut(desk, asked, "no longer here")

    async def test_when_the_asker_became_a_viewer(self, desk: Desk):
        asked = await desk.call("add")
        await desk.world.alter(Membership, desk.asker.membership_id, role=Role.VIEWER)

        await check_shut(desk, asked, "stricter")

    async def test_when_the_version_has_changed(self, desk: Desk):
        asked = await desk.call("add")

        await check_shut(desk, asked, "has changed", manifest=manifest(version=2))

    async def test_when_the_arguments_do_not_fit_the_schema(self, desk: Desk):
        asked = await desk.call("add")
        await desk.world.alter(ToolCall, asked.call.id, arguments={"text": 7})

        await check_shut(desk, asked, "text")

    async def test_when_the_action_is_gone(self, desk: Desk):
        asked = await desk.call("add")
        await desk.world.alter(ToolCall, asked.call.id, action="note.fly")

        await check_shut(desk, asked, "no action")

    async def test_when_policy_denied_it(self, desk: Desk):
        asked = await desk.call("add")
        await desk.world.alter(ToolCall, asked.call.id, verdict=CallVerdict.DENY)

        await check_shut(desk, asked, "does not allow")

    async def test_when_the_turn_was_stopped_after_the_approval(self, desk: Desk):
        asked = await desk.approved()
        async with change(desk.world.database, desk.world.rooms) as work:
            await turns.stop(work, desk.asker, asked.turn.id)

        acted = await desk.act(asked)

        assert acted.state == CallState.NOT_RUN
        assert desk.notes.sent == []
        assert (await desk.world.told(desk.conversation_id))[-2:] == ["tool.failed", "turn.stopped"]
