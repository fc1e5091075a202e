"""Facts, threads and read receipts below the doors, on both databases: one of each under concurrent writers."""

import asyncio

from core.permissions import Door, Principal
from core.store import branches, facts, reads, submissions, summaries, threads
from core.store.facts import Origin
from core.store.submissions import Wishes
from core.store.work import change
from core.tables.memory import Fact
from core.tables.talk import Participant
from core.tables.work import Turn
from tests.world import World


async def keep(world: World, who: Principal, text: str) -> tuple[str, bool]:
    async with change(world.database, world.rooms) as work:
        view, is_new = await facts.add(work, facts.written_by(who), text)
    return view.id, is_new


class TestFacts:
    async def test_kept_twenty_times_at_once_is_one_fact(self, world: World):
        ana = await world.person()

        kept = await asyncio.gather(*(keep(world, ana, text) for text in ["I like tea.", "i like  TEA"] * 10))

        assert len({fact_id for fact_id, _ in kept}) == 1
        assert sorted(is_new for _, is_new in kept) == [False] * 19 + [True]
        assert await world.told(ana.membership_id) == ["facts.changed"]

    async def test_a_person_has_other_facts_in_another_workspace(self, world: World):
        ana, bo = await world.person(), await world.person()
        await keep(world, ana, "I like tea.")
        elsewhere = Origin(workspace_id=bo.workspace_id, user_id=ana.user_id)

        async with world.database.reading() as session:
            assert await facts.texts(session, elsewhere, 10) == []
            assert await facts.called(session, ana, "tea") is not None
            assert await facts.called(session, bo, "tea") is None

    async def test_forgotten_while_it_is_edited_is_gone(self, world: World):
        ana = await world.person()
        fact_id, _ = await keep(world, ana, "I like tea.")

        async def edit() -> None:
            async with change(world.database, world.rooms) as work:
                await facts.edit(work, ana, fact_id, "I like milk.")

        async def forget() -> None:
            async with change(world.database, world.rooms) as work:
                await facts.forget(work, ana, fact_id)

        await asyncio.gather(edit(), forget(), return_exceptions=True)

        assert await world.all(Fact) == []


class TestThreadsAndReads:
    async def test_reads_race_forward(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)
        said = [(await world.say(ana, conversation_id))[0].place for _ in range(4)]

        async def read(position: int) -> None:
            async with change(world.database, world.rooms) as work:
                await reads.read(work, ana, conversation_id, position)

        await asyncio.gather(*(read(place) for place in said[::-1]))

        assert (await world.get(Participant, (conversation_id, ana.user_id))).read_position == said[-1]
        told = [
            row.body["read"]["position"] for row in await world.events(conversation_id) if row.type == "member.read"
        ]
        assert told == sorted(set(told))

    async def test_threads_are_counted_and_left_out_of_summaries(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)
        root, _ = await world.say(ana, conversation_id, "root")
        async with change(world.database, world.rooms) as work:
            reply, _ = await submissions.add_message(
                work, ana, Door.REST, conversation_id, "reply", "r", Wishes(reply_to_id=root.message_id)
            )
        last, _ = await world.say(ana, conversation_id, "last")
        for turn in (root, reply, last):
            await world.alter(Turn, turn.id, state="finished", ended_at=turn.created_at)

        async with world.database.reading() as session:
            found, _, total = await threads.page(session, ana, conversation_id, limit=10, cursor=None)
            said = await summaries.since(session, await session.get_one(Turn, last.id), 0)
            is_long = await summaries.is_long(session, last, 10_000)
            unread = await reads.unread(session, ana)
        assert [(one.id, one.messages) for one in found] == [(root.message_id, 1)]
        assert total == 1
        assert [one.message.text for one in said] == ["root", "last"]
        assert not is_long
        assert unread == []

    async def test_a_thread_is_as_the_version_shown_has_it(self, world: World):
        ana = await world.person()
        conversation_id = await world.conversation(ana)
        root, _ = await world.say(ana, conversation_id, "root")
        async with change(world.database, world.rooms) as work:
            reply, _ = await submissions.add_message(
                work, ana, Door.REST, conversation_id, "reply", "r", Wishes(reply_to_id=root.message_id)
            )
        async with change(world.database, world.rooms) as work:
            await branches.edit(work, ana, Door.REST, reply.message_id, "reply otherwise", "e")

        async with world.database.reading() as session:
            said, _, total = await threads.messages_of(
                session, ana, conversation_id, root.message_id, before=None, limit=9
            )
            found, _, _ = await threads.page(session, ana, conversation_id, limit=9, cursor=None)
        assert [one.text for one in said] == ["root", "reply otherwise"]
        assert (total, [one.messages for one in found]) == (2, [1])
