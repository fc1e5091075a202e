"""A button decides as the person whose account pressed it, for what was shown to them, and for nothing else."""

from sqlalchemy import select

from connectors.channel import MessageRef
from core.permissions import Role
from core.store import deliveries, identities
from core.store.audit import AuditTrail
from core.store.work import change
from core.tables.connect import Delivery
from core.tables.consent import Approval, Decision
from core.tables.work import Turn
from tests.api.channels.conftest import ACCOUNT, Bot, approval_of, rows
from tests.api.rest.house import House, Person


class TestDeciding:
    async def test_a_button_decides_as_its_person(self, bot: Bot, house: House, ana: Person):
        house.workflows.answer = "accepted"
        approval = await approval_of(house, ana)
        identity = await bot.link(ana, 5)
        token = await bot.prompt(approval, ana)
        await bot.press(5, f"a1:{token}:y")
        (decision,) = await rows(house, Decision)

        facts = (decision.user_id, decision.verdict, decision.door, decision.assurance, decision.state)
        assert facts == (ana.principal.user_id, "approve", "telegram", "L2", "accepted")
        assert (decision.made or {})["identity_id"] == identity.id
        assert bot.answers() == ["Your approval counts; others are still to answer: Delete a task"]

    async def test_a_press_told_many_times_is_one_decision(self, bot: Bot, house: House, ana: Person):
        house.workflows.answer = "accepted"
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        token = await bot.prompt(approval, ana)
        for _ in range(5):
            await bot.press(5, f"a1:{token}:n", "q1")

        assert len(await rows(house, Decision)) == 1

    async def test_who_was_prompted_finds_it_and_nobody_else(self, bot: Bot, house: House, ana: Person, bo: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        await bot.prompt(approval, ana)
        path = f"/deliveries?approval_id={approval.id}"
        (found,) = (await ana.ask("GET", path)).json()["items"]

        assert (found["kind"], found["channel"], found["approval_id"]) == ("prompt", "telegram", approval.id)
        assert (await bo.ask("GET", path)).json()["items"] == []

    async def test_somebody_elses_button_is_refused_and_told(self, bot: Bot, house: House, ana: Person, bo: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        await bot.link(bo, 6)
        token = await bot.prompt(approval, ana)
        await bot.press(6, f"a1:{token}:y")
        (found,) = await rows(house, Approval)
        trail = (await ana.ask("GET", "/audit?kind=prompt.refused")).json()["items"]

        assert bot.answers() == ["This was asked of somebody else: only they can answer it here."]
        assert (await rows(house, Decision), found.state) == ([], "pending")
        assert [one["actor"] for one in trail] == [bo.principal.user_id]

    async def test_another_workspaces_person_and_a_stranger_are_refused(self, bot: Bot, house: House, ana: Person):
        eve = await house.person(await house.workspace(), Role.OWNER)
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        await bot.link(eve, 7)
        token = await bot.prompt(approval, ana)
        await bot.press(7, f"a1:{token}:y")
        await bot.press(8, f"a1:{token}:y")

        assert await rows(house, Decision) == []
        assert "I do not know this account" in bot.answers()[1]

    async def test_one_of_several_or_all_of_them_each_as_a_decision(self, bot: Bot, house: House, ana: Person):
        house.workflows.answer = "accepted"
        asked = [await approval_of(house, ana) for _ in range(3)]
        await bot.link(ana, 5)
        token = await bot.prompt(asked[0], ana)
        async with house.database.writing() as session:
            (row,) = (await session.execute(select(Delivery).where(Delivery.approval_id == asked[0].id))).scalars()
            row.body = {"batch": [[one.id, one.digest] for one in asked]}
        await bot.press(5, f"a1:{token}:n2")
        first = [one.approval_id for one in await rows(house, Decision)]
        await bot.press(5, f"a1:{token}:y4")
        await bot.press(5, f"a1:{token}:y", "q9")
        await bot.press(5, f"a1:{token}:y", "q9")

        assert first == [asked[1].id]
        assert len(await rows(house, Decision)) == 4
        assert "does not hold" in bot.answers()[1]
        assert bot.answers()[2].startswith("3: Your approval counts")

    async def test_what_means_nothing_is_refused(self, bot: Bot, house: House, ana: Person):
        await bot.link(ana, 5)
        for data in ("a1:" + "x" * 22 + ":y", "a1::y", "approve", "a1:" + "x" * 22 + ":Y", "l1:lnk_x:y"):
            await bot.press(5, data)

        assert await rows(house, Decision) == []
        assert len(bot.answers()) == 5

    async def test_a_button_of_what_was_changed_since_is_refused(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        token = await bot.prompt(approval, ana)
        async with house.database.writing() as session:
            row = await session.get_one(Approval, approval.id)
            row.digest = "e" * 64
        await bot.press(5, f"a1:{token}:y")
        (decision,) = await rows(house, Decision)

        assert (decision.state, decision.refusal) == ("refused", "digest_mismatch")
        assert "not what you were shown" in bot.answers()[0]

    async def test_free_text_never_decides(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        await bot.prompt(approval, ana)
        for text in ("yes", "approve", f"approve {approval.id}", "Y", "a1:x:y"):
            await bot.say(5, text)

        assert await rows(house, Decision) == []
        assert len(await rows(house, Turn)) == 6

    async def test_who_loses_the_role_has_the_prompt_closed_and_who_gets_it_is_prompted(
        self, bot: Bot, house: House, ana: Person, bo: Person
    ):
        house.workflows.answer = "accepted"
        owner = await house.person(ana.principal.workspace_id, Role.OWNER)
        approval = await approval_of(house, ana)
        await bot.link(owner, 5)
        await bot.link(bo, 6)
        token = await bot.prompt(approval, owner)
        (before,) = await rows(house, Delivery, Delivery.kind == "prompt")
        await ana.ask("PATCH", f"/users/{owner.principal.user_id}", json={"role": "member"})
        await ana.ask("PATCH", f"/users/{bo.principal.user_id}", json={"role": "owner"})
        first, second = await rows(house, Delivery, Delivery.kind == "prompt")
        await bot.press(5, f"a1:{token}:y")

        assert (first.id, first.version) == (before.id, before.version + 2)
        assert second.user_id == bo.principal.user_id
        assert bot.answers() == ["There is no such approval."]

    async def test_after_unlinking_the_button_is_worth_nothing(
        self, bot: Bot, house: House, ana: Person, trail: AuditTrail
    ):
        approval = await approval_of(house, ana)
        identity = await bot.link(ana, 5)
        token = await bot.prompt(approval, ana)
        async with change(house.database, house.rooms) as work:
            await identities.unlink(work, trail, ana.principal, identity.id)
        await bot.press(5, f"a1:{token}:y")

        assert await rows(house, Decision) == []


class TestArrival:
    """Whoever sent a prompt may have died before it could be stored that it was sent."""

    async def test_a_press_tells_that_the_prompt_is_there(self, bot: Bot, house: House, ana: Person):
        house.workflows.answer = "accepted"
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        token = await bot.prompt(approval, ana)
        await bot.press(5, f"a1:{token}:y")
        (row,) = await rows(house, Delivery, Delivery.kind == "prompt")
        trail = (await ana.ask("GET", "/audit?kind=prompt.sent")).json()["items"]

        assert row.state == "sent"
        assert MessageRef.read(row.external_ref) == MessageRef(account=ACCOUNT, thread="5", message_ids=("1",))
        assert row.shown < row.version
        assert [one["subject"] for one in trail] == [approval.id]

    async def test_one_that_was_given_up_meanwhile_is_edited_too(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        token = await bot.prompt(approval, ana)
        (row,) = await rows(house, Delivery, Delivery.kind == "prompt")
        async with change(house.database, house.rooms) as work:
            await deliveries.give_up(work, row, "closed before it was sent", deliveries.DROPPED)
        await bot.press(5, f"a1:{token}:n")
        (row,) = await rows(house, Delivery, Delivery.kind == "prompt")

        assert row.state == "sent"
        assert row.shown < row.version

    async def test_what_is_known_to_be_sent_stays_as_it_is(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        token = await bot.prompt(approval, ana)
        (claimed,) = await rows(house, Delivery, Delivery.kind == "prompt")
        ref = MessageRef(account=ACCOUNT, thread="5", message_ids=("77",)).written()
        async with change(house.database, house.rooms) as work:
            await deliveries.sent(work, claimed, ref)
        await bot.press(5, f"a1:{token}:n")
        (row,) = await rows(house, Delivery, Delivery.kind == "prompt")

        assert row.external_ref == ref
        assert (await ana.ask("GET", "/audit?kind=prompt.sent")).json()["items"] == []

    async def test_pressed_before_it_was_stored_it_is_told_once(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        (claimed,) = await prompted(bot, house, approval, ana)
        token = await bot.prompt(approval, ana)
        await bot.press(5, f"a1:{token}:n")
        ref = MessageRef(account=ACCOUNT, thread="5", message_ids=("1",)).written()
        async with change(house.database, house.rooms) as work:
            told = await deliveries.sent(work, claimed, ref)

        assert told is None
        assert len((await ana.ask("GET", "/audit?kind=prompt.sent")).json()["items"]) == 1

    async def test_a_press_in_another_thread_tells_nothing(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        identity = await bot.link(ana, 5)
        token = await bot.prompt(approval, ana)
        async with house.database.writing() as session:
            (row,) = (await session.execute(select(Delivery).where(Delivery.kind == "prompt"))).scalars()
            row.thread = "-100"
        await bot.press(5, f"a1:{token}:n")
        (row,) = await rows(house, Delivery, Delivery.kind == "prompt")

        assert (row.external_ref, identity.thread) == (None, "5")


async def prompted(bot: Bot, house: House, approval: Approval, person: Person) -> list[Delivery]:
    """The prompts as a sender claims them, before anything is shown."""
    await bot.prompt(approval, person)
    async with house.database.writing() as session:
        return await deliveries.claim(session, [deliveries.PROMPT])
