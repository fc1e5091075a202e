"""Who is linked talks and decides as themselves; everybody else is told so, and nothing of theirs counts."""

from typing import Any

from core.permissions import Role
from core.store import links, speaking
from core.store.audit import AuditTrail
from core.store.work import change
from core.tables.connect import Delivery, Inbound
from core.tables.identity import Identity
from core.tables.talk import Binding, Conversation, Message
from core.tables.work import Turn
from tests.api.channels.conftest import Bot, approval_of, rows
from tests.api.rest.house import House, Person
from tests.world import eventually

GROUP = {"id": -100, "type": "supergroup", "title": "Team"}


class TestTalk:
    async def test_what_is_written_goes_to_one_conversation(self, bot: Bot, house: House, ana: Person):
        await bot.link(ana, 5)
        await bot.say(5, "Hello")
        await bot.say(5, "And more")
        messages = await rows(house, Message)

        assert [(one.text, one.channel) for one in messages] == [("Hello", "telegram"), ("And more", "telegram")]
        assert {one.author_id for one in messages} == {ana.principal.user_id}
        assert len(await rows(house, Conversation)) == 1

    async def test_told_twice_it_is_said_once(self, bot: Bot, house: House, ana: Person):
        await bot.link(ana, 5)
        update = {"update_id": 1, "message": {"message_id": 1, "from": {"id": 5}, "chat": {"id": 5, "type": "private"}}}
        update["message"]["text"] = "Hello"  # type: ignore[index]
        await bot.hear(update)
        await bot.hear(update)

        assert len(await rows(house, Message)) == 1

    async def test_new_begins_another_conversation(self, bot: Bot, house: House, ana: Person):
        await bot.link(ana, 5)
        await bot.say(5, "Hello")
        await bot.say(5, "/new")
        await bot.say(5, "Again")

        assert len({one.conversation_id for one in await rows(house, Message)}) == 2

    async def test_a_group_talks_in_a_conversation_of_its_own(self, bot: Bot, house: House, ana: Person):
        await bot.link(ana, 5)
        await bot.say(5, "Hello")
        await bot.say(5, "Hello all", GROUP)
        (binding,) = await rows(house, Binding)
        said = {one.text: one.conversation_id for one in await rows(house, Message)}

        assert (binding.thread, said["Hello all"]) == ("-100", binding.conversation_id)
        assert said["Hello"] != binding.conversation_id

    async def test_who_is_not_in_the_groups_conversation_is_told_so(
        self, bot: Bot, house: House, ana: Person, bo: Person
    ):
        await bot.link(ana, 5)
        await bot.link(bo, 6)
        await bot.say(5, "Hello all", GROUP)
        await bot.say(6, "Me too", GROUP)

        assert len(await rows(house, Message)) == 1
        assert (await bot.told())[-1] == "There is no such conversation."

    async def test_a_viewer_is_told_that_they_only_read(self, bot: Bot, house: House, ana: Person):
        viewer = await house.person(ana.principal.workspace_id, Role.VIEWER)
        await bot.link(viewer, 5)
        await bot.say(5, "Hello")

        assert await bot.told() == ["A viewer reads only."]

    async def test_what_cannot_be_read_is_answered(self, bot: Bot, ana: Person):
        await bot.link(ana, 5)
        await bot.hear(
            {
                "update_id": 3,
                "message": {"message_id": 1, "from": {"id": 5}, "chat": {"id": 5, "type": "private"}, "photo": []},
            }
        )

        assert await bot.told() == ["I cannot read pictures here. Please write it."]

    async def test_what_was_answered_is_kept_no_longer(self, bot: Bot, house: House, ana: Person):
        await bot.link(ana, 5)
        row = await bot.say(5, "Secret words")

        assert (row.state, row.body, row.thread) == ("done", {}, "5")

    async def test_over_the_limit_it_waits_and_is_not_lost(self, bot: Bot, house: House, ana: Person):
        await bot.link(ana, 5)
        limits = house.rest.state.context.limits
        for _ in range(house.settings.messages_per_minute):
            await limits.check("message", ana.principal.user_id)
        await bot.post({"update_id": 9, "message": {"message_id": 1, "from": {"id": 5}, "text": "Hi", "chat": chat(5)}})

        async def postponed() -> bool:
            (row,) = await rows(house, Inbound)
            return bool(row.attempts) and row.state == "waiting"

        await eventually(postponed)
        assert await rows(house, Message) == []


def chat(who: int) -> dict[str, Any]:
    return {"id": who, "type": "private"}


class TestStrangers:
    async def test_a_stranger_gets_an_offer_and_no_more(self, bot: Bot, house: House):
        await bot.say(9, "Hello")
        await bot.say(9, "Hello?")

        told = await bot.told()
        assert len(told) == 1
        assert "type this code" in told[0]
        assert await rows(house, Message) == []

    async def test_in_a_group_a_stranger_hears_nothing(self, bot: Bot):
        await bot.say(9, "Hello", GROUP)
        await bot.say(9, "/help", GROUP)

        assert await bot.told() == []

    async def test_a_person_who_was_shut_out_is_a_stranger(self, bot: Bot, house: House, ana: Person, bo: Person):
        await bot.link(bo, 5)
        await ana.ask("POST", f"/users/{bo.principal.user_id}/disable", json={})
        await bot.say(5, "Hello")

        assert await rows(house, Message) == []


