"""Each delivery is carried until its fate is known: retried, obeyed, given up, edited, and told."""

from datetime import timedelta
from typing import Any

import pytest

from connectors.base import PermanentFailure, TemporaryFailure
from connectors.channel import Unreachable
from core.clock import now
from core.permissions import Principal
from core.store import deliveries
from core.store.audit import AuditTrail
from core.store.work import change
from core.tables.connect import Delivery
from core.tables.identity import Identity
from core.tables.records import AuditRow
from tests.workers.delivering.conftest import Office
from workers.delivering.carrier import NotWanted, NotYet
from workers.delivering.sender import ATTEMPTS, Sender


class TestCarrier:
    """Does as told, and notes what it carried."""

    __test__ = False

    def __init__(self) -> None:
        self.carried: list[tuple[str, int]] = []
        self.fate: BaseException | None = None

    async def send(self, delivery: Delivery) -> str:
        return self._carry("send", delivery)

    async def edit(self, delivery: Delivery) -> str:
        return self._carry("edit", delivery)

    def _carry(self, how: str, delivery: Delivery) -> str:
        self.carried.append((how, delivery.version))
        if self.fate is not None:
            raise self.fate
        return "ref-1"


@pytest.fixture
def carrier() -> TestCarrier:
    return TestCarrier()


@pytest.fixture
def sender(office: Office, audit: AuditTrail, carrier: TestCarrier) -> Sender:
    return Sender(office.database, office.rooms, audit, {"prompt": carrier})


async def recorded(office: Office, row: Delivery, kind: str = "prompt.sent") -> list[AuditRow]:
    return await office.all(AuditRow, AuditRow.subject == row.approval_id, AuditRow.kind == kind)


@pytest.fixture
async def prompt(office: Office, owner: Principal) -> Delivery:
    await office.account(owner)
    (row,) = await office.prompts(await office.approval(owner))
    return row


async def edit(office: Office, row: Delivery) -> None:
    async with change(office.database, office.rooms) as work:
        await deliveries.want_edit(work, await work.session.get_one(Delivery, row.id))


