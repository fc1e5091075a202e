"""A prompt goes to whoever may decide, says how things stand, and its buttons hold for what it shows and no more."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.clock import now
from core.consent import Assurance, ConsentPlan, Need, Party, Stage
from core.ids import secret_hash
from core.permissions import Principal, Role
from core.store import deliveries, identities
from core.store.work import change
from core.tables.connect import Delivery
from core.tables.people import Membership, User
from tests.workers.delivering.conftest import Office
from workers.delivering.carrier import NotWanted, NotYet
from workers.delivering.prompts import Prompts


def data(message) -> list[str]:
    return [button.data for row in message.buttons for button in row]


def text(message) -> str:
    return "\n".join(f"{getattr(part, 'label', '')} {part.text}" for part in message.parts)


class TestWhom:
    async def test_each_account_of_each_who_may_decide_is_prompted_once(self, office: Office, owner: Principal):
        other = await office.person(owner.workspace_id, Role.OWNER)
        member = await office.person(owner.workspace_id)
        for who, channel in ((owner, "telegram"), (owner, "slack"), (other, "telegram"), (member, "telegram")):
            await office.account(who, channel)
        approval = await office.approval(member)
        await office.refresh(approval.id, stage=0)

        found = sorted((row.user_id, row.channel) for row in await office.prompts(approval))
        assert found == sorted([(owner.user_id, "telegram"), (owner.user_id, "slack"), (other.user_id, "telegram")])

    async def test_who_is_not_reached_is_not_prompted(self, office: Office, owner: Principal):
        identity = await office.account(owner)
        async with change(office.database, office.rooms) as work:
            await identities.mark_broken(work, identity.id)

        assert await office.prompts(await office.approval(owner)) == []

    async def test_the_requester_is_left_out_where_they_may_not_decide(self, office: Office, owner: Principal):
        await office.account(owner)
        plan = ConsentPlan(stages=(Stage(needs=(Need(party=Party(roles=("owner",))),)),), exclude_requester=True)

        assert await office.prompts(await office.approval(owner, plan=plan.model_dump(mode="json"))) == []

    async def test_the_next_stage_prompts_its_people(self, office: Office, owner: Principal):
        admin = await office.person(owner.workspace_id, Role.ADMIN)
        await office.account(owner)
        await office.account(admin)
        stages = tuple(Stage(needs=(Need(party=Party(roles=(role,))),)) for role in ("owner", "admin"))
        approval = await office.approval(owner, plan=ConsentPlan(stages=stages).model_dump(mode="json"))
        first = [row.user_id for row in await office.prompts(approval)]
        await office.refresh(approval.id, stage=1)
        second = {row.user_id for row in await office.prompts(approval)}

        assert (first, second) == ([owner.user_id], {owner.user_id, admin.user_id})


class TestWhen:
    async def test_closed_before_it_was_sent_it_is_not_wanted(self, office: Office, owner: Principal, prompts: Prompts):
        await office.account(owner)
        approval = await office.approval(owner)
        await office.refresh(approval.id, state="rejected")
        (row,) = await office.prompts(approval)

        with pytest.raises(NotWanted):
            await prompts.compose(row, "L2")

    async def test_quiet_hours_delay_it_unless_it_would_be_too_late(
        self, office: Office, owner: Principal, prompts: Prompts
    ):
        await office.account(owner)
        at = now()
        quiet = {"from": f"{at - timedelta(hours=1):%H:%M}", "to": f"{at + timedelta(hours=2):%H:%M}"}
        await office.alter(User, owner.user_id, quiet=quiet)
        (later,) = await office.prompts(await office.approval(owner))
        (urgent,) = await office.prompts(await office.approval(owner, expires_at=at + timedelta(hours=1)))
        with pytest.raises(NotYet) as delayed:
            await prompts.compose(later, "L2")

        assert timedelta(hours=1) < delayed.value.until - at <= timedelta(hours=2)
        assert data(await prompts.compose(urgent, "L2"))

    async def test_over_the_cap_it_stays_in_the_inbox_and_that_is_said_once(
        self, office: Office, owner: Principal, prompts: Prompts
    ):
        await office.account(owner)
        refused = 0
        for _ in range(5):
            (row,) = await office.prompts(await office.approval(owner))
            try:
                await prompts.compose(row, "L2")
            except NotWanted:
                refused += 1
            else:
                async with change(office.database, office.rooms) as work:
                    await deliveries.sent(work, row, "{}")
        notices = await office.all(Delivery, Delivery.kind == "notice")

        assert (refused, len(notices)) == (2, 1)


class TestWhatItSays:
    async def test_risk_first_then_all_that_would_run(self, office: Office, owner: Principal, prompts: Prompts):
        await office.account(owner)
        arguments = {"amount": 240, "to": {"name": "Ana\u202e", "tags": ["a", "b"]}, "note": "x\n" * 10_000}
        approval = await office.approval(owner, arguments=arguments, reason="**All fine**, trust me")
        (row,) = await office.prompts(approval)
        said = text(await prompts.compose(row, "L2"))

        assert said.strip().startswith("MONEY: Refund 240 EUR to Ana")
        for words in ("amount 240", "to.name Ana[U+202E]", "to.tags[2] b", "hidden characters", "+19700 more"):
            assert words in said
        assert "The assistant says (nobody checked this) **All fine**, trust me" in said
        assert "It cannot be undone." in said
        assert f"Digest {'d' * 12}." in said

    async def test_what_it_costs_is_said_on_one_line(self, office: Office, owner: Principal, prompts: Prompts):
        await office.account(owner)
        preview = {"summary": "Refund", "cost": "2.40 EUR\nin fees"}
        (row,) = await office.prompts(await office.approval(owner, preview=preview))

        assert "It cannot be undone. Cost: 2.40 EUR⏎in fees" in text(await prompts.compose(row, "L2"))

    async def test_letters_of_two_alphabets_in_one_word_are_told(
        self, office: Office, owner: Principal, prompts: Prompts
    ):
        await office.account(owner)
        (row,) = await office.prompts(await office.approval(owner, arguments={"host": "p\u0430ypal.com"}))

        assert "several alphabets" in text(await prompts.compose(row, "L2"))

    async def test_where_no_link_leads_to_the_rest_it_is_all_there_or_not_decided_there(
        self, office: Office, owner: Principal, prompts: Prompts
    ):
        alone = replace(prompts, base_url=None)
        await office.account(owner)
        (row,) = await office.prompts(await office.approval(owner, arguments={"body": "x" * 2_000 + "and bill Eve"}))
        shown = await alone.compose(row, "L2")
        (row,) = await office.prompts(await office.approval(owner, arguments={"body": "x" * 20_000}))
        cut = await alone.compose(row, "L2")

        assert "and bill Eve" in text(shown)
        assert len(data(shown)) == 2
        assert data(cut) == []
        assert "has to be opened" in text(cut)

    async def test_what_does_not_fit_has_to_be_opened(self, office: Office, owner: Principal, prompts: Prompts):
        await office.account(owner)
        arguments = {f"n{number}": number for number in range(50)}
        (row,) = await office.prompts(await office.approval(owner, arguments=arguments))
        message = await prompts.compose(row, "L2")

        assert data(message) == []
        assert "https://assent.test/#/approvals/" in message.model_dump_json()

    async def test_where_a_chat_is_not_enough_it_leads_to_the_web(
        self, office: Office, owner: Principal, prompts: Prompts
    ):
        await office.account(owner)
        plan = ConsentPlan(stages=(Stage(needs=(Need(party=Party(roles=("owner",))),)),), assurance=Assurance.L3)
        (row,) = await office.prompts(await office.approval(owner, plan=plan.model_dump(mode="json")))
        message = await prompts.compose(row, "L2")

        assert data(message) == []
        assert "on the web" in text(message)
        assert "/approve" not in text(message)
        assert (await office.get(Delivery, row.id)).token_hash is None

    async def test_closed_it_says_by_whom_where_and_when(self, office: Office, owner: Principal, prompts: Prompts):
        await office.account(owner)
        approval = await office.approval(owner)
        (row,) = await office.prompts(approval)
        at = now().replace(hour=14, minute=2)
        closed = {"state": "approved", "decided_by": owner.user_id, "decided_door": "telegram", "decided_at": at}
        await office.refresh(approval.id, **closed)
        row.state = "sent"
        message = await prompts.compose(row, "L2")

        assert f"Approved by {owner.name} on Telegram, 14:02 UTC." in text(message)
        assert data(message) == []

    async def test_who_is_asked_no_more_sees_that(self, office: Office, owner: Principal, prompts: Prompts):
        await office.account(owner)
        approval = await office.approval(owner)
        (row,) = await office.prompts(approval)
        await office.alter(Membership, owner.membership_id, role="member")
        row.state = "sent"
        message = await prompts.compose(row, "L2")

        assert "You are not asked any more" in text(message)
        assert data(message) == []


class TestToken:
    async def test_it_is_stored_hashed_and_bound_to_the_digest(
        self, office: Office, owner: Principal, prompts: Prompts
    ):
        await office.account(owner)
        approval = await office.approval(owner)
        (row,) = await office.prompts(approval)
        yes, no = data(await prompts.compose(row, "L2"))
        token = yes.split(":")[1]
        stored = await office.get(Delivery, row.id)

        assert (yes, no) == (f"a1:{token}:y", f"a1:{token}:n")
        assert (len(token), len(yes)) == (22, 27)
        assert (stored.token_hash, stored.body["digest"]) == (secret_hash(token), approval.digest)
        assert token not in str(stored.body)

    async def test_the_same_again_for_the_same_and_another_for_what_was_changed(
        self, office: Office, owner: Principal, prompts: Prompts
    ):
        await office.account(owner)
        approval = await office.approval(owner)
        (row,) = await office.prompts(approval)
        first = data(await prompts.compose(row, "L2"))
        second = data(await prompts.compose(await office.get(Delivery, row.id), "L2"))
        await office.refresh(approval.id, digest="e" * 64)
        third = data(await prompts.compose(await office.get(Delivery, row.id), "L2"))
        async with office.database.reading() as session:
            old = await deliveries.by_token(session, first[0].split(":")[1])

        assert first == second != third
        assert old is None


class TestBatch:
    @pytest.fixture
    async def rows(self, office: Office, owner: Principal) -> list[Delivery]:
        """Prompts of three like requests; one of them came with others."""
        await office.account(owner)
        found = []
        for number in range(3):
            approval = await office.approval(owner, batch="bat_1", title=f"Refund {number}", arguments={"n": number})
            found += await office.prompts(approval)
        return found

    async def test_the_first_shows_all_and_the_others_are_not_sent(
        self, office: Office, prompts: Prompts, rows: list[Delivery]
    ):
        message = await prompts.compose(rows[0], "L2", 20)
        await office.alter(Delivery, rows[0].id, state="sent", shown=1)
        for row in rows[1:]:
            with pytest.raises(NotWanted):
                await prompts.compose(row, "L2", 20)
        stored = await office.get(Delivery, rows[0].id)
        token = data(message)[0].split(":")[1]

        assert [word in text(message) for word in ("1. Refund 0", "2. Refund 1", "3. Refund 2")] == [True] * 3
        choices = [f"{answer}{number}" for number in ("1", "2", "3", "") for answer in "yn"]
        assert data(message) == [f"a1:{token}:{choice}" for choice in choices]
        assert [approval_id for approval_id, _ in stored.body["batch"]] == [row.approval_id for row in rows]

    async def test_one_that_closes_is_edited_where_it_is_shown(
        self, office: Office, prompts: Prompts, rows: list[Delivery]
    ):
        await prompts.compose(rows[0], "L2", 20)
        await office.alter(Delivery, rows[0].id, state="sent", shown=1)
        with pytest.raises(NotWanted):
            await prompts.compose(rows[1], "L2", 20)
        await office.alter(Delivery, rows[1].id, state="dropped")
        before = (await office.get(Delivery, rows[0].id)).version
        await office.refresh(rows[1].approval_id or "", state="rejected")
        leader = await office.get(Delivery, rows[0].id)
        message = await prompts.compose(leader, "L2", 20)

        assert leader.version == before + 1
        assert "Rejected" in text(message)
        assert [one.rpartition(":")[2] for one in data(message)] == ["y1", "n1", "y3", "n3", "y", "n"]

    async def test_another_list_makes_the_buttons_of_before_void(
        self, office: Office, owner: Principal, prompts: Prompts, rows: list[Delivery]
    ):
        first = data(await prompts.compose(rows[0], "L2", 20))
        await office.alter(Delivery, rows[0].id, state="sent", shown=1)
        await office.approval(owner, batch="bat_1")
        second = data(await prompts.compose(await office.get(Delivery, rows[0].id), "L2", 20))

        assert first[0] != second[0]
        assert len(second) == 10

    async def test_where_a_channel_cannot_each_stands_alone(self, prompts: Prompts, rows: list[Delivery]):
        assert [len(data(await prompts.compose(row, "L2"))) for row in rows] == [2, 2, 2]

    async def test_what_needs_several_people_stands_alone(self, office: Office, owner: Principal, prompts: Prompts):
        await office.account(owner)
        plan = ConsentPlan(stages=(Stage(needs=(Need(party=Party(roles=("owner",)), count=2),)),))
        for _ in range(2):
            approval = await office.approval(owner, batch="bat_2", plan=plan.model_dump(mode="json"))
            (row,) = await office.prompts(approval)
            assert len(data(await prompts.compose(row, "L2", 20))) == 2
