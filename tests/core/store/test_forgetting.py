"""Forgetting below the doors, on both databases: what else goes with a message, and with a fact."""

from core.permissions import Principal
from core.store import facts, forgetting, messages
from core.store.facts import BY_MODEL, Origin
from core.store.work import change
from core.tables.memory import Fact
from core.tables.talk import Message
from core.tables.work import Turn
from tests.world import World

BIKE = "my bike is crimson and stands in Graz"


async def learnt(world: World, who: Principal, turn: Turn, text: str, how: str = BY_MODEL) -> str:
    origin = Origin(
        workspace_id=who.workspace_id, user_id=who.user_id, how=how, turn_id=turn.id, message_id=turn.message_id
    )
    async with change(world.database, world.rooms) as work:
        view, _ = await facts.add(work, origin, text)
    return view.id


async def said(world: World, who: Principal, text: str) -> Turn:
    turn, _ = await world.say(who, await world.conversation(who), text)
    return turn


async def answered(world: World, who: Principal, question: str, reply: str) -> Message:
    turn = await said(world, who, question)
    async with change(world.database, world.rooms) as work:
        row = await work.session.get_one(Turn, turn.id)
        await messages.add_reply(work, row, turn.place + 9, reply, model="m", usage=None)
    return await world.get(Message, messages.reply_id(turn.id))


async def recallable(world: World) -> set[str]:
    return {row.text for row in await world.all(Message) if row.forgotten_at is None}


class TestAMessage:
    async def test_takes_the_facts_learnt_from_it_along(self, world: World):
        ana = await world.person()
        turn = await said(world, ana, "I live in Riga and my cat is called Mo.")
        await learnt(world, ana, turn, "The user lives in Riga.")
        await learnt(world, ana, turn, "The user's cat is called Mo.")

        async with change(world.database, world.rooms) as work:
            await forgetting.forget_message(work, ana, turn.message_id)

        assert await world.all(Fact) == []
        assert (await world.told(ana.membership_id)).count("facts.changed") == 4

    async def test_leaves_what_its_person_wrote_since(self, world: World):
        ana = await world.person()
        turn = await said(world, ana, "I live in Riga.")
        fact_id = await learnt(world, ana, turn, "The user lives in Riga.")
        async with change(world.database, world.rooms) as work:
            await facts.edit(work, ana, fact_id, "I live in Graz.")

        async with change(world.database, world.rooms) as work:
            await forgetting.forget_message(work, ana, turn.message_id)

        assert [row.text for row in await world.all(Fact)] == ["I live in Graz."]


class TestAFact:
    async def test_said_twice_is_forgotten_twice(self, world: World):
        ana, bo = await world.person(), await world.person()
        fact_id = await learnt(world, ana, await said(world, ana, f"remember that {BIKE}"), BIKE)
        await said(world, ana, f"Remember that {BIKE.capitalize()}!")
        await answered(world, ana, "what is crimson?", "Your bike is crimson and stands in Graz, you told me.")
        await said(world, ana, "bikes are fun")
        await said(world, bo, f"{BIKE}, says bo")

        async with change(world.database, world.rooms) as work:
            await facts.forget(work, ana, fact_id)

        assert await recallable(world) == {"what is crimson?", "bikes are fun", f"{BIKE}, says bo"}

    async def test_few_words_take_nothing_else_along(self, world: World):
        ana = await world.person()
        fact_id = await learnt(world, ana, await said(world, ana, "remember: tea"), "tea")
        await said(world, ana, "our team won")

        async with change(world.database, world.rooms) as work:
            await facts.forget(work, ana, fact_id)

        assert await recallable(world) == {"our team won"}

    async def test_signs_are_no_wildcards(self, world: World):
        ana = await world.person()
        fact_id = await learnt(world, ana, await said(world, ana, "remember % of it_all"), "100% of it_all")
        await said(world, ana, "1000 of itXall")

        async with change(world.database, world.rooms) as work:
            await facts.forget(work, ana, fact_id)

        assert await recallable(world) == {"1000 of itXall"}

    async def test_two_facts_of_one_message_are_forgotten_one_by_one(self, world: World):
        ana = await world.person()
        turn = await said(world, ana, "I live in Riga and my cat is called Mo.")
        await learnt(world, ana, turn, "The user lives in Riga.")
        fact_id = await learnt(world, ana, turn, "The user's cat is called Mo.")

        async with change(world.database, world.rooms) as work:
            await facts.forget(work, ana, fact_id)

        assert [row.text for row in await world.all(Fact)] == ["The user lives in Riga."]
        assert await recallable(world) == set()
