"""Consent that holds no more when it is used is void: nothing runs, and people are asked again, not for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from core.clock import now
from core.messages import Acted, ApprovalOutcome
from core.permissions import Role
from core.store import turns
from core.store.work import change
from core.tables.connect import Connection
from core.tables.consent import Approval
from core.tables.people import Membership, User
from core.tables.records import AuditRow
from core.tables.work import Intent, ToolCall
from core.values import ApprovalState, CallState, CallVerdict
from tests.doubles.connector import SCHEMA, manifest
from tests.workers.acting.desk import Asked, Desk


async def disable(desk: Desk) -> None:
    await desk.world.alter(User, desk.owner.user_id, disabled_at=now())


async def leave(desk: Desk) -> None:
    await desk.world.alter(Membership, desk.owner.membership_id, disabled_at=now())


async def lose_the_role(desk: Desk) -> None:
    await desk.world.alter(Membership, desk.owner.membership_id, role=Role.MEMBER)


async def renewals(desk: Desk, asked: Asked) -> list[Approval]:
    """The requests for one call, oldest first."""
    rows = await desk.world.all(Approval, Approval.tool_call_id == asked.call.id)
    return sorted(rows, key=lambda row: row.generation)


async def check_asked_again(desk: Desk, asked: Asked, acted: Acted, why: str) -> Approval:
    """Nothing ran; the old request is void, a new one waits to be shown, and both are on record."""
    old, new = await renewals(desk, asked)
    assert acted.again is not None
    assert (acted.state, acted.again.approval_id, acted.again.digest) == (CallState.AWAITING, new.id, new.digest)
    assert (old.state, old.consumed_at, new.state) == (ApprovalState.VOID, None, ApprovalState.REQUESTED)
    assert new.digest != old.digest
    assert why in new.preview["warnings"][0]
    assert desk.notes.sent == []
    assert await desk.world.all(Intent) == []
    assert (await desk.audited())[-1] == "approval.void"
    assert (await desk.world.told(desk.conversation_id))[-2:] == ["approval.closed", "tool.proposed"]
    return new


async def approve(desk: Desk, asked: Asked, again: Approval) -> Asked:
    """The owner approves the new request as well."""
    await desk.world.alter(Approval, again.id, state=ApprovalState.APPROVED, decided_by=desk.owner.user_id)
    given = asked.consent.model_copy(update={"approval_id": again.id, "digest": again.digest})
    return replace(asked, outcome=given)


class TestVoid:
    @pytest.mark.parametrize("lose", [disable, leave, lose_the_role], ids=lambda one: one.__name__)
    async def test_when_who_approved_may_no_longer_do_so(self, desk: Desk, lose: Callable[[Desk], Awaitable[None]]):
        asked = await desk.approved()
        await lose(desk)

        await check_asked_again(desk, asked, await desk.act(asked), "may no longer do so")

    async def test_when_nobody_is_behind_the_approval(self, desk: Desk):
        asked = await desk.approved()
        nobody = replace(asked, outcome=asked.consent.model_copy(update={"user_id": None}))

        await check_asked_again(desk, asked, await desk.act(nobody), "may no longer do so")

    async def test_when_the_schema_changed_and_the_arguments_still_fit_it(self, desk: Desk):
        asked = await desk.approved()

        acted = await desk.act(asked, manifest=manifest(SCHEMA | {"required": []}))

        new = await check_asked_again(desk, asked, acted, "has changed")
        call = await desk.world.get(ToolCall, asked.call.id)
        assert call.schema_digest != asked.call.schema_digest
        assert new.bound["schema_digest"] == call.schema_digest

    async def test_when_the_connection_was_removed(self, desk: Desk):
        asked = await desk.approved("send", connection_id="con_1")
        row = Connection(
            id="con_1",
            workspace_id=desk.asker.workspace_id,
            connector="note",
            label="x",
            created_at=now(),
            removed_at=now(),
        )
        await desk.world.add(row)

        await check_asked_again(desk, asked, await desk.act(asked), "connection")

    async def test_runs_once_the_new_request_is_approved(self, desk: Desk):
        asked = await desk.approved("send", "hi")
        changed = manifest(SCHEMA | {"required": []})
        await desk.act(asked, manifest=changed)
        again = await approve(desk, asked, (await renewals(desk, asked))[-1])

        acted = await desk.act(again)

        assert (acted.state, acted.again) == (CallState.DONE, None)
        assert desk.notes.sent == [("send", {"text": "hi"}, asked.call.id)]

    async def test_is_not_what_the_void_consent_lets_run(self, desk: Desk):
        asked = await desk.approved()
        await lose_the_role(desk)
        await desk.act(asked)
        await desk.world.alter(Membership, desk.owner.membership_id, role=Role.OWNER)

        acted = await desk.act(asked, attempt=2)

        assert acted.again is not None
        assert desk.notes.sent == []

    async def test_is_asked_once_however_often_the_step_is_tried(self, desk: Desk):
        asked = await desk.approved()
        await disable(desk)

        answers = await asyncio.gather(*(desk.act(asked, attempt=number + 1) for number in range(8)))

        assert len(await renewals(desk, asked)) == 2
        assert len({one.again.approval_id for one in answers if one.again}) == 1
        assert all(one.again for one in answers)
        assert (await desk.audited()).count("approval.void") == 1

    async def test_is_asked_three_times_at_most(self, desk: Desk):
        asked = await desk.approved()
        await disable(desk)
        given = asked
        for _ in range(2):
            await desk.act(given)
            given = await approve(desk, asked, (await renewals(desk, asked))[-1])

        acted = await desk.act(given)

        assert (acted.state, acted.again) == (CallState.NOT_RUN, None)
        assert "asked 3 times" in ((await desk.state(asked))[1] or "")
        assert len(await renewals(desk, asked)) == 3

    async def test_is_not_asked_again_once_the_turn_is_stopped(self, desk: Desk):
        asked = await desk.approved()
        await disable(desk)
        async with change(desk.world.database, desk.world.rooms) as work:
            await turns.stop(work, desk.asker, asked.turn.id)

        acted = await desk.act(asked)

        assert (acted.state, acted.again) == (CallState.NOT_RUN, None)
        assert len(await renewals(desk, asked)) == 1

    async def test_is_withdrawn_with_its_turn_before_it_is_shown(self, desk: Desk):
        asked = await desk.approved()
        await disable(desk)
        await desk.act(asked)
        async with change(desk.world.database, desk.world.rooms) as work:
            await turns.stop(work, desk.asker, asked.turn.id)

        acted = await desk.act(asked, attempt=2)

        assert (acted.state, acted.again) == (CallState.NOT_RUN, None)
        assert [row.state for row in await renewals(desk, asked)] == [ApprovalState.VOID, ApprovalState.WITHDRAWN]

    async def test_runs_not_when_the_connector_does_not_say_what_it_would_do(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ):
        async def broken(*_: object) -> None:
            raise KeyError("x")

        asked = await desk.approved()
        await disable(desk)
        monkeypatch.setattr(desk.notes, "preview", broken)

        acted = await desk.act(asked)

        assert acted.state == CallState.NOT_RUN
        assert (await desk.audited())[-1] == "call.refused"


class TestAllowed:
    async def test_is_asked_about_once_policy_asks(self, desk: Desk):
        asked = await desk.call("send")
        await desk.world.alter(ToolCall, asked.call.id, verdict=CallVerdict.ALLOW, state=CallState.PROPOSED)

        acted = await desk.act(asked)

        (new,) = await renewals(desk, asked)
        assert acted.again is not None
        assert acted.again.approval_id == new.id
        call = await desk.world.get(ToolCall, asked.call.id)
        assert (call.state, call.verdict) == (CallState.AWAITING, CallVerdict.ASK)
        assert desk.notes.sent == []
        assert (await desk.audited())[-1] == "call.held"
        assert (await desk.act(asked, attempt=2)).again == acted.again


class TestDigest:
    async def test_mismatch_is_refused_not_asked_again(self, desk: Desk):
        asked = await desk.approved()
        await desk.world.alter(ToolCall, asked.call.id, arguments={"text": "/etc/shadow"})

        acted = await desk.act(asked)

        assert (acted.state, acted.again) == (CallState.NOT_RUN, None)
        assert len(await renewals(desk, asked)) == 1
        (row,) = await desk.world.all(AuditRow, AuditRow.kind == "call.refused")
        assert row.body["code"] == "digest_mismatch"

    async def test_of_a_consent_from_elsewhere_runs_nothing(self, desk: Desk):
        asked = await desk.approved()
        forged = ApprovalOutcome(approval_id=asked.consent.approval_id, state=ApprovalState.APPROVED, digest="0" * 64)

        acted = await desk.act(replace(asked, outcome=forged))

        assert acted.state == CallState.NOT_RUN
        assert desk.notes.sent == []