class TestSender:
    async def test_what_is_due_is_sent_once_and_told(
        self, office: Office, owner: Principal, sender: Sender, carrier: TestCarrier, prompt: Delivery
    ):
        await sender.sweep()
        await sender.sweep()
        row = await office.get(Delivery, prompt.id)

        assert carrier.carried == [("send", 1)]
        assert (row.state, row.external_ref, row.shown, row.attempts) == ("sent", "ref-1", 1, 0)
        assert (await office.told(owner.membership_id))[-1] == "delivery.updated"

    async def test_a_change_is_an_edit_of_what_was_sent(
        self, office: Office, sender: Sender, carrier: TestCarrier, prompt: Delivery
    ):
        await sender.sweep()
        await edit(office, prompt)
        await edit(office, prompt)
        await sender.sweep()

        assert carrier.carried == [("send", 1), ("edit", 3)]
        assert (await office.get(Delivery, prompt.id)).shown == 3

    async def test_who_was_sent_what_is_audited_each_time_that_it_says_something_else(
        self, office: Office, owner: Principal, sender: Sender, prompt: Delivery
    ):
        await sender.sweep()
        await edit(office, prompt)
        await sender.sweep()
        (first,) = await recorded(office, prompt)
        await edit(office, prompt)
        async with office.database.writing() as session:
            (claimed,) = await deliveries.claim(session, {"prompt"})
        async with office.database.writing() as session:
            await deliveries.arm(session, prompt.id, None, {"digest": "another"})
        async with change(office.database, office.rooms) as work:
            shown = await deliveries.sent(work, claimed, None)

        assert (first.actor, first.body["user_id"], first.body["channel"]) == ("server", owner.user_id, "telegram")
        assert shown is not None
        assert shown.body["digest"] == "another"

    async def test_changed_before_it_was_sent_it_is_sent_once_as_it_is_now(
        self, office: Office, sender: Sender, carrier: TestCarrier, prompt: Delivery
    ):
        await edit(office, prompt)
        await sender.sweep()
        await sender.sweep()

        assert carrier.carried == [("send", 2)]

    async def test_a_pause_that_is_asked_for_is_kept(
        self, office: Office, sender: Sender, carrier: TestCarrier, prompt: Delivery
    ):
        carrier.fate = TemporaryFailure("slow down", retry_after=35)
        await sender.sweep()
        row = await office.get(Delivery, prompt.id)

        assert timedelta(seconds=30) < row.due_at - now() <= timedelta(seconds=35)
        assert (row.state, row.detail) == ("waiting", "slow down")

    async def test_what_works_later_is_tried_again_but_not_for_ever(
        self, office: Office, sender: Sender, carrier: TestCarrier, prompt: Delivery
    ):
        carrier.fate = TemporaryFailure("away")
        for _ in range(ATTEMPTS + 3):
            await sender.sweep()
            row = await office.get(Delivery, prompt.id)
            if row.state == "waiting":
                await office.alter(Delivery, prompt.id, due_at=now())

        assert (len(carrier.carried), row.state, row.detail) == (ATTEMPTS, "failed", "away")

    @pytest.mark.parametrize(
        ("fate", "state"),
        [(PermanentFailure("no"), "failed"), (NotWanted("closed"), "dropped"), (Unreachable("blocked"), "failed")],
    )
    async def test_what_never_works_is_given_up(
        self, office: Office, sender: Sender, carrier: TestCarrier, prompt: Delivery, fate: Any, state: str
    ):
        carrier.fate = fate
        await sender.sweep()
        await sender.sweep()
        row = await office.get(Delivery, prompt.id)
        (identity,) = await office.all(Identity)

        assert (row.state, row.detail, len(carrier.carried)) == (state, str(fate), 1)
        assert (identity.broken_at is not None) is isinstance(fate, Unreachable)

    @pytest.mark.parametrize(("fate", "state"), [(PermanentFailure("no"), "failed"), (NotWanted("closed"), "dropped")])
    async def test_a_prompt_that_never_arrived_is_in_the_trail_with_the_reason(
        self, office: Office, owner: Principal, sender: Sender, carrier: TestCarrier, prompt: Delivery, fate, state
    ):
        carrier.fate = fate
        await sender.sweep()
        (row,) = await recorded(office, prompt, f"prompt.{state}")

        assert (row.actor, row.workspace_id) == ("server", owner.workspace_id)
        assert (row.body["user_id"], row.body["channel"]) == (owner.user_id, "telegram")
        assert row.body["reason"] == str(fate)
        assert prompt.thread not in repr(row.body)

    async def test_what_else_never_arrived_is_not(
        self, office: Office, audit: AuditTrail, carrier: TestCarrier, prompt: Delivery
    ):
        await office.alter(Delivery, prompt.id, kind=deliveries.NOTICE)
        carrier.fate = PermanentFailure("no")
        await Sender(office.database, office.rooms, audit, {"notice": carrier}).sweep()

        assert (await office.get(Delivery, prompt.id)).state == "failed"
        assert await recorded(office, prompt, "prompt.failed") == []

    async def test_what_is_to_wait_is_no_failed_attempt(
        self, office: Office, sender: Sender, carrier: TestCarrier, prompt: Delivery
    ):
        until = now() + timedelta(hours=3)
        carrier.fate = NotYet(until, "quiet hours")
        await sender.sweep()
        row = await office.get(Delivery, prompt.id)

        assert (row.state, row.due_at, row.attempts) == ("waiting", until, 0)

    async def test_a_claim_that_a_crash_left_is_taken_again(
        self, office: Office, sender: Sender, carrier: TestCarrier, prompt: Delivery
    ):
        async with office.database.writing() as session:
            await deliveries.claim(session, ["prompt"])
        await sender.sweep()
        meanwhile = list(carrier.carried)
        await office.alter(Delivery, prompt.id, due_at=now())
        await sender.sweep()

        assert (meanwhile, carrier.carried) == ([], [("send", 1)])

    async def test_an_edit_that_fails_for_good_leaves_what_was_sent(
        self, office: Office, sender: Sender, carrier: TestCarrier, prompt: Delivery
    ):
        await sender.sweep()
        carrier.fate = PermanentFailure("gone")
        await edit(office, prompt)
        await sender.sweep()
        await sender.sweep()
        row = await office.get(Delivery, prompt.id)

        assert (row.state, row.detail, len(carrier.carried)) == ("sent", "gone", 2)
        assert await recorded(office, prompt, "prompt.failed") == []
