"""A code names a prompt as its button does: of this person, in this chat, for what was shown, and nothing else."""

from connectors.channel import MessageRef
from core.codes import code_of
from core.ids import secret_hash
from core.store import deliveries
from core.store.work import change
from core.tables.connect import Delivery
from core.tables.consent import Approval, Decision
from core.tables.work import Turn
from tests.api.channels.conftest import ACCOUNT, Bot, approval_of, message, rows
from tests.api.rest.house import House, Person

GROUP = {"id": -100, "type": "supergroup", "title": "Team"}


async def shown(bot: Bot, approval: Approval, person: Person) -> str:
    """Prompt a person, and let it arrive; gives the code."""
    token = await bot.prompt(approval, person)
    (row,) = await rows(
        bot.house, Delivery, Delivery.approval_id == approval.id, Delivery.user_id == person.principal.user_id
    )
    ref = MessageRef(account=ACCOUNT, thread=row.thread, message_ids=("1",)).written()
    async with change(bot.house.database, bot.house.rooms) as work:
        await deliveries.sent(work, row, ref)
    return code_of(secret_hash(token))


async def alter(house: House, approval: Approval, **values: object) -> None:
    """Change the prompt of a request."""
    async with house.database.writing() as session:
        (row,) = await rows(house, Delivery, Delivery.approval_id == approval.id)
        stored = await session.get_one(Delivery, row.id)
        for name, value in values.items():
            setattr(stored, name, value)


class TestDeciding:
    async def test_a_code_decides_as_its_person_with_a_comment(self, bot: Bot, house: House, ana: Person):
        house.workflows.answer = "accepted"
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        code = await shown(bot, approval, ana)
        await bot.say(5, f"/approve {code.lower()}  it is  bought")
        (decision,) = await rows(house, Decision)

        facts = (decision.user_id, decision.verdict, decision.door, decision.assurance, decision.digest)
        assert facts == (ana.principal.user_id, "approve", "telegram", "L2", approval.digest)
        assert (decision.approval_id, decision.comment) == (approval.id, "it is  bought")
        assert await bot.told() == ["Your approval counts; others are still to answer: Delete a task"]

    async def test_a_rejection_says_why_on_lines_of_its_own(self, bot: Bot, house: House, ana: Person):
        house.workflows.answer = "accepted"
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        code = await shown(bot, approval, ana)
        await bot.say(5, f"/reject\n{code}\nNot now.\nAsk Bo.", entities=[COMMAND])
        (decision,) = await rows(house, Decision)

        assert (decision.verdict, decision.comment) == ("reject", "Not now.\nAsk Bo.")

    async def test_told_twice_it_is_one_decision(self, bot: Bot, house: House, ana: Person):
        house.workflows.answer = "accepted"
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        update = message(5, f"/approve {await shown(bot, approval, ana)}")
        first = await bot.hear(update)
        async with house.database.writing() as session:
            await session.delete(await session.merge(first))  # as if it had been forgotten that it was heard
        await bot.hear(update)

        assert len(await rows(house, Decision)) == 1

    async def test_a_comment_that_the_rules_require(self, bot: Bot, house: House, ana: Person):
        house.workflows.answer = "accepted"
        approval = await approval_of(house, ana)
        async with house.database.writing() as session:
            stored = await session.get_one(Approval, approval.id)
            stored.plan = stored.plan | {"comment_required": True}
        await bot.link(ana, 5)
        code = await shown(bot, approval, ana)
        await bot.say(5, f"/approve {code}")
        await bot.say(5, f"/approve {code} the shop confirmed it")

        assert [one.state for one in await rows(house, Decision)] == ["refused", "accepted"]
        assert (await bot.told())[0] == "Say why: this one needs a comment."

    async def test_one_of_several_or_all_of_them(self, bot: Bot, house: House, ana: Person):
        house.workflows.answer = "accepted"
        asked = [await approval_of(house, ana) for _ in range(3)]
        await bot.link(ana, 5)
        code = await shown(bot, asked[0], ana)
        await alter(house, asked[0], body={"batch": [[one.id, one.digest] for one in asked]})
        await bot.say(5, "/approve")
        await bot.say(5, f"/reject {code}-2 no")
        first = [one.approval_id for one in await rows(house, Decision)]
        await bot.say(5, f"/approve {code}-4")
        after = len(await rows(house, Decision))
        await bot.say(5, f"/approve {code}")
        told = await bot.told()

        assert told[0].splitlines()[1:4] == [
            "These codes hold in this chat:",
            f"{code}: all 3 of these",
            f"{code}-1: Delete a task",
        ]
        assert (first, after) == ([asked[1].id], 1)
        assert "does not hold" in told[2]
        assert told[3].startswith("3: Your approval counts")


