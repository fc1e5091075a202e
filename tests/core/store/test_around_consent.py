"""Delegations within their limits, calls of unknown fate, and grants, on both databases."""

from datetime import timedelta
from typing import Any

import pytest

from core.clock import now
from core.consent import Party, asks
from core.ids import new_id
from core.permissions import Principal, Role
from core.store import approvals, consents, delegations, grants, outcomes, unsettled
from core.store.audit import AuditTrail
from core.store.work import change
from core.tables.consent import Approval, Grant
from core.tables.work import Intent, ToolCall
from core.values import ApprovalState, CallState
from tests.world import World

ACTION = "note_book.send_mail"


async def asked(world: World, who: Principal) -> Approval:
    """A pending request of this person's turn, which owners may decide."""
    turn, _ = await world.say(who, await world.conversation(who), client_id=new_id("cli"))
    call = ToolCall(
        id=new_id("cal"),
        turn_id=turn.id,
        conversation_id=turn.conversation_id,
        workspace_id=turn.workspace_id,
        user_id=turn.user_id,
        round=1,
        place=0,
        action=ACTION,
        arguments={"n": 1},
        schema_digest="s",
        risk="external_comms",
        effect="at_most_once",
        verdict="ask",
        rule="asks",
        state="awaiting approval",
        created_at=now(),
    )
    row = Approval(
        id=new_id("apr"),
        tool_call_id=call.id,
        turn_id=turn.id,
        conversation_id=turn.conversation_id,
        workspace_id=turn.workspace_id,
        requester_id=turn.user_id,
        action=ACTION,
        risk="external_comms",
        title="Send",
        arguments={"n": 1},
        preview={"summary": "Sends"},
        plan=asks(Party(roles=(Role.OWNER,))).model_dump(mode="json"),
        bound={},
        digest="d" * 64,
        state=ApprovalState.PENDING,
        expires_at=now() + timedelta(hours=1),
        created_at=now(),
    )
    await world.add(call, row)
    async with change(world.database, world.rooms) as work:
        await consents.write_parties(work.session, await approvals.lock(work.session, row.id))
    return row


async def seen(world: World, who: Principal) -> list[str]:
    async with world.database.reading() as session:
        views, _, _ = await approvals.page(session, who, state="pending", limit=20, cursor=None)
    return [view.id for view in views]


@pytest.mark.parametrize(
    ("limits", "shown"),
    [
        ({}, True),
        ({"risks": ("external_comms",)}, True),
        ({"risks": ("write", "money")}, False),
        ({"actions": (ACTION,)}, True),
        ({"actions": ("notexbook.sendxmail", "note_book.send")}, False),
        ({"risks": ("external_comms",), "actions": ("other.one",)}, False),
    ],
)
async def test_a_delegate_sees_what_was_handed_over(
    world: World, audit: AuditTrail, limits: dict[str, Any], shown: bool
):
    zoe = await world.person(role=Role.OWNER)
    ana, ben = await world.person(zoe.workspace_id), await world.person(zoe.workspace_id)
    before = await asked(world, ana)

    wish = delegations.Wish(
        from_user_id=zoe.user_id, to_user_id=ben.user_id, ends_at=now() + timedelta(days=1), **limits
    )
    async with change(world.database, world.rooms) as work:
        made = await delegations.create(work, audit, zoe, wish)
    after = await asked(world, ana)

    assert sorted(await seen(world, ben)) == (sorted([before.id, after.id]) if shown else [])
    told = await world.told(ben.membership_id)
    assert told == ["delegation.changed", *(["approval.updated"] if shown else [])]
    async with change(world.database, world.rooms) as work:
        await delegations.revoke(work, audit, zoe, made.id)
    assert await seen(world, ben) == []


async def test_who_could_have_decided_settles_what_is_unknown(world: World, audit: AuditTrail):
    zoe = await world.person(role=Role.OWNER)
    ana, bo = await world.person(zoe.workspace_id), await world.person(zoe.workspace_id)
    row = await asked(world, ana)
    assert row.tool_call_id is not None
    await world.add(Intent(tool_call_id=row.tool_call_id, idempotency_key="k", attempt=1, created_at=now()))
    await world.alter(ToolCall, row.tool_call_id, state=CallState.UNKNOWN)

    async with world.database.reading() as session:
        call = await session.get_one(ToolCall, row.tool_call_id)
        people = [view.user_id for _, view in await unsettled.people_to_settle(session, call)]
        pages = [await unsettled.page(session, one, state=None, limit=5, cursor=None) for one in (zoe, ana, bo)]
    async with change(world.database, world.rooms) as work:
        view = await outcomes.say(work, audit, zoe, call.id, outcomes.Outcome.NOT_DONE, None)

    assert sorted(people) == sorted([zoe.user_id, ana.user_id])
    assert [len(items) for items, _, _ in pages] == [1, 1, 0]
    assert view.state == CallState.NOT_RUN


async def test_a_grant_is_used_as_often_as_it_says(world: World):
    zoe = await world.person(role=Role.OWNER)
    grant = Grant(
        id=new_id("grt"),
        workspace_id=zoe.workspace_id,
        user_id=zoe.user_id,
        action=ACTION,
        schema_digest="s",
        patterns={"n": {"kind": "at_most", "number": 5}},
        granted_by=zoe.user_id,
        uses_left=2,
        created_at=now(),
        expires_at=now() + timedelta(hours=1),
    )
    await world.add(grant)
    used = []
    for _ in range(3):
        async with change(world.database, world.rooms) as work:
            used.append(await grants.use(work, grant.id))

    assert used == [True, True, False]
    assert (await world.get(Grant, grant.id)).uses == 2
    assert await world.told(zoe.membership_id) == ["grant.changed"]