class TestLinking:
    async def code(self, bot: Bot, person: Person, trail: AuditTrail) -> str:
        async with change(bot.house.database, bot.house.rooms) as work:
            return (await links.new_code(work, trail, person.principal, "telegram"))[1]

    async def test_a_code_links_only_once_the_chat_says_yes(
        self, bot: Bot, house: House, ana: Person, trail: AuditTrail
    ):
        await bot.say(5, f"/start {await self.code(bot, ana, trail)}")
        before = await rows(house, Identity)
        (question,) = await rows(house, Delivery)
        yes = question.body["message"]["buttons"][0][0]["data"]
        await bot.press(6, yes)
        by_another = await rows(house, Identity)
        await bot.press(5, yes)
        (identity,) = await rows(house, Identity)

        assert (before, by_another) == ([], [])
        assert (identity.user_id, identity.external_id, identity.thread) == (ana.principal.user_id, "5", "5")

    async def test_no_is_no(self, bot: Bot, house: House, ana: Person, trail: AuditTrail):
        await bot.say(5, f"/link {await self.code(bot, ana, trail)}")
        (question,) = await rows(house, Delivery)
        yes, no = (button["data"] for button in question.body["message"]["buttons"][0])
        await bot.press(5, no)
        await bot.press(5, yes)

        assert await rows(house, Identity) == []

    async def test_a_wrong_code_is_no_link(self, bot: Bot, house: House):
        await bot.say(5, "/start " + "x" * 22)

        assert "does not hold" in (await bot.told())[0]

    async def test_a_code_said_in_a_group_is_not_taken(self, bot: Bot, house: House, ana: Person, trail: AuditTrail):
        await bot.say(5, f"/start {await self.code(bot, ana, trail)}", GROUP)

        assert "private chat" in (await bot.told())[0]

    async def test_unlinking_ends_it(self, bot: Bot, house: House, ana: Person):
        await bot.link(ana, 5)
        await bot.say(5, "/unlink")
        await bot.say(5, "Hello")

        assert await rows(house, Identity) == []
        assert await rows(house, Message) == []

    async def test_who_blocks_us_is_reached_no_more_until_they_write(self, bot: Bot, house: House, ana: Person):
        identity = await bot.link(ana, 5)
        blocked = {"chat": chat(5), "from": {"id": 5}, "new_chat_member": {"status": "kicked"}}
        await bot.hear({"update_id": 4, "my_chat_member": blocked})
        (broken,) = await rows(house, Identity)
        await bot.say(5, "Hello")
        (whole,) = await rows(house, Identity)

        assert broken.broken_at is not None
        assert (whole.id, whole.broken_at) == (identity.id, None)


class TestMirrors:
    async def finish(self, house: House, turn_id: str) -> list[tuple[str, str]]:
        """Stop a turn; gives where that is told."""
        async with change(house.database, house.rooms) as work:
            turn = await work.session.get_one(Turn, turn_id)
            await speaking.reply(work, turn)
        found = await rows(house, Delivery, Delivery.kind == "reply", Delivery.ref == turn_id)
        return [(row.channel, row.thread) for row in found]

    async def say_by_rest(self, person: Person, conversation_id: str) -> str:
        said = {"text": "Hello from the web", "client_message_id": "web-1"}
        path = f"/conversations/{conversation_id}/messages"
        return str((await person.ask("POST", path, json=said)).json()["turn_id"])

    async def test_a_reply_goes_where_it_was_asked(self, bot: Bot, house: House, ana: Person):
        await bot.link(ana, 5)
        await bot.say(5, "Hello")
        await bot.say(5, "Hello all", GROUP)
        private, group = await rows(house, Turn)

        assert await self.finish(house, private.id) == [("telegram", "5")]
        assert await self.finish(house, group.id) == [("telegram", "-100")]

    async def test_what_is_asked_elsewhere_is_told_here_only_in_a_mirror(self, bot: Bot, house: House, ana: Person):
        await bot.link(ana, 5)
        await bot.say(5, "Hello")
        (talk,) = await rows(house, Conversation)
        turn_id = await self.say_by_rest(ana, talk.id)
        before = await self.finish(house, turn_id)
        await bot.say(5, "/mirror")
        mirrored = await self.finish(house, turn_id)
        await bot.say(5, "/unlink")

        assert (before, mirrored) == ([], [("telegram", "5")])
        assert await rows(house, Binding) == []


class TestCommands:
    async def test_status_and_approvals_say_what_waits(self, bot: Bot, house: House, ana: Person):
        approval = await approval_of(house, ana)
        await bot.link(ana, 5)
        await bot.say(5, "/status")
        await bot.say(5, "/approvals")
        prompts = await rows(house, Delivery, Delivery.kind == "prompt")

        assert (await bot.told())[0].startswith("1 requests wait for your decision.\nWorkspace mode: assisted.")
        assert [(one.approval_id, one.thread) for one in prompts] == [(approval.id, "5")]

    async def test_a_mode_is_chosen_and_an_unknown_one_is_named(self, bot: Bot, house: House, ana: Person):
        await bot.link(ana, 5)
        await bot.say(5, "/mode nonsense")
        await bot.say(5, "/operation emergency")
        await bot.say(5, "/operation nonsense")
        await bot.say(5, "/dance")
        told = await bot.told()

        assert "emergency" in told[1]
        assert [one.partition(":")[0].partition(".")[0] for one in told[2:]] == [
            "There is no such mode",
            "I do not know /dance",
        ]

    async def test_a_member_may_not_change_how_the_workspace_is_run(self, bot: Bot, ana: Person, bo: Person):
        await bot.link(bo, 5)
        await bot.say(5, "/operation autonomous")
        await bot.say(5, "/operation")

        assert "assisted" in (await bot.told())[1]
