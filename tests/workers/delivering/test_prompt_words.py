"""What a prompt says of deciding it by text, of more people being asked, of its reader's clock, of always allowing."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from core.clock import now
from core.codes import code_of
from core.consent import ConsentPlan, Need, Party, Stage
from core.ids import new_id, secret_hash
from core.permissions import Principal
from core.store import deliveries
from core.tables.connect import Delivery
from core.tables.consent import Approval
from core.tables.people import User
from core.tables.work import ToolCall
from core.views import DeciderView
from tests.workers.delivering.conftest import Office
from tests.workers.delivering.test_prompts import data, text
from workers.delivering.prompts import Prompts

AT = datetime(2026, 1, 5, 13, 2, tzinfo=UTC)


def plan(**more: Any) -> dict[str, Any]:
    stages = (Stage(needs=(Need(party=Party(roles=("owner",))),)),)
    return ConsentPlan(stages=stages, **more).model_dump(mode="json")


async def code(office: Office, row: Delivery) -> str:
    """The code of the buttons that hold for a prompt."""
    return code_of((await office.get(Delivery, row.id)).token_hash or "")


class TestCode:
    async def test_it_is_that_of_the_buttons_and_changes_with_them(
        self, office: Office, owner: Principal, prompts: Prompts
    ):
        await office.account(owner)
        approval = await office.approval(owner)
        (row,) = await office.prompts(approval)
        message = await prompts.compose(row, "L2")
        first = await code(office, row)
        await office.refresh(approval.id, digest="e" * 64)
        again = await prompts.compose(await office.get(Delivery, row.id), "L2")
        second = await code(office, row)

        assert first == code_of(secret_hash(data(message)[0].split(":")[1]))
        assert f"By text: /approve {first}, or /reject {first};" in text(message)
        assert first != second
        assert f"/approve {second}," in text(again)
        assert first not in text(again)

    async def test_where_a_comment_is_needed_it_says_how_to_give_one(
        self, office: Office, owner: Principal, prompts: Prompts
    ):
        await office.account(owner)
        (row,) = await office.prompts(await office.approval(owner, plan=plan(comment_required=True)))
        message = await prompts.compose(row, "L2")
        said = await code(office, row)

        assert data(message) == []
        assert f"This needs a comment: write /approve {said} and your comment, or /reject {said} and why." in text(
            message
        )
        assert "on the web" not in text(message)

    @pytest.mark.parametrize("more", [{"state": "rejected"}, {"arguments": {f"n{one}": one for one in range(50)}}])
    async def test_what_cannot_be_decided_there_has_none(
        self, office: Office, owner: Principal, prompts: Prompts, more: dict[str, Any]
    ):
        await office.account(owner)
        approval = await office.approval(owner, plan=plan(comment_required=True))
        (row,) = await office.prompts(approval)
        await prompts.compose(row, "L2")
        await office.refresh(approval.id, **more)
        await office.alter(Delivery, row.id, state="sent")
        message = await prompts.compose(await office.get(Delivery, row.id), "L2")
        async with office.database.reading() as session:
            armed = await deliveries.armed(session, owner.user_id, row.channel, row.account, row.thread)

        assert "/approve" not in text(message)
        assert armed == []

    async def test_several_have_one_code_and_their_numbers(self, office: Office, owner: Principal, prompts: Prompts):
        await office.account(owner)
        rows: list[Delivery] = []
        for _ in range(2):
            rows += await office.prompts(await office.approval(owner, batch="bat_1"))
        message = await prompts.compose(rows[0], "L2", 20)
        said = await code(office, rows[0])

        assert f"/approve or /reject, then {said}-1 (number 1) or {said} (all);" in text(message)
        assert "A comment is needed" not in text(message)

    async def test_several_that_need_a_comment(self, office: Office, owner: Principal, prompts: Prompts):
        await office.account(owner)
        rows: list[Delivery] = []
        for _ in range(2):
            asked = await office.approval(owner, batch="bat_1", plan=plan(comment_required=True))
            rows += await office.prompts(asked)
        message = await prompts.compose(rows[0], "L2", 20)

        assert data(message) == []
        assert f"{await code(office, rows[0])} (all)" in text(message)
        assert "A comment is needed." in text(message)


class TestStanding:
    @pytest.fixture(autouse=True)
    async def _in_vienna(self, office: Office, owner: Principal) -> None:
        await office.account(owner)
        await office.alter(User, owner.user_id, time_zone="Europe/Vienna")

    async def test_it_says_that_more_people_may_decide(self, office: Office, owner: Principal, prompts: Prompts):
        approval = await office.approval(owner, escalated_at=AT)
        (row,) = await office.prompts(approval)
        message = await prompts.compose(row, "L2")
        await office.refresh(approval.id, escalated_at=None)
        before = await prompts.compose(row, "L2")

        assert "Escalated, 14:02 CET: more people may decide it since." in text(message)
        assert "Escalated" not in text(before)

    async def test_it_closes_by_its_readers_clock(self, office: Office, owner: Principal, prompts: Prompts):
        approval = await office.approval(owner)
        (row,) = await office.prompts(approval)
        closed = {"state": "approved", "decided_by": owner.user_id, "decided_door": "telegram", "decided_at": AT}
        await office.refresh(approval.id, **closed)
        await office.alter(Delivery, row.id, state="sent")
        message = await prompts.compose(await office.get(Delivery, row.id), "L2")

        assert f"Approved by {owner.name} on Telegram, 14:02 CET." in text(message)

    async def test_so_do_several_in_one(self, office: Office, owner: Principal, prompts: Prompts):
        asked = [await office.approval(owner, batch="bat_1", escalated_at=AT) for _ in range(3)]
        rows = [row for approval in asked for row in await office.prompts(approval)]
        await prompts.compose(rows[0], "L2", 20)
        await office.alter(Delivery, rows[0].id, state="sent", shown=1)
        for row in rows[1:]:
            await office.alter(Delivery, row.id, state="dropped", body={"folded": rows[0].id})
        await office.refresh(asked[1].id, state="expired", decided_at=AT)
        message = await prompts.compose(await office.get(Delivery, rows[0].id), "L2", 20)

        assert "so nothing was done, 14:02 CET." in text(message)
        assert text(message).count("Escalated, 14:02 CET") == 2


class TestAlwaysAllowing:
    async def prompt(self, office: Office, owner: Principal, **more: Any) -> Delivery:
        """A prompt about a call of a turn, whose like may always be allowed."""
        conversation_id = await office.conversation(owner)
        turn, _ = await office.say(owner, conversation_id)
        call = ToolCall(
            id=new_id("cal"),
            turn_id=turn.id,
            conversation_id=conversation_id,
            workspace_id=owner.workspace_id,
            user_id=owner.user_id,
            round=1,
            place=0,
            action="tasks.create",
            arguments={},
            schema_digest="s" * 64,
            risk="write",
            effect="write",
            verdict="ask",
            rule="r",
            state="awaiting",
            created_at=now(),
        )
        await office.add(call)
        asked = {"plan": plan(may_remember=True), "tool_call_id": call.id, "risk": "write"} | more
        decider = DeciderView(user_id=owner.user_id, name=owner.name).model_dump(mode="json")
        (row,) = await office.prompts(await office.approval(owner, deciders=[decider], **asked))
        return row

    async def test_it_says_where_with_the_link(self, office: Office, owner: Principal, prompts: Prompts):
        await office.account(owner)
        row = await self.prompt(office, owner)

        assert "To always allow the like of it, open it." in text(await prompts.compose(row, "L2"))

    async def test_where_nothing_leads_there_it_says_so(self, office: Office, owner: Principal, prompts: Prompts):
        await office.account(owner)
        row = await self.prompt(office, owner)
        said = text(await replace(prompts, base_url=None).compose(row, "L2"))

        assert "To always allow the like of it, decide on the web." in said

    @pytest.mark.parametrize(
        "more",
        [
            {"plan": plan()},
            {"risk": "admin"},
            {"deciders": []},
            {"deciders": [{"user_id": "of Ana", "name": "Bo", "in_place_of": "Ana"}]},
        ],
    )
    async def test_where_it_is_not_offered_it_is_not_mentioned(
        self, office: Office, owner: Principal, prompts: Prompts, more: dict[str, Any]
    ):
        await office.account(owner)
        row = await self.prompt(office, owner)
        deputies = [one | {"user_id": owner.user_id} for one in more.get("deciders", ())]
        await office.alter(Approval, row.approval_id, **more | ({"deciders": deputies} if deputies else {}))

        assert "always allow" not in text(await prompts.compose(row, "L2"))
