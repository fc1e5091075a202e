"""What recall is told by SQL, on both databases: texts of the version that is shown, however it came to be."""

from core.permissions import Door, Principal
from core.store import branches, recollections, submissions
from core.store.recollections import Whose
from core.store.submissions import NOTHING_SPECIAL, Wishes
from core.store.work import change
from core.tables.talk import Conversation
from core.tables.work import Turn
from tests.world import World


async def told(world: World, who: Principal, *message_ids: str) -> dict[str, str | None]:
    """The texts that somebody is told in a new conversation, with the turns that they stand for."""
    whose = Whose(who.workspace_id, who.user_id, await world.conversation(who), alone=True)
    async with world.database.reading() as session:
        found = await recollections.present(session, whose, [("message", one) for one in message_ids])
    return {one.text: one.turn_id for one in found.values()}


async def ended(world: World, turn: Turn) -> None:
    await world.alter(Turn, turn.id, state="finished", ended_at=turn.created_at)
    await world.alter(Conversation, turn.conversation_id, active_turn_id=None)


class TestVersions:
    async def test_a_message_that_was_answered_again_is_still_said(self, world: World):
        ana = await world.person()
        turn, _ = await world.say(ana, await world.conversation(ana), "I have 5000 dollars")
        await ended(world, turn)
        async with change(world.database, world.rooms) as work:
            again, _ = await branches.regenerate(work, ana, Door.REST, turn.id, "again", NOTHING_SPECIAL)

        assert await told(world, ana, turn.message_id) == {"I have 5000 dollars": again.id}

    async def test_a_message_that_was_edited_is_not(self, world: World):
        ana = await world.person()
        turn, _ = await world.say(ana, await world.conversation(ana), "I have 5000 dollars")
        await ended(world, turn)
        async with change(world.database, world.rooms) as work:
            edited, _ = await branches.edit(work, ana, Door.REST, turn.message_id, "I have 10 dollars", "edit")
        await ended(world, edited)
        async with change(world.database, world.rooms) as work:
            again, _ = await branches.regenerate(work, ana, Door.REST, edited.id, "again", NOTHING_SPECIAL)

        assert await told(world, ana, turn.message_id, edited.message_id) == {"I have 10 dollars": again.id}

    async def test_a_reply_in_a_thread_that_was_edited_is_not_and_the_main_talk_is(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)
        root, _ = await world.say(ana, conversation_id, "root")
        await ended(world, root)
        async with change(world.database, world.rooms) as work:
            reply, _ = await submissions.add_message(
                work, ana, Door.REST, conversation_id, "in the thread", "t", Wishes(reply_to_id=root.message_id)
            )
        await ended(world, reply)
        last, _ = await world.say(ana, conversation_id, "after it")
        await ended(world, last)
        async with change(world.database, world.rooms) as work:
            edited, _ = await branches.edit(work, ana, Door.REST, reply.message_id, "in it otherwise", "e")

        ids = [root.message_id, reply.message_id, last.message_id, edited.message_id]
        assert set(await told(world, ana, *ids)) == {"root", "after it", "in it otherwise"}