COMMAND = {"type": "bot_command", "offset": 0, "length": 7}


class TestRefusing:
    async def test_with_no_code_nothing_is_decided_and_the_codes_are_said(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        code = await shown(bot, approval, ana)
        for text in ("/approve", "/approve it looks good", "/reject no", f"approve {code}", code):
            await bot.say(5, text)
        told = await bot.told()

        assert await rows(house, Decision) == []
        assert told == [
            f"Say which: /{verb} CODE, and why if you like.\nThese codes hold in this chat:\n{code}: Delete a task"
            for verb in ("approve", "approve", "reject")
        ]
        assert len(await rows(house, Turn)) == 3

    async def test_what_was_not_shown_has_no_code_to_be_listed(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        await bot.prompt(approval, ana)
        await bot.say(5, "/approve")

        assert "No code holds in this chat" in (await bot.told())[0]

    async def test_the_code_of_buttons_that_were_replaced_is_void(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        old = await shown(bot, approval, ana)
        await alter(house, approval, token_hash=secret_hash("another"))
        await bot.say(5, f"/approve {old}")
        told = (await bot.told())[0]

        assert await rows(house, Decision) == []
        assert "does not hold here" in told
        assert f"{code_of(secret_hash('another'))}: Delete a task" in told

    async def test_what_was_changed_since_it_was_shown_is_not_decided(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        code = await shown(bot, approval, ana)
        async with house.database.writing() as session:
            (await session.get_one(Approval, approval.id)).digest = "e" * 64
        await bot.say(5, f"/approve {code}")
        (decision,) = await rows(house, Decision)

        assert (decision.state, decision.refusal) == ("refused", "digest_mismatch")
        assert "not what you were shown" in (await bot.told())[0]

    async def test_somebody_elses_code_is_worth_nothing(self, bot: Bot, house: House, ana: Person, bo: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        await bot.link(bo, 6)
        code = await shown(bot, approval, ana)
        await bot.say(6, f"/approve {code}")
        await bot.say(7, f"/approve {code}")
        trail = (await ana.ask("GET", "/audit?kind=prompt.refused")).json()["items"]

        assert await rows(house, Decision) == []
        assert "does not hold here" in (await bot.told())[0]
        assert [one["actor"] for one in trail] == [bo.principal.user_id]

    async def test_in_another_chat_than_where_it_was_shown_it_is_worth_nothing(
        self, bot: Bot, house: House, ana: Person
    ):
        house.workflows.answer = "accepted"
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        code = await shown(bot, approval, ana)
        await bot.say(5, f"/approve {code}", GROUP)
        before = await rows(house, Decision)
        await alter(house, approval, thread="-100")
        await bot.say(5, f"/approve {code}", GROUP)

        assert (before, len(await rows(house, Decision))) == ([], 1)
        assert "No code holds in this chat" in (await bot.told())[0]

    async def test_who_guesses_is_locked_out_even_with_the_right_one(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        code = await shown(bot, approval, ana)
        for number in range(2, 7):
            await bot.say(5, f"/approve AAAAA{number}")
        await bot.say(5, f"/approve {code}")
        trail = (await ana.ask("GET", "/audit?kind=prompt.refused")).json()["items"]

        assert await rows(house, Decision) == []
        assert (await bot.told())[-1].startswith("Too many wrong codes")
        assert len(trail) == 5


class TestListing:
    async def test_approvals_lists_the_codes_that_hold(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        code = await shown(bot, approval, ana)
        await bot.say(5, "/approvals")

        assert f"By /approve CODE or /reject CODE:\n{code}: Delete a task" in (await bot.told())[0]

    async def test_what_is_closed_is_listed_no_more(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        await shown(bot, approval, ana)
        async with house.database.writing() as session:
            (await session.get_one(Approval, approval.id)).state = "rejected"
        await bot.say(5, "/approve")

        assert "No code holds in this chat" in (await bot.told())[0]

    async def test_help_names_the_commands(self, bot: Bot, ana: Person):
        await bot.link(ana, 5)
        await bot.say(5, "/help")

        assert "/approve CODE [comment], /reject CODE [reason]" in (await bot.told())[0]
