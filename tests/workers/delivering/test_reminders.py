"""A reminder goes to whoever did not answer yet, as a person with however many accounts, and only while that holds."""

from datetime import timedelta
from typing import Any

import pytest

from core.clock import now
from core.consent import ConsentPlan, Need, Party, Stage
from core.permissions import Principal, Role
from core.store import prompting
from core.store.work import change
from core.tables.connect import Delivery
from core.tables.consent import Approval
from core.tables.people import Membership, User
from tests.workers.delivering.conftest import Office
from workers.delivering.carrier import NotWanted, NotYet
from workers.delivering.channels import ChannelCarrier
from workers.delivering.prompts import Prompts
from workers.delivering.replies import Replies


def vote_of(who: Principal) -> dict[str, Any]:
    return {
        "decision_id": "dec_1", "user_id": who.user_id, "name": who.name, "verdict": "approve", "door": "rest",
        "assurance": "L2", "stage": 0, "at": now().isoformat(),
    }  # fmt: skip


def plan(*remind_at: timedelta) -> dict[str, Any]:
    """Two owners have to consent; who is missing is told again at these times from now."""
    stage = Stage(needs=(Need(party=Party(roles=("owner",)), count=2),))
    return ConsentPlan(stages=(stage,), remind_at=tuple(now() + one for one in remind_at)).model_dump(mode="json")


async def remind(office: Office, approval: Approval) -> list[Delivery]:
    """Remind of a request, as its workflow says; gives all reminders that there are then."""
    async with change(office.database, office.rooms) as work:
        row = await work.session.get_one(Approval, approval.id)
        await prompting.refresh(work, row, remind=True)
    rows = await office.all(Delivery, Delivery.approval_id == approval.id, Delivery.kind == "notice")
    return sorted(rows, key=lambda row: row.id)


class TestWhom:
    async def test_who_did_not_answer_is_reminded_once_at_each_time(self, office: Office, owner: Principal):
        other = await office.person(owner.workspace_id, Role.OWNER)
        for who in (owner, other):
            await office.account(who)
        past, later = timedelta(minutes=-1), timedelta(hours=1)
        approval = await office.approval(owner, plan=plan(past, later), votes=[vote_of(owner)])
        await remind(office, approval)
        first = await remind(office, approval)
        await office.alter(Approval, approval.id, plan=plan(past, past))
        second = await remind(office, approval)

        assert [(row.user_id, row.body) for row in first] == [(other.user_id, {"reminds_of": approval.id})]
        assert [row.ref for row in second] == [f"{approval.id}:1", f"{approval.id}:2"]

    async def test_the_other_account_of_who_answered_is_not(self, office: Office, owner: Principal):
        also = await office.person(owner.workspace_id, Role.OWNER)
        other = await office.person(owner.workspace_id, Role.OWNER)
        await office.alter(Membership, also.membership_id, person_id=owner.user_id)
        for who in (owner, also, other):
            await office.account(who)
        approval = await office.approval(other, plan=plan(timedelta(minutes=-1)), votes=[vote_of(also)])

        assert [row.user_id for row in await remind(office, approval)] == [other.user_id]


class TestDelivery:
    @pytest.fixture
    async def approval(self, office: Office, owner: Principal) -> Approval:
        await office.account(owner)
        return await office.approval(owner, plan=plan(timedelta(minutes=-1)))

    @pytest.fixture
    async def row(self, office: Office, approval: Approval) -> Delivery:
        """The reminder of the one who is asked."""
        (found,) = await remind(office, approval)
        return found

    async def test_it_names_what_waits_until_when_by_the_readers_clock(
        self, office: Office, owner: Principal, prompts: Prompts, approval: Approval, row: Delivery
    ):
        await office.alter(User, owner.user_id, time_zone="Asia/Tokyo")
        carrier = ChannelCarrier({}, prompts, Replies(office.database))
        message = await carrier._compose(row, None)  # type: ignore[arg-type]  # a reminder asks nothing of a channel
        until = approval.expires_at + timedelta(hours=9)

        assert [part.text for part in message.parts] == [
            f"Still waiting for you: Refund 240 EUR to Ana, until {until:%Y-%m-%d %H:%M} JST.",
            "Open it",
        ]
        assert f"https://assent.test/#/approvals/{approval.id}" in message.model_dump_json()
        assert message.buttons == ()

    async def test_who_answered_or_may_not_decide_meanwhile_is_not_reminded(
        self, office: Office, owner: Principal, prompts: Prompts, approval: Approval, row: Delivery
    ):
        await office.alter(Approval, approval.id, votes=[vote_of(owner)])
        with pytest.raises(NotWanted, match="answered"):
            await prompts.remind(row)
        await office.alter(Approval, approval.id, votes=[])
        await office.alter(Membership, owner.membership_id, role="member")
        with pytest.raises(NotWanted, match="asked of others"):
            await prompts.remind(row)

    async def test_of_a_closed_one_nobody_is_reminded(
        self, office: Office, prompts: Prompts, approval: Approval, row: Delivery
    ):
        await office.alter(Approval, approval.id, state="rejected")
        with pytest.raises(NotWanted, match="closed"):
            await prompts.remind(row)

    async def test_quiet_hours_hold_it_back(self, office: Office, owner: Principal, prompts: Prompts, row: Delivery):
        at = now()
        quiet = {"from": f"{at - timedelta(hours=1):%H:%M}", "to": f"{at + timedelta(hours=1):%H:%M}"}
        await office.alter(User, owner.user_id, quiet=quiet)
        with pytest.raises(NotYet, match="quiet hours"):
            await prompts.remind(row)
